"""Bookings as a daemon would have left them in a store, made record by record."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.journal.opening import open_journal
from jada_orchestrator.domain.catalogue import Binding, Effect, RetryPolicy
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.ids import (
    ActionName,
    AgentName,
    CatalogueVersion,
    OutcomeId,
    RequestId,
    TaskId,
    Tenant,
    WorkflowId,
    refused_workflow_id_of,
    workflow_id_of,
)
from jada_orchestrator.domain.instants import UtcMs, parse_instant
from jada_orchestrator.domain.plan import Plan, PlannedTask, Terms
from jada_orchestrator.domain.records import (
    AttemptLost,
    AttemptStarted,
    ClarificationAsked,
    CompensationStarted,
    Entry,
    OutcomeDecided,
    OutcomeDelivered,
    PlanAdopted,
    PlannerAnswered,
    PlanningStarted,
    Record,
    TaskBackedOff,
    TaskCompensated,
    TaskFailed,
    TaskStands,
    TaskSucceeded,
    UndoStarted,
    WorkflowAccepted,
    WorkflowEnded,
    WorkflowRejected,
)
from jada_orchestrator.domain.request import BookingRequest, Constraints, Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.engine import fold
from jada_orchestrator.ports.journal import Append
from jada_orchestrator.runtime.heads import head_of

START: Final = parse_instant("2027-04-01T12:00:00Z")
MODEL: Final = "claude-sonnet-4-6"
SEARCH, HOLD, TICKET = TaskId("search"), TaskId("hold"), TaskId("ticket")
SOLD_OUT: Final = Failure("SOLD_OUT", "no seat is left")


def store_url(folder: Path) -> str:
    """The URL of the store in a folder."""
    return f"sqlite://{folder / 'journal.db'}"


def write(folder: Path, *bookings: tuple[WorkflowId, list[Record]], start: UtcMs = START) -> str:
    """Write bookings into a new store, a record every 100 ms, and return its URL."""

    async def append() -> None:
        journal = open_journal(store_url(folder))
        await journal.open()
        await journal.append([_append(*booking, start) for booking in bookings])
        await journal.close()

    asyncio.run(append())
    return store_url(folder)


def _append(workflow_id: WorkflowId, records: list[Record], start: UtcMs) -> Append:
    entries = tuple(Entry(seq, UtcMs(start + 100 * seq), record) for seq, record in enumerate(records, 1))
    workflow = fold(workflow_id, entries)
    return Append(workflow_id, entries, head_of(workflow))


def terms(action: str, effect: Effect) -> Terms:
    """The terms of an action without frills."""
    return Terms(
        action=ActionName(action),
        agent=AgentName(action.partition(".")[0]),
        via="lambda",
        effect=effect,
        timeout_ms=1_000,
        retry=RetryPolicy(2, 100, 1_000),
        idempotent=True,
        irreversible=False,
        lookup=None,
        compensate=None,
        amount=None,
    )


def plan() -> Plan:
    """Search, then hold, then ticket."""
    known = [
        terms("flights.search", Effect.READ),
        terms("flights.hold", Effect.RESERVE),
        terms("flights.ticket", Effect.COMMIT),
    ]
    return Plan(
        tasks=(
            PlannedTask(SEARCH, known[0].action, {}),
            PlannedTask(HOLD, known[1].action, {}, after=(SEARCH,), needs=(SEARCH,)),
            PlannedTask(TICKET, known[2].action, {}, after=(SEARCH, HOLD), needs=(HOLD,)),
        ),
        terms={each.action: each for each in known},
        result={"booking": Binding("ticket.booking_id")},
        catalogue_version=CatalogueVersion("c1"),
    )


def accepted(request_id: str) -> list[Record]:
    """A request that was accepted, and the planner asked and answering."""
    request = BookingRequest(
        RequestId(request_id), Tenant("acme"), "Boston to Lisbon", None, Constraints(), None, 5, None
    )
    usage = Usage(input_tokens=1_000, output_tokens=200, usd="0.006")
    return [
        WorkflowAccepted(request, "d", Message("{}", {}), MODEL, CatalogueVersion("c1")),
        PlanningStarted(1),
        PlannerAnswered(1, "{}", MODEL, usage, 900, 300),
    ]


def tried(task_id: TaskId, number: int = 1) -> AttemptStarted:
    """An attempt at a task's own action."""
    return AttemptStarted(task_id, "do", "call", number, packed({}) if number == 1 else None, UtcMs(START + 60_000))


def ended(status: str, failure: Failure | None = None, result: object = None) -> list[Record]:
    """The end, with its outcome told."""
    outcome = OutcomeId("o.1")
    return [
        WorkflowEnded(status, failure, result),  # type: ignore[arg-type]  # a plain string for brevity
        OutcomeDecided(outcome, status),  # type: ignore[arg-type]  # the same
        OutcomeDelivered(outcome),
    ]


def completed(request_id: str = "web-done") -> tuple[WorkflowId, list[Record]]:
    """A booking that went well, with a second attempt and a call whose fate was looked up."""
    records = [
        *accepted(request_id),
        PlanAdopted(1, plan()),
        tried(SEARCH),
        TaskBackedOff(SEARCH, "do", "call", 1, Failure("SLOW", "too slow"), UtcMs(START + 700)),
        tried(SEARCH, 2),
        TaskSucceeded(SEARCH, "call", 2, packed({"offers": []})),
        tried(HOLD),
        TaskSucceeded(HOLD, "call", 1, packed({"hold_id": "h-1"})),
        tried(TICKET),
        AttemptLost(TICKET, "do", 1, Failure("CRASHED", "the function crashed"), "lookup", UtcMs(START + 1_200)),
        AttemptStarted(TICKET, "do", "lookup", 1, packed({}), UtcMs(START + 60_000)),
        TaskSucceeded(TICKET, "lookup", 1, packed({"booking_id": "b-1"})),
        *ended("completed", result={"booking": "b-1"}),
    ]
    return workflow_id_of(RequestId(request_id)), records


def compensated(request_id: str = "web-undone") -> tuple[WorkflowId, list[Record]]:
    """A booking that failed at ticketing and whose hold was undone."""
    records = [
        *accepted(request_id),
        PlanAdopted(1, plan()),
        tried(SEARCH),
        TaskSucceeded(SEARCH, "call", 1, packed({"offers": []})),
        tried(HOLD),
        TaskSucceeded(HOLD, "call", 1, packed({"hold_id": "h-2"})),
        tried(TICKET),
        TaskFailed(TICKET, "call", 1, SOLD_OUT),
        CompensationStarted(SOLD_OUT, cancelled=False),
        UndoStarted(HOLD),
        TaskCompensated(HOLD, "call", 1),
        *ended("compensated", SOLD_OUT),
    ]
    return workflow_id_of(RequestId(request_id)), records


def standing(request_id: str = "web-stands") -> tuple[WorkflowId, list[Record]]:
    """A booking that failed at ticketing and whose hold could not be undone."""
    _, records = compensated(request_id)
    undone = next(index for index, record in enumerate(records) if isinstance(record, TaskCompensated))
    stands = TaskStands(HOLD, Failure("TOO_LATE", "it cannot be given back any more"))
    return workflow_id_of(RequestId(request_id)), [*records[:undone], stands, *ended("needs_attention", SOLD_OUT)]


def failed(request_id: str, message: str) -> tuple[WorkflowId, list[Record]]:
    """A booking whose search failed with what its agent said."""
    failure = Failure("NO_OFFERS", message)
    records = [
        *accepted(request_id),
        PlanAdopted(1, plan()),
        tried(SEARCH),
        TaskFailed(SEARCH, "call", 1, failure),
        CompensationStarted(failure, cancelled=False),
        *ended("failed", failure),
    ]
    return workflow_id_of(RequestId(request_id)), records


def asking(request_id: str = "web-asks") -> tuple[WorkflowId, list[Record]]:
    """A booking that waits for an answer."""
    asked = ClarificationAsked(("When do you fly?",), UtcMs(START + 86_400_000))
    return workflow_id_of(RequestId(request_id)), [*accepted(request_id), asked]


def running(request_id: str = "web-runs") -> tuple[WorkflowId, list[Record]]:
    """A booking whose search is under way."""
    return workflow_id_of(RequestId(request_id)), [*accepted(request_id), PlanAdopted(1, plan()), tried(SEARCH)]


def rejected(request_id: str = "web-bad") -> tuple[WorkflowId, list[Record]]:
    """A message that was turned away."""
    faults = (Fault("BAD_TYPE", "priority", "has to be a number"),)
    record = WorkflowRejected(RequestId(request_id), Tenant("acme"), None, "INVALID_REQUEST", faults, Message("{}", {}))
    return refused_workflow_id_of(request_id), [record]
