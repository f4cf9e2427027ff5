"""The way between the orchestrator and the simulated agents, on which everything can go wrong.

Functions run on their own: an execution goes on when its caller is gone, as on AWS Lambda. Workers read their queues
for ever: they crash, answer twice, late, or not at all. Every mishap is drawn from one seeded source, so that a seed
is a run.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, RequestId, TaskId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import AgentReply, Delivery
from jada_orchestrator.testing.aws import FakeQueues
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely each mishap is, from 0 to 1; all of them only until `calm_after_ms` of virtual time.

    After that the world is well, so that everything must come to its end (progress, not only safety).
    """

    calm_after_ms: int = 300_000
    throttled: float = 0.05
    refused: float = 0.03
    refused_for_good: float = 0.01
    crashed_before: float = 0.03
    crashed_after: float = 0.04
    answer_lost: float = 0.04
    runs_later: float = 0.03
    """The caller is cut off at once, and the function runs some time later all the same."""
    slow: float = 0.05
    worker_silent: float = 0.04
    worker_twice: float = 0.05
    bad_output: float = 0.01
    short_hold: float = 0.15
    queue: float = 0.03
    journal: float = 0.03
    planner: float = 0.10
    bad_plan: float = 0.10
    doubled_request: float = 0.15
    conflicting_request: float = 0.05
    cancel: float = 0.10
    kills_per_run: int = 3
    clock_jump: float = 0.2
    """Between two runs of the process: backward by up to 30 s, forward by less than `LOOKUP_SAFETY_MS`, which is what
    the house assumes of its hosts (docs/failure-matrix.md)."""


NO_MISHAPS: Final = Odds(**{name: 0 for name in Odds.__dataclass_fields__ if name != "calm_after_ms"}, calm_after_ms=0)


class Fate:
    """Draws mishaps, and counts what it drew."""

    def __init__(self, seed: int, odds: Odds, clock: Clock) -> None:
        """Begin a run."""
        self.random = random.Random(seed)
        self.odds = odds
        self.drawn: Counter[str] = Counter()
        self._clock = clock
        self._began = clock.now()

    @property
    def is_calm(self) -> bool:
        """Whether mishaps are over."""
        return self._clock.now() - self._began >= self.odds.calm_after_ms

    def strikes(self, mishap: str) -> bool:
        """Tell whether this mishap happens now."""
        if self.is_calm or self.random.random() >= getattr(self.odds, mishap):
            return False
        self.drawn[mishap] += 1
        return True

    def between(self, least: float, most: float) -> float:
        """Return a number of seconds."""
        return self.random.uniform(least, most)


class SimulatedFunctions:
    """The port `FunctionCaller`. `witness` is called with every call before anything of it is done."""

    def __init__(self, agents: SimulatedAgents, fate: Fate, witness: Callable[[AgentCall], None]) -> None:
        """Run the agents' functions."""
        self._agents = agents
        self._fate = fate
        self._witness = witness
        self._running: set[asyncio.Task[AttemptResult]] = set()

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Make one attempt; see the port."""
        del target
        self._witness(call)
        if self._fate.strikes("throttled"):
            return CallEnded(Failed(Failure("THROTTLED", "too many"), retryable=True, answered=False))
        if self._fate.strikes("runs_later"):
            left_s = call.timeout_ms / 1_000
            _ = self._execute(call, self._fate.between(0, left_s * 0.9))  # nobody waits for it
            return CallEnded(Lost(Failure("CONNECTION_CUT", "cut off")))
        if self._fate.strikes("crashed_before"):
            return CallEnded(Lost(Failure("FUNCTION_ERROR", "crashed")))
        slow = self._fate.strikes("slow")
        work_s = self._fate.between(5, 40) if slow else self._fate.between(0.01, 0.5)
        # A function that would run beyond its own time is ended by its platform: it has no effect after the deadline.
        execution = self._execute(call, work_s) if work_s * 1_000 < call.timeout_ms else None
        try:
            async with asyncio.timeout(call.timeout_ms / 1_000):
                if execution is None:
                    await asyncio.sleep(work_s)
                    return CallEnded(Lost(Failure("FUNCTION_TIMEOUT", "ended by its platform")))
                result = await asyncio.shield(execution)
        except TimeoutError:
            return CallEnded(Lost(Failure("TIMEOUT", "no answer in time")))
        if self._fate.strikes("crashed_after") or self._fate.strikes("answer_lost"):
            return CallEnded(Lost(Failure("CONNECTION_CUT", "the answer was lost")))
        if isinstance(result, Succeeded) and self._fate.strikes("bad_output"):
            return CallEnded(Succeeded({"surprise": True}))
        return CallEnded(result)

    async def close(self) -> None:
        """Do nothing: executions go on without their callers."""

    async def settle(self) -> None:
        """Wait until no function runs any more."""
        await asyncio.gather(*self._running)

    def _execute(self, call: AgentCall, after_s: float) -> asyncio.Task[AttemptResult]:
        async def execution() -> AttemptResult:
            await asyncio.sleep(after_s)
            return run_agent(self._agents, call)

        task = asyncio.get_running_loop().create_task(execution())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def run_agent(agents: SimulatedAgents, call: AgentCall) -> AttemptResult:
    """Have an agent do a call, and return its answer."""
    try:
        return Succeeded(agents.do(call))
    except AgentRefusal as refusal:
        return Failed(Failure(refusal.code, "the agent says no"), retryable=refusal.retryable, answered=True)


class SimulatedWorker:
    """A worker on an SQS queue: takes tasks, answers on the reply queue, and has mishaps of its own."""

    def __init__(
        self, agents: SimulatedAgents, fate: Fate, queues: FakeQueues, clock: Clock, queue: str, reply_queue: str
    ) -> None:
        """Work on a queue."""
        self._agents = agents
        self._fate = fate
        self._queues = queues
        self._clock = clock
        self._source = queues.source(queue)
        self._reply_queue = reply_queue

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            for delivery in await self._take():
                await asyncio.sleep(self._fate.between(0.01, 0.3))
                await self._work(delivery)

    async def _take(self) -> list[Delivery]:
        return list(await self._source.receive(10))

    async def _work(self, delivery: Delivery) -> None:
        if self._fate.strikes("worker_silent"):
            return  # it crashed: the message becomes visible again by itself
        call = decode_task(delivery.message.body)
        if call.deadline <= self._clock.now():
            result: AttemptResult = Failed(Failure("DEADLINE_PASSED", "too late"), retryable=False, answered=True)
        else:
            result = run_agent(self._agents, call)
        body = encode_reply(call, result)
        for _ in range(2 if self._fate.strikes("worker_twice") else 1):
            self._queues.put(self._reply_queue, body, delay_ms=round(self._fate.between(0, 200)))
        await self._source.delete([delivery])


def encode_task(call: AgentCall) -> str:
    """Return a task's text; the simulation's own, since the wire's formats have tests of their own."""
    return json.dumps(
        {
            "workflow_id": call.workflow_id,
            "request_id": call.request_id,
            "tenant": call.tenant,
            "task_id": call.task_id,
            "attempt": call.attempt,
            "key": call.idempotency_key,
            "action": call.action,
            "input": call.input,
            "deadline": call.deadline,
        }
    )


def decode_task(text: str) -> AgentCall:
    """Return the call that a task's text stands for."""
    task = json.loads(text)
    return AgentCall(
        workflow_id=WorkflowId(task["workflow_id"]),
        request_id=RequestId(task["request_id"]),
        tenant=Tenant(task["tenant"]),
        task_id=TaskId(task["task_id"]),
        attempt=task["attempt"],
        idempotency_key=IdempotencyKey(task["key"]),
        action=ActionName(task["action"]),
        input=task["input"],
        deadline=UtcMs(task["deadline"]),
        timeout_ms=0,
        model=None,
        traceparent=None,
    )


def encode_reply(call: AgentCall, result: AttemptResult) -> str:
    """Return a reply's text."""
    reply: JsonObject = {
        "workflow_id": call.workflow_id,
        "task_id": call.task_id,
        "attempt": call.attempt,
        "key": call.idempotency_key,
    }
    if isinstance(result, Succeeded):
        reply["output"] = result.output
    else:
        reply["error"] = result.failure.to_json()
        reply["retryable"] = isinstance(result, Failed) and result.retryable
    return json.dumps(reply)


def decode_reply(text: str) -> AgentReply:
    """Return the reply that a text stands for."""
    reply = json.loads(text)
    result: AttemptResult
    if "output" in reply:
        result = Succeeded(reply["output"])
    else:
        failure = Failure(reply["error"]["code"], reply["error"]["message"])
        result = Failed(failure, retryable=reply["retryable"], answered=True)
    return AgentReply(
        WorkflowId(reply["workflow_id"]),
        TaskId(reply["task_id"]),
        reply["attempt"],
        IdempotencyKey(reply["key"]),
        result,
    )
