"""Drives one workflow through `step`, with simulated agents that keep books, and mishaps by order.

After every event the laws are audited, and the fold of all entries is compared with the state that grew one by one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult, Purpose, Side
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import OutcomeId, TaskId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry, Record
from jada_orchestrator.domain.request import BookingRequest, Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Call, Task, Workflow
from jada_orchestrator.engine import fold, step
from jada_orchestrator.engine.audit import breaches, breaches_near
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.keys import attempt_key, call_key, terms_of_call
from jada_orchestrator.engine.outstanding import next_instant
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.testing.catalogues import as_text, request, travel_catalogue
from jada_orchestrator.testing.simulated_agents import SimulatedAgents

START: Final = UtcMs(1_800_000_000_000)
USAGE: Final = Usage(input_tokens=10, output_tokens=5, usd="0.01")
MESSAGE: Final = Message("the body", {"traceparent": "00-1"})
ROUNDS_MAX: Final = 3_000
REFOLDED_MAX: Final = 200
"""Entries up to which everything is folded anew after each event; longer stories only at their end."""


@dataclass(frozen=True, slots=True)
class DoneButLost:
    """The agent does it, and its answer is lost."""


@dataclass(frozen=True, slots=True)
class Silent:
    """The attempt never ends by itself; only its deadline ends it."""


Mishap: TypeAlias = AttemptResult | DoneButLost | Silent
DONE_BUT_LOST: Final = DoneButLost()
SILENT: Final = Silent()
LOST: Final = e.Lost(Failure("CUT", "cut off"))
BUSY: Final = e.Failed(Failure("BUSY", "busy"), retryable=True, answered=True)
SOLD_OUT: Final = e.Failed(Failure("SOLD_OUT", "sold out"), retryable=False, answered=True)
"""Another plan could get round this one; round the next none can."""
IMPOSSIBLE: Final = e.Failed(Failure("IMPOSSIBLE", "it cannot be done"), retryable=False, answered=True)
THROTTLED: Final = e.Failed(Failure("THROTTLED", "throttled"), retryable=True, answered=False)


def found(state: str, output: object = None, code: str | None = None) -> e.Succeeded:
    """What a lookup answers."""
    answer: JsonObject = {"state": state}
    if output is not None:
        answer["output"] = output
    if code is not None:
        answer["error"] = {"code": code, "message": "says the agent"}
    return e.Succeeded(answer)


class Driver:
    """One workflow, its clock, and the world that answers it.

    Mishaps are ordered by the name of the call that they befall: ``hold``, ``undo hold``, ``lookup hold``,
    ``lookup undo hold``; each call takes the next one of its name, and is answered truly when there is none.
    """

    def __init__(self, *, booking: BookingRequest | None = None, catalogue: Catalogue | None = None) -> None:
        self.catalogue = catalogue if catalogue is not None else travel_catalogue()
        self.request = booking if booking is not None else request()
        self.workflow = Workflow(workflow_id_of(self.request.request_id))
        self.now = START
        self.entries: list[Entry] = []
        self.commits: list[int] = []
        """How many entries were durable after each event that led to any."""
        self.agents = SimulatedAgents(lambda: self.now)
        self.waves: list[set[str]] = []
        """What was in flight at once, by name, each time that something was answered."""
        self.calls: list[AgentCall] = []
        """Every attempt that went out, in order."""
        self._mishaps: dict[str, deque[Mishap]] = {}

    # --- Events -------------------------------------------------------------------------------------------------

    def feed(self, event: e.Event) -> list[Record]:
        """Step through an event; return the new records."""
        entries = step(self.workflow, event, self.now, self.catalogue)
        self.entries += entries
        if entries:
            self.commits.append(len(self.entries))
        assert breaches(self.workflow) == []
        assert breaches_near(self.workflow, [entry.record for entry in entries]) == []
        if len(self.entries) < REFOLDED_MAX or self.workflow.is_terminal:
            assert fold(self.workflow.workflow_id, self.entries) == self.workflow
        return [entry.record for entry in entries]

    def arrive(self, booking: BookingRequest | None = None, digest: str = "d1") -> list[Record]:
        """Have the request arrive."""
        return self.feed(e.RequestArrived(booking or self.request, digest, MESSAGE, "model-1"))

    def propose(self, proposal: JsonObject | str, call: int | None = None) -> list[Record]:
        """Have the planner answer the open question."""
        text = proposal if isinstance(proposal, str) else as_text(proposal)
        number = self.workflow.planning.call if call is None else call
        return self.feed(e.ProposalReceived(number, text, "model-1", USAGE, 1_000, 100))

    def fail_planning(
        self, kind: e.PlannerFailureKind, *, retry_after_ms: int | None = None, call: int | None = None
    ) -> list[Record]:
        """Have the open question fail."""
        number = self.workflow.planning.call if call is None else call
        failure = Failure("MODEL", f"the model: {kind}")
        return self.feed(e.PlannerFailed(number, kind, failure, retry_after_ms, "model-1", USAGE))

    def control(self, command: str, text: str = "") -> list[Record]:
        """Have a person say something."""
        return self.feed(e.ControlArrived(command, "ann", text))  # type: ignore[arg-type] # a word of the contract's

    def grant(self, task_id: str, side: Side = "do") -> list[Record]:
        """Grant a slot, and note the attempt that goes out by it."""
        records = self.feed(e.SlotGranted(TaskId(task_id), side))
        if (TaskId(task_id), side) in self.workflow.active:
            self.calls.append(self.call_of(task_id, side))
        return records

    def end(
        self,
        task_id: str,
        result: AttemptResult,
        side: Side = "do",
        *,
        purpose: Purpose | None = None,
        number: int | None = None,
        usage: Usage | None = None,
    ) -> list[Record]:
        """End the attempt in flight, or another one."""
        call = self.call(task_id, side)
        return self.feed(
            e.AttemptEnded(
                TaskId(task_id),
                side,
                call.purpose if purpose is None else purpose,
                call.number if number is None else number,
                self.task(task_id).planned.revision,
                result,
                usage,
            )
        )

    def tick(self, to: int | None = None) -> list[Record]:
        """Let time pass to an instant, or to the next one that the workflow waits for, and fire its timer."""
        instant = next_instant(self.workflow) if to is None else to
        assert instant is not None, "nothing is waited for"
        self.now = UtcMs(max(self.now, instant))
        return self.feed(e.TimerFired())

    def resume(self) -> list[Record]:
        """Kill the process, and begin anew on what is durable."""
        self.workflow = fold(self.workflow.workflow_id, deepcopy(self.entries))
        return self.feed(e.Resumed())

    # --- What there is --------------------------------------------------------------------------------------------

    def task(self, task_id: str) -> Task:
        return self.workflow.tasks[TaskId(task_id)]

    def call(self, task_id: str, side: Side = "do") -> Call:
        return self.task(task_id).call(side)

    def call_of(self, task_id: str, side: Side = "do") -> AgentCall:
        """Return the attempt in flight as the agent gets it."""
        task = self.task(task_id)
        call = task.call(side)
        terms = terms_of_call(self.workflow, task, side, call.purpose)
        lookup = call.purpose == "lookup"
        return AgentCall(
            workflow_id=self.workflow.workflow_id,
            request_id=self.request.request_id,
            tenant=self.request.tenant,
            task_id=TaskId(task_id),
            attempt=1 if lookup else call.number,
            idempotency_key=attempt_key(self.workflow, task, side, call.purpose, call.number),
            action=terms.action,
            input={"idempotency_key": call_key(self.workflow, task, side)} if lookup else call.input or {},
            deadline=call.deadline,
            timeout_ms=max(0, call.deadline - self.now),
            model=None,
            traceparent=None,
        )

    def names(self, side: str) -> list[str]:
        """Return the task ids of the calls that went out for one side, lookups left out, in order."""
        lookups = {action for action in self.catalogue.actions if action.endswith(".lookup")}
        undoing = {str(task.terms.compensate.action) for task in self.workflow.tasks.values() if task.terms.compensate}
        return [
            call.task_id
            for call in self.calls
            if call.action not in lookups and (call.action in undoing) is (side == "undo")
        ]

    def told(self) -> list[str]:
        """Return the types of the outcomes, in order."""
        return [outcome.type for outcome in self.workflow.outcomes]

    def standing(self) -> list[str]:
        """Return the actions whose effects stand in the agents' books."""
        return sorted(effect.action for effect in self.agents.books.standing(self.workflow.workflow_id))

    # --- Running -------------------------------------------------------------------------------------------------

    def mishap(self, name: str, *mishaps: Mishap) -> None:
        """Let the next attempts of this name end so, one each."""
        self._mishaps.setdefault(name, deque()).extend(mishaps)

    def begin(self, proposal: JsonObject) -> Driver:
        """Accept the request and adopt a plan."""
        self.arrive()
        self.propose(proposal)
        assert self.workflow.plan is not None, self.workflow.planning.exchanges
        return self

    def run(self, *, until: Iterable[str] | str | None = None) -> Driver:
        """Answer everything, and let time pass when nothing is in flight, until the end.

        With `until`, stop as soon as a call of one of these names is in flight (it is then not answered).
        """
        stops = {until} if isinstance(until, str) else set(until or ())
        silent: set[str] = set()
        for _ in range(ROUNDS_MAX):
            if self._ended():
                return self
            self.grant_all()
            if self._ended():
                return self  # an input that cannot be made ends a task at its grant
            in_flight = {self._name(task_id, side): (task_id, side) for task_id, side in self.workflow.active}
            if stops & in_flight.keys():
                return self
            waiting = [name for name in in_flight if name not in silent]
            if not waiting:
                if next_instant(self.workflow) is None:
                    raise AssertionError(f"nothing can ever happen again in {self.workflow.status.value}")
                self.tick()
                silent.clear()
                continue
            self.waves.append(set(waiting))
            for name in waiting:
                if self._answer(name, *in_flight[name]):
                    silent.add(name)
        raise AssertionError(f"no end after {ROUNDS_MAX} rounds: {self.workflow.status.value}")

    def _ended(self) -> bool:
        return self.workflow.is_terminal

    def advance(self) -> Driver:
        """Grant every slot, then answer the first call in flight, or let time pass where there is none."""
        self.grant_all()
        if self.workflow.active:
            task_id, side = next(iter(self.workflow.active))
            self._answer(self._name(task_id, side), task_id, side)
        else:
            self.tick()
        return self

    def run_until_quiet(self) -> Driver:
        """Answer everything as long as anything is in flight, and let no time pass."""
        for _ in range(ROUNDS_MAX):
            self.grant_all()
            if not self.workflow.active:
                return self
            for task_id, side in list(self.workflow.active):
                self._answer(self._name(task_id, side), task_id, side)
        raise AssertionError("something is in flight for ever")

    def grant_all(self) -> None:
        """Grant a slot to every call that may go, as long as there are any."""
        for _ in range(ROUNDS_MAX):
            ref = next((ref for ref, _ in claimable(self.workflow)), None)
            if ref is None:
                return
            self.grant(*ref)
        raise AssertionError("slots are granted for ever")

    def _name(self, task_id: str, side: Side) -> str:
        words = [task_id]
        if side == "undo":
            words.insert(0, "undo")
        if self.call(task_id, side).purpose == "lookup":
            words.insert(0, "lookup")
        return " ".join(words)

    def _answer(self, name: str, task_id: TaskId, side: Side) -> bool:
        """Answer a call in flight; return whether it stays silent."""
        if (task_id, side) not in self.workflow.active:
            return False  # an answer before this one ended it
        ordered = self._mishaps.get(name)
        mishap = ordered.popleft() if ordered else None
        if isinstance(mishap, Silent):
            return True
        if mishap is None or isinstance(mishap, DoneButLost):
            output = self.agents.do(self.call_of(task_id, side))
            result: AttemptResult = LOST if mishap is not None else e.Succeeded(output)
        else:
            result = mishap
        self.now = UtcMs(self.now + 1)
        self.end(task_id, result, side)
        return False

    def deliver(self) -> None:
        """Have every outcome and dead letter taken."""
        for outcome in self.workflow.outcomes:
            self.feed(e.OutcomePublished(OutcomeId(outcome.outcome_id)))
        self.feed(e.DeadLettered())


def begun(proposal: JsonObject, **changed: object) -> Driver:
    """A driver whose plan is adopted; `changed` replaces constraints of the request."""
    booking = request()
    constraints = replace(booking.constraints, **changed)  # type: ignore[arg-type] # names of fields, checked by replace
    return Driver(booking=replace(booking, constraints=constraints)).begin(proposal)
