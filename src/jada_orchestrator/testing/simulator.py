"""The simulator: the real runtime and engine in a world that goes wrong, on virtual time, replayable by its seed.

One seed draws a world: requests (some doubled, some in conflict, some cancelled), agents that fail, crash, answer
twice, late or not at all, queues and a journal that fail, a planner that errs, a process that is killed at any await
and begun again on what was durable, a clock that jumps. After a while the world is well, and everything must come to
its end. Then the books are read, and the laws checked.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

from jada_orchestrator.domain.documents import JsonObject, digest_of
from jada_orchestrator.domain.events import ControlArrived, RequestArrived
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import RequestId, Tenant, WorkflowId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import LOOKUP_SAFETY_MS
from jada_orchestrator.domain.records import AttemptStarted, Entry, OutcomeType
from jada_orchestrator.domain.request import BookingRequest, Constraints, Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.engine import fold, outstanding
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.engine.keys import attempt_key
from jada_orchestrator.engine.outcomes import standing_effects
from jada_orchestrator.engine.story import tell_entry
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.journal import JournalError
from jada_orchestrator.ports.planner import PlannerError, PlannerQuestion
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import ParsedRequest, Tunables, Wire, World
from jada_orchestrator.testing.aws import FakeQueues, QueueFault
from jada_orchestrator.testing.catalogues import Ref, money, proposal, task, travel_catalogue, travel_proposal
from jada_orchestrator.testing.journal import MemoryJournal, MemoryStore
from jada_orchestrator.testing.planner import ScriptedPlanner
from jada_orchestrator.testing.quiet import QuietLog, QuietWatcher
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents
from jada_orchestrator.testing.simulated_network import (
    Fate,
    Odds,
    SimulatedFunctions,
    SimulatedWorker,
    decode_reply,
    encode_task,
)
from jada_orchestrator.testing.virtual_time import VirtualClock, run_virtually

REQUESTS: Final = "requests"
REPLIES: Final = "replies"
OUTCOMES: Final = "outcomes"
DEAD_LETTERS: Final = "dead-letters"
PATIENCE_S: Final = 2 * 86_400.0
"""Virtual time after which a booking that has not ended is held to be stranded."""


@dataclass(slots=True)
class Report:
    """What a run came to. `broken` holds a sentence for every law that did not hold."""

    seed: int
    broken: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    mishaps: Counter[str] = field(default_factory=Counter)
    kills: int = 0
    virtual_s: float = 0.0
    stories: dict[WorkflowId, list[str]] = field(default_factory=dict)
    """The story of every workflow that a broken law names."""


def simulate(seed: int, odds: Odds | None = None, *, bookings: int = 4) -> Report:
    """Run one seed to its end and check the laws. Deterministic: the same seed and code give the same report."""
    return run_virtually(_Simulation(seed, odds or Odds(), bookings).run())


class _Simulation:
    """One run."""

    def __init__(self, seed: int, odds: Odds, bookings: int) -> None:
        self._seed = seed
        self._odds = odds
        self._bookings = bookings
        self._store = MemoryStore()
        self._catalogue = travel_catalogue()
        self._requests: dict[str, BookingRequest] = {}
        self._report = Report(seed)

    async def run(self) -> Report:
        loop = asyncio.get_running_loop()
        self._clock = VirtualClock(loop)
        self._fate = Fate(self._seed, self._odds, self._clock)
        self._agents = SimulatedAgents(self._clock.now, self._refuse, self._hold_ms)
        self._queues = FakeQueues(self._clock, fault=self._queue_fault)
        self._queues.create(REQUESTS, REPLIES, OUTCOMES, DEAD_LETTERS, "jada-checks", "jada-mail")
        self._functions = SimulatedFunctions(self._agents, self._fate, self._witness)
        workers = [
            loop.create_task(
                _keep_running(SimulatedWorker(self._agents, self._fate, self._queues, self._clock, q, REPLIES))
            )
            for q in ("jada-checks", "jada-mail")
        ]
        frontends = loop.create_task(self._send_requests())
        try:
            await self._live()
        finally:
            for background in (*workers, frontends):
                background.cancel()
        await self._functions.settle()
        self._report.virtual_s = loop.time()
        self._report.mishaps = self._fate.drawn
        self._check()
        return self._report

    # --- The process, again and again -----------------------------------------------------------------------------

    async def _live(self) -> None:
        """Run the orchestrator, kill it now and then, and let the last one come to rest."""
        loop = asyncio.get_running_loop()
        kills = self._fate.random.randint(0, self._odds.kills_per_run) if self._odds.kills_per_run else 0
        for _ in range(kills):
            process = loop.create_task(self._process())
            await asyncio.sleep(self._fate.between(0, 20) ** 2 / 20)
            process.cancel()
            with suppress(asyncio.CancelledError, JournalError):
                await process
            self._store.kill_holder()
            self._report.kills += 1
            if self._fate.strikes("clock_jump"):
                self._clock.skew_ms += self._fate.random.randint(-30_000, LOOKUP_SAFETY_MS - 500)
            await asyncio.sleep(self._fate.between(0, 5))
        process = loop.create_task(self._process())
        give_up_at = loop.time() + PATIENCE_S
        while loop.time() < give_up_at and not process.done() and not self._at_rest():
            await asyncio.sleep(5)
        process.cancel()
        with suppress(asyncio.CancelledError):
            await process

    def _at_rest(self) -> bool:
        if not self._fate.is_calm or len(self._requests) < self._bookings or self._queues.messages(REQUESTS):
            return False
        return not self._queues.messages(REPLIES) and all(stored.head.done for stored in self._store.workflows.values())

    async def _process(self) -> None:
        journal = MemoryJournal(self._store)
        await journal.open()
        world = World(
            journal=journal,
            planner=ScriptedPlanner(self._plan),
            functions=self._functions,
            workers=self._queues.workers(encode_task),
            requests=self._queues.source(REQUESTS),
            replies=self._queues.source(REPLIES),
            outcomes=self._queues.outcomes(DEAD_LETTERS),
            clock=self._clock,
            log=QuietLog(),
            watcher=QuietWatcher(),
            wire=Wire(parse_request=self._parse, parse_reply=decode_reply, encode_outcome=_encode_outcome),
        )
        tunables = Tunables(
            catalogue=self._catalogue,
            model="simulated-model",
            outcome_queue=OUTCOMES,
            reply_to_allowed=frozenset({OUTCOMES}),
            calls_in_flight_max=20,
            workflows_in_flight_max=100,
            receivers=2,
            drain_ms=10_000,
        )
        await Orchestrator(world, tunables).run()

    # --- The world around it --------------------------------------------------------------------------------------

    async def _send_requests(self) -> None:
        fate = self._fate
        for number in range(self._bookings):
            await asyncio.sleep(fate.between(0, 10))
            request = self._request(number)
            self._requests[request.request_id] = request
            self._put_request(request, "")
            if fate.strikes("doubled_request"):
                self._put_request(request, "")
            if fate.strikes("conflicting_request"):
                self._put_request(request, " other")
            if fate.strikes("cancel"):
                body = json.dumps({"cancel": request.request_id})
                self._queues.put(REQUESTS, body, delay_ms=round(fate.between(0, 20_000)))

    def _request(self, number: int) -> BookingRequest:
        fate = self._fate.random
        return BookingRequest(
            request_id=RequestId(f"sim-{number}"),
            tenant=Tenant(fate.choice(["acme", "globex"])),
            text=fate.choice(["whole", "whole", "room", "optional", "irreversible"]),
            booking=None,
            constraints=Constraints(max_total=money(fate.choice([None, "1000.00 USD", "150.00 USD"]))),
            ordering_key=fate.choice([None, None, "customer-1"]),
            priority=fate.randint(0, 9),
            reply_to=None,
        )

    def _put_request(self, request: BookingRequest, suffix: str) -> None:
        self._queues.put(REQUESTS, json.dumps({"request": request.request_id, "text": request.text + suffix}))

    def _parse(self, message: Message, model: str) -> ParsedRequest:
        body = json.loads(message.body)
        if "cancel" in body:
            return RequestId(body["cancel"]), ControlArrived("cancel", "a frontend")
        request = replace(self._requests[body["request"]], text=body["text"])
        return RequestArrived(request, digest_of(body), message, model)

    def _plan(self, question: PlannerQuestion) -> JsonObject:
        fate = self._fate
        if fate.strikes("planner"):
            kind = fate.random.choice(["wait", "wait", "stopped", "bad_answer"])
            raise PlannerError(kind, Failure("SIMULATED", "the model is not well"), usage=Usage(usd="0.01"))  # type: ignore[arg-type]
        if fate.strikes("bad_plan"):
            return proposal(task("one", "rooms.unheard_of"))
        return plan_for(question.request.text.split()[0])

    def _refuse(self, call: AgentCall) -> None:
        if call.action.rpartition(".")[2] in {"release", "void", "cancel", "refund", "tear"}:
            if self._fate.strikes("refused"):
                raise AgentRefusal("BUSY", retryable=True)
            return
        if self._fate.strikes("refused"):
            raise AgentRefusal("BUSY", retryable=True)
        if self._fate.strikes("refused_for_good"):
            raise AgentRefusal("SOLD_OUT")

    def _hold_ms(self) -> int:
        return round(self._fate.between(500, 4_000)) if self._fate.strikes("short_hold") else 900_000

    def _queue_fault(self, queue: str, operation: str) -> QueueFault | None:
        del operation
        if queue in {"jada-checks", "jada-mail"} or not self._fate.strikes("queue"):
            return None
        return QueueFault(done=self._fate.random.random() < 0.5)

    def _witness(self, call: AgentCall) -> None:
        """Law 1: whatever leaves the process is justified by a record that is durable already."""
        stored = self._store.workflows.get(call.workflow_id)
        started = stored is not None and any(
            isinstance(entry.record, AttemptStarted) and entry.record.task_id == call.task_id
            for entry in stored.entries
        )
        if not started:
            self._report.broken.append(f"{call.task_id} left the process before its AttemptStarted was durable")
        if self._fate.strikes("journal"):
            self._store.faults.append(self._fate.random.choice(["before", "after"]))

    # --- The laws -------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        books = self._agents.books
        self._report.broken += [f"doubled: {what}" for what in books.doubled]
        self._report.broken += [f"two inputs under one key: {what}" for what in books.changed_inputs]
        told = self._told()
        for request_id in self._requests:
            self._check_workflow(workflow_id_of(RequestId(request_id)), told.get(request_id, {}))
        for queue in (REQUESTS, REPLIES):
            if self._queues.messages(queue):
                self._report.broken.append(f"{len(self._queues.messages(queue))} messages are left in {queue}")

    def _told(self) -> dict[str, dict[str, str]]:
        """Return by request what its frontend was told: outcome id -> type."""
        told: dict[str, dict[str, str]] = {}
        for message in self._queues.messages(OUTCOMES):
            body = json.loads(message.body)
            told.setdefault(body["request_id"], {})[body["id"]] = body["type"]
        return told

    def _check_workflow(self, workflow_id: WorkflowId, told: dict[str, str]) -> None:
        stored = self._store.workflows.get(workflow_id)
        entries = stored.entries if stored is not None else ()
        broken = list(self._breaches(workflow_id, entries, told)) if entries else ["it was never accepted"]
        if broken:
            self._report.broken += [f"{workflow_id}: {sentence}" for sentence in broken]
            self._report.stories[workflow_id] = [_line(entry) for entry in entries]

    def _breaches(self, workflow_id: WorkflowId, entries: tuple[Entry, ...], told: dict[str, str]) -> list[str]:
        workflow = fold(workflow_id, entries)
        broken = breaches(workflow)
        if workflow.quarantined is not None:
            broken.append(f"it was set aside: {workflow.quarantined}")
        if not workflow.is_done:
            left = [str(command) for command in outstanding(workflow)]
            return [*broken, f"it did not come to its end: {workflow.status.value}, outstanding {left}"]
        own = {outcome.outcome_id for outcome in workflow.outcomes}
        final = [outcome for outcome, kind in told.items() if outcome in own and kind == workflow.terminal]
        if len(final) != 1:
            broken.append(f"its frontend was told of {len(final)} endings as {workflow.terminal}: {told}")
        self._report.outcomes[str(workflow.terminal)] += 1
        standing = self._agents.books.standing(workflow_id)
        if workflow.terminal == "completed":
            done = {key: t for t in workflow.tasks.values() if (key := attempt_key(workflow, t, "do", "call", 1))}
            wanted = {key for key, t in done.items() if t.terms.effect != "read" and t.status == "succeeded"}
            really = {effect.key for effect in standing}
            if wanted != really:
                broken.append(f"it is completed, but stands with {really ^ wanted} too many or too few")
        else:
            named = {
                attempt_key(workflow, workflow.tasks[s["task_id"]], "do", "call", 1) for s in standing_effects(workflow)
            }
            left_over = [effect.action for effect in standing if effect.key not in named]
            if left_over:
                broken.append(f"it ended as {workflow.terminal}, but {left_over} stand and nobody says so")
        return [*broken, *self._check_money(workflow_id)]

    def _check_money(self, workflow_id: WorkflowId) -> list[str]:
        stored = self._store.workflows[workflow_id]
        request = fold(workflow_id, stored.entries).request
        bound = request.constraints.max_total if request is not None else None
        standing = self._agents.books.standing(workflow_id)
        captured = sum(
            (Decimal(e.output["amount"]["amount"]) for e in standing if e.action == "cards.capture"), Decimal(0)
        )
        return [f"{captured} is captured, above {bound}"] if bound is not None and captured > bound.amount else []


async def _keep_running(worker: SimulatedWorker) -> None:
    await worker.run()


def _line(entry: Entry) -> str:
    return f"{entry.seq:4} {UtcMs(entry.at) / 1000:.3f} {type(entry.record).__name__}: {tell_entry(entry).message}"


def _encode_outcome(outcome_id: str, outcome_type: OutcomeType, at: UtcMs, content: JsonObject) -> str:
    return json.dumps({"id": outcome_id, "type": outcome_type, "time": at, "request_id": content["request_id"]})


def plan_for(kind: str) -> JsonObject:
    """Return the proposal for a kind of simulated request."""
    if kind == "room":
        return proposal(
            task("rooms", "trips.search", city="Lisbon"),
            task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
            task("authorize", "cards.authorize", amount=Ref("hold.total")),
            task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("authorize.authorization_id")),
            result={"booking": "book.booking_id"},
        )
    if kind == "optional":
        base = plan_for("room")
        base["tasks"].append(task("extra", "trips.search", city="Porto", optional=True))
        base["tasks"].append(task("extra_hold", "seats.hold", optional=True, offer_id=Ref("extra.offers[0].offer_id")))
        base["tasks"][3]["after"] = ["extra_hold"]
        return base
    if kind == "irreversible":
        base = plan_for("room")
        base["tasks"].append(task("print", "tickets.print", booking_id=Ref("book.booking_id")))
        base["tasks"].append(task("mail", "mail.send", after=["print"], text="Booked."))
        return base
    return travel_proposal()
