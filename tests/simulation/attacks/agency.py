"""The victim: the real runtime and wire on virtual time, with agents that may be bribed and a witness at their door.

The witness reads what really left the process, as JSON, whatever the workflow says of itself afterwards; `bounds.py`
holds it against the bounds of the one request that was made.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias

from jada_orchestrator.domain.catalogue import Catalogue, LambdaTransport, SqsTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import (
    ActionName,
    IdempotencyKey,
    RequestId,
    TaskId,
    Tenant,
    WorkflowId,
    workflow_id_of,
)
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.workflow import TERMINAL, Status, Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import Tunables, Wire, World
from jada_orchestrator.testing.aws import FakeQueues
from jada_orchestrator.testing.catalogues import STRING, action, catalogue, record, travel_catalogue
from jada_orchestrator.testing.journal import MemoryJournal, MemoryStore
from jada_orchestrator.testing.planner import AnswerOf, ScriptedPlanner
from jada_orchestrator.testing.quiet import QuietLog, QuietWatcher
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents
from jada_orchestrator.testing.virtual_time import VirtualClock
from jada_orchestrator.wire import outcomes, replies, requests, tasks

CUSTOMER: Final = "c-118"
REQUEST: Final[JsonObject] = {
    "schema": "jada.request/1",
    "request_id": "web-1",
    "text": f"A room and a seat in Lisbon for customer {CUSTOMER}, under 300 USD.",
    "booking": {"customer_id": CUSTOMER},
    "constraints": {"max_total": {"amount": "300.00", "currency": "USD"}},
}
WORKFLOW: Final = workflow_id_of(RequestId("web-1"))

REPLIES: Final = "replies"
_WORKERS: Final = {"checks": "jada-checks", "mail": "jada-mail", "post": "jada-post"}
_PATIENCE_S: Final = 48 * 3600.0
_LOOK_S: Final = 5.0
_LOOK_S_MAX: Final = 300.0
_WAITING: Final = frozenset({Status.NEEDS_CLARIFICATION, Status.AWAITING_APPROVAL})

Work: TypeAlias = Callable[[], JsonObject]
"""Does what was asked for, and returns the honest reply."""
Bribe: TypeAlias = Callable[[AgentCall, Work], JsonObject | bytes]
"""What a function does and answers instead: another reply, or the payload as it is."""
WorkerBribe: TypeAlias = Callable[[AgentCall, JsonObject], list[str]]
"""The messages that a worker puts on the reply queue instead of its honest reply."""


def guarded_catalogue() -> Catalogue:
    """Return the catalogue of most tests with the sources of whatever could be turned against somebody, and two more.

    people.profile   read    customer_id -> name, email, note?
    post.send        commit  to, text -> message_id; irreversible; an SQS worker
    """
    travel = travel_catalogue()
    paid = ("quotes.add.total", "rooms.hold.total", "seats.hold.total")
    authorization = ("cards.authorize.authorization_id",)
    sources: dict[str, dict[str, tuple[str, ...]]] = {
        "rooms.cancel": {"booking_ids": ("user",)},
        "rooms.release": {"hold_id": ("rooms.hold.hold_id",)},
        "rooms.book": {"hold_id": ("rooms.hold.hold_id",), "authorization_id": authorization},
        "cards.authorize": {"amount": (*paid, "const")},
        "cards.capture": {"authorization_id": authorization, "amount": (*paid, "cards.authorize.amount", "const")},
        "cards.void": {"authorization_id": authorization},
        "cards.refund": {"capture_ids": ("user",)},
        "mail.send": {"text": ("user", "const")},
        "people.profile": {"customer_id": ("user",)},
        "post.send": {"to": ("user", "people.profile.email"), "text": ("user", "const")},
    }
    profile = record({"name": STRING, "email": STRING}, {"note": STRING})
    more = (
        action("people.profile", input=record({"customer_id": STRING}), output=profile),
        action(
            "post.send",
            "commit",
            input=record({"to": STRING, "text": STRING}),
            output=record({"message_id": STRING}),
            irreversible=True,
        ),
    )
    guarded = (replace(one, sources=sources.get(one.name, {})) for one in (*travel.actions.values(), *more))
    return catalogue(*guarded, transports={agent: SqsTransport(queue) for agent, queue in _WORKERS.items()})


@dataclass(frozen=True, slots=True)
class Sent:
    """A task as an agent got it."""

    workflow_id: str
    request_id: str
    task_id: str
    attempt: int
    key: str
    action: str
    input: JsonObject

    @classmethod
    def read(cls, text: str) -> Sent:
        """Read a task's own text."""
        body = json.loads(text)
        names = ("workflow_id", "request_id", "task_id", "attempt", "idempotency_key", "action", "input")
        return cls(*(body[name] for name in names))


class Agency:
    """Queues, agents, planner and store, and one process that lives until the request has come to rest.

    `bribes` are by action (lookups are actions, too), `worker_bribes` as well; `says` is the control message that comes
    whenever the booking waits for people.
    """

    def __init__(
        self,
        plan: AnswerOf,
        *,
        bribes: Mapping[str, Bribe],
        worker_bribes: Mapping[str, WorkerBribe],
        request: JsonObject,
        says: JsonObject | None = None,
    ) -> None:
        """Open everything; inside a virtual loop."""
        self.clock = VirtualClock(asyncio.get_running_loop())
        self.catalogue = guarded_catalogue()
        self.planner = ScriptedPlanner(plan)
        self.agents = SimulatedAgents(self.clock.now)
        self.store = MemoryStore()
        self.sent: list[Sent] = []
        self.log = QuietLog()
        self._bribes = bribes
        self._worker_bribes = worker_bribes
        self._request = request
        self._says = says
        self._queues = FakeQueues(self.clock)
        self._queues.create("requests", "outcomes", "dead-letters", REPLIES, *_WORKERS.values())

    async def run(self) -> None:
        """Send the request and run a process until the request rests: ended, or waiting for a person."""
        world = self._world()
        await world.journal.open()
        self._queues.put("requests", json.dumps(self._request))
        running: list[asyncio.Task[Any]] = [asyncio.create_task(Orchestrator(world, self._tunables()).run())]
        running += [asyncio.create_task(self._work(queue)) for queue in _WORKERS.values()]
        look_s = _LOOK_S
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while self.workflow is None or self.workflow.status not in self._resting():
                    if self.workflow is not None and self.workflow.status in _WAITING:
                        about = {"schema": "jada.control/1", "request_id": self._request["request_id"]}
                        self._queues.put("requests", json.dumps({**about, **(self._says or {})}))
                    await asyncio.sleep(look_s)
                    look_s = min(1.2 * look_s, _LOOK_S_MAX)  # some undo for hours, with hundreds of records
                await asyncio.sleep(_LOOK_S)  # a moment more, for what should not come
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def _resting(self) -> frozenset[Status]:
        return TERMINAL | _WAITING if self._says is None else TERMINAL

    @property
    def workflow(self) -> Workflow | None:
        """The one workflow, as the store has it."""
        stored = self.store.workflows.get(WORKFLOW)
        return fold(stored.workflow_id, stored.entries) if stored is not None else None

    @property
    def workflows(self) -> list[WorkflowId]:
        """All workflows that there are."""
        return list(self.store.workflows)

    # --- Functions: the port `FunctionCaller` ---------------------------------------------------------------------

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Let a function answer, honestly or bribed; the wire reads the payload."""
        del target
        self.sent.append(Sent.read(tasks.encode(call, reply_to=None)))
        await asyncio.sleep(0.05)
        work, bribe = partial(self._reply, call), self._bribes.get(call.action)
        answer = work() if bribe is None else bribe(call, work)
        return replies.read_payload(answer if isinstance(answer, bytes) else json.dumps(answer).encode(), call)

    async def close(self) -> None:
        """Do nothing."""

    # --- Workers --------------------------------------------------------------------------------------------------

    async def _work(self, queue: str) -> None:
        source = self._queues.source(queue)
        while True:
            for delivery in await source.receive(10):
                call = _call_of(delivery.message.body)
                self.sent.append(Sent.read(delivery.message.body))
                honest = self._reply(call)
                bribe = self._worker_bribes.get(call.action)
                for message in [json.dumps(honest)] if bribe is None else bribe(call, honest):
                    self._queues.put(REPLIES, message)
                await source.delete([delivery])

    def _reply(self, call: AgentCall) -> JsonObject:
        reply: JsonObject = {
            "schema": "jada.reply/1",
            "workflow_id": call.workflow_id,
            "task_id": call.task_id,
            "attempt": call.attempt,
            "idempotency_key": call.idempotency_key,
        }
        if call.action == "people.profile":
            output = {"name": "Ann", "email": "ann@example.org", "note": "none"}
            return {**reply, "status": "succeeded", "output": output}
        try:
            return {**reply, "status": "succeeded", "output": self.agents.do(call)}
        except AgentRefusal as refusal:
            error = {"code": refusal.code, "message": "no", "retryable": refusal.retryable}
            return {**reply, "status": "failed", "error": error}

    # --- The process ----------------------------------------------------------------------------------------------

    def _world(self) -> World:
        return World(
            journal=MemoryJournal(self.store),
            planner=self.planner,
            functions=self,
            workers=self._queues.workers(partial(tasks.encode, reply_to=REPLIES)),
            requests=self._queues.source("requests"),
            replies=self._queues.source(REPLIES),
            outcomes=self._queues.outcomes("dead-letters"),
            clock=self.clock,
            log=self.log,
            watcher=QuietWatcher(),
            wire=Wire(
                parse_request=lambda message, model: requests.parse(message, model=model),
                parse_reply=replies.parse,
                encode_outcome=partial(outcomes.encode, source="jada"),
            ),
        )

    def _tunables(self) -> Tunables:
        return Tunables(
            catalogue=self.catalogue,
            model="model-1",
            outcome_queue="outcomes",
            reply_to_allowed=frozenset(),
            calls_in_flight_max=50,
            workflows_in_flight_max=10,
            receivers=2,
            drain_ms=1_000,
        )


def _call_of(text: str) -> AgentCall:
    """Return the call that a worker sees in its task."""
    body: dict[str, Any] = json.loads(text)
    deadline = parse_instant(body["deadline"])
    return AgentCall(
        workflow_id=WorkflowId(body["workflow_id"]),
        request_id=RequestId(body["request_id"]),
        tenant=Tenant(body["tenant"]),
        task_id=TaskId(body["task_id"]),
        attempt=body["attempt"],
        idempotency_key=IdempotencyKey(body["idempotency_key"]),
        action=ActionName(body["action"]),
        input=body["input"],
        deadline=deadline,
        timeout_ms=1,
        model=None,
        traceparent=None,
    )
