"""The runtime on a virtual loop, between fakes: queues, functions, planner and a store in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from jada_orchestrator.domain.documents import digest_of_text
from jada_orchestrator.domain.events import ControlArrived, Failed, RequestArrived, RequestRefused, Succeeded
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.ids import IdempotencyKey, RequestId, TaskId, Tenant, WorkflowId, workflow_id_of
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.queues import AgentReply, UnreadableReply
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import ParsedRequest, Tunables, Wire, World
from jada_orchestrator.testing.aws import Answer, FakeFunctions, FakeQueues
from jada_orchestrator.testing.catalogues import request, travel_catalogue
from jada_orchestrator.testing.journal import MemoryJournal, MemoryStore
from jada_orchestrator.testing.planner import AnswerOf, ScriptedPlanner
from jada_orchestrator.testing.quiet import QuietLog, QuietWatcher
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents
from jada_orchestrator.testing.virtual_time import VirtualClock

REQUESTS: Final = "requests"
REPLIES: Final = "replies"
OUTCOMES: Final = "outcomes"
OWN: Final = "own-outcomes"
DEAD: Final = "dead-letters"
PATIENCE_S: Final = 3_600.0


class House:
    """Everything that outlives a process; `process` runs one."""

    def __init__(self, plan: AnswerOf) -> None:
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.store = MemoryStore()
        self.queues = FakeQueues(self.clock)
        self.queues.create(REQUESTS, REPLIES, OUTCOMES, OWN, DEAD, "jada-checks", "jada-mail")
        self.agents = SimulatedAgents(self.clock.now)
        self.functions = FakeFunctions()
        self.planner = ScriptedPlanner(plan, streams=True)
        self.log = QuietLog()
        self.watcher = QuietWatcher()
        self.catalogue = travel_catalogue()
        self.append_delay_s = 0.0
        for name in {agent.name for agent in self.catalogue.agents.values()}:
            self.functions.add(f"jada-{name}", self._answer)

    def _answer(self, call: AgentCall) -> Answer:
        try:
            return Succeeded(self.agents.do(call))
        except AgentRefusal as refusal:
            return Failed(Failure(refusal.code, "no"), retryable=refusal.retryable, answered=True)

    def world(self, **changed: Any) -> World:
        """The ports of one process."""
        world = World(
            journal=MemoryJournal(self.store, append_delay_s=self.append_delay_s),
            planner=self.planner,
            functions=self.functions,
            workers=self.queues.workers(encode_task),
            requests=self.queues.source(REQUESTS),
            replies=self.queues.source(REPLIES),
            outcomes=self.queues.outcomes(DEAD),
            clock=self.clock,
            log=self.log,
            watcher=self.watcher,
            wire=Wire(parse_request, parse_reply, encode_outcome),
        )
        return replace(world, **changed)

    def tunables(self, **changed: Any) -> Tunables:
        """The settings of one process."""
        settings = Tunables(
            catalogue=self.catalogue,
            model="model-1",
            outcome_queue=OUTCOMES,
            reply_to_allowed=frozenset({OWN}),
            calls_in_flight_max=20,
            workflows_in_flight_max=100,
            receivers=2,
            drain_ms=10_000,
        )
        return replace(settings, **changed)

    @asynccontextmanager
    async def process(self, world: World | None = None, **settings: Any) -> AsyncIterator[Orchestrator]:
        """Run a process; killed at the end, unless it has ended by then."""
        world = world if world is not None else self.world()
        await world.journal.open()
        orchestrator = Orchestrator(world, self.tunables(**settings))
        running = asyncio.create_task(orchestrator.run())
        try:
            yield orchestrator
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            self.store.kill_holder()

    # --- What the world does and sees -----------------------------------------------------------------------------

    def send(self, request_id: str = "web-1", **fields: object) -> None:
        """A frontend sends a request, or a word about one."""
        self.queues.put(REQUESTS, json.dumps({"id": request_id, **fields}))

    def outcomes(self, queue: str = OUTCOMES) -> list[tuple[str, str]]:
        """What frontends were told: request id and type, in order."""
        bodies = [json.loads(message.body) for message in self.queues.messages(queue)]
        return [(body["request_id"], body["type"]) for body in bodies]

    def durable(self, request_id: str = "web-1") -> Workflow | None:
        """The workflow as the store has it."""
        stored = self.store.workflows.get(workflow_id_of(RequestId(request_id)))
        return fold(stored.workflow_id, stored.entries) if stored is not None else None

    async def until(self, condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
        """Wait, on virtual time, until something is so."""
        async with asyncio.timeout(within_s):
            while not condition():  # noqa: ASYNC110 - virtual time: nobody waits, and nothing has to signal
                await asyncio.sleep(0.05)

    def calls(self) -> list[str]:
        """The actions that functions were called for, in order."""
        return [str(call.action) for _, call in self.functions.calls]

    def dead(self) -> list[str]:
        """The reasons of the dead letters."""
        return [message.attributes["jada-reason-code"] for message in self.queues.messages(DEAD)]


def parse_request(message: Message, model: str) -> ParsedRequest:
    """Read the tests' own format; what is no JSON is refused."""
    try:
        body = json.loads(message.body)
    except ValueError:
        fault = Fault("NOT_JSON", "", "it is no JSON")
        return RequestRefused(None, Tenant("default"), None, "NOT_JSON", (fault,), message)
    if "say" in body:
        return RequestId(body["id"]), ControlArrived(body["say"], "ann")
    arrived = replace(
        request(body.get("text", "room"), request_id=body["id"]),
        reply_to=body.get("reply_to"),
        ordering_key=body.get("key"),
        priority=body.get("priority", 5),
    )
    return RequestArrived(arrived, digest_of_text(message.body), message, model)


def encode_task(call: AgentCall) -> str:
    """Write a task, as the tests read it."""
    return json.dumps(
        {"workflow": call.workflow_id, "task": call.task_id, "attempt": call.attempt, "key": call.idempotency_key}
    )


def parse_reply(text: str) -> AgentReply | UnreadableReply:
    """Read a reply: a task's own text, with an output."""
    try:
        body = json.loads(text)
    except ValueError:
        return UnreadableReply(Failure("NOT_JSON", "it is no JSON"))
    return AgentReply(
        WorkflowId(body["workflow"]),
        TaskId(body["task"]),
        body["attempt"],
        IdempotencyKey(body["key"]),
        Succeeded(body["output"]),
    )


def encode_outcome(outcome_id: str, outcome_type: str, at: int, content: dict[str, Any]) -> str:
    """Write an outcome, as the tests read it."""
    return json.dumps({"id": outcome_id, "type": outcome_type, "at": at, "request_id": content["request_id"]})
