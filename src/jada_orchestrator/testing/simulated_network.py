"""The way between the orchestrator and the simulated agents, on which everything can go wrong.

Functions run on their own: an execution goes on when its caller is gone, as on AWS Lambda. Workers read their queues
for ever: they crash, answer twice, late, or not at all. Every mishap is drawn from one seeded source, so that a seed
is a run.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from contextvars import Context

from jada_orchestrator.domain.catalogue import LambdaTransport, SqsTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, RequestId, TaskId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.agents import AgentCall, CallEnded, WorkerSender
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import AgentReply, Delivery, UnreadableReply
from jada_orchestrator.testing.aws import FakeQueues, posted_by
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents
from jada_orchestrator.testing.simulated_fate import Fate


class SimulatedFunctions:
    """The port `FunctionCaller`. `witness` is called with every call before anything of it is done."""

    def __init__(
        self, agents: SimulatedAgents, fate: Fate, witness: Callable[[LambdaTransport | SqsTransport, AgentCall], None]
    ) -> None:
        """Run the agents' functions."""
        self._agents = agents
        self._fate = fate
        self._witness = witness
        self._running: dict[asyncio.Task[AttemptResult], AgentCall] = {}

    def executing(self) -> Iterable[AgentCall]:
        """Return the calls that some function is at work on, whether anybody waits for it or not."""
        return self._running.values()

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Make one attempt; see the port."""
        self._witness(target, call)
        fate = self._fate
        if fate.strikes("throttled"):
            return CallEnded(Failed(Failure("THROTTLED", "too many"), retryable=True, answered=False))
        if fate.strikes("runs_later"):
            left_s = call.timeout_ms / 1_000
            _ = self._execute(call, fate.between(0, left_s * 0.9))  # nobody waits for it
            return CallEnded(Lost(Failure("CONNECTION_CUT", "cut off")))
        if fate.strikes("crashed_before"):
            return CallEnded(Lost(Failure("FUNCTION_ERROR", "crashed")))
        slow = fate.strikes("slow")
        work_s = fate.between(5, 40) if slow else fate.between(0.01, 0.5)
        # A function that would run beyond its own time is ended by its platform: it has no effect after the deadline.
        if work_s * 1_000 >= call.timeout_ms:
            await asyncio.sleep(call.timeout_ms / 1_000)
            return CallEnded(Lost(Failure("FUNCTION_TIMEOUT", "ended by its platform")))
        result = await asyncio.shield(self._execute(call, work_s))
        if fate.strikes("crashed_after") or fate.strikes("answer_lost"):
            return CallEnded(Lost(Failure("CONNECTION_CUT", "the answer was lost")))
        if isinstance(result, Succeeded) and fate.strikes("bad_output"):
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

        # In a context of its own: it is no part of the process that asked for it, and does not die with it.
        task = asyncio.get_running_loop().create_task(execution(), context=Context())
        self._running[task] = call
        task.add_done_callback(self._running.pop)
        return task


class SimulatedSender:
    """The port `WorkerSender`, over another one: every call is witnessed before it is sent."""

    def __init__(
        self, sender: WorkerSender, witness: Callable[[LambdaTransport | SqsTransport, AgentCall], None]
    ) -> None:
        """Send by `sender`."""
        self._sender = sender
        self._witness = witness

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Do what `send` does, for every other attempt."""
        return posted_by(self, target, call)

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Put one attempt on the worker's queue; see the port."""
        self._witness(target, call)
        return await self._sender.send(target, call)

    async def close(self) -> None:
        """Release what it sends by."""
        await self._sender.close()


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
            late_s = self._fate.between(1, 60) if self._fate.strikes("worker_late") else self._fate.between(0, 0.2)
            self._queues.put(self._reply_queue, body, delay_ms=round(late_s * 1_000))
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


def decode_reply(text: str) -> AgentReply | UnreadableReply:
    """Return the reply that a text stands for."""
    reply = json.loads(text)
    if "key" not in reply:
        return UnreadableReply(Failure("BAD_REPLY", "this is no reply"), reply)
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
