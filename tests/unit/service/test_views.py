"""What is shown of a workflow, where the contract's example does not reach: reads left behind, retries, times."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jada_orchestrator.adapters.journal.opening import open_reader
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import RequestId, WorkflowId, workflow_id_of
from jada_orchestrator.domain.records import CompensationStarted, PlanAdopted, Record, TaskSucceeded
from jada_orchestrator.service.timing import Timing, timing_of
from jada_orchestrator.service.views import Seen, see
from tests.unit.cli import bookings


async def seen(store: str, request_id: str) -> Seen:
    """A booking of a store as people see it."""
    reader = open_reader(store)
    stored = await reader.history(workflow_id_of(RequestId(request_id)))
    await reader.close()
    assert stored is not None
    return see(stored)


def left_behind() -> tuple[WorkflowId, list[Record]]:
    """A booking that was cancelled while its first read was under way."""
    cancelled = CompensationStarted(Failure("CANCELLED", "cancelled"), cancelled=True)
    records = [
        *bookings.accepted("web-left"),
        PlanAdopted(1, bookings.plan()),
        bookings.tried(bookings.SEARCH),
        cancelled,
    ]
    return workflow_id_of(RequestId("web-left")), records


def test_a_read_that_nobody_waits_for_any_more_has_an_end(tmp_path: Path) -> None:
    """An attempt that was under way when undoing began is shown as unknown, not as running for ever."""
    shown = asyncio.run(seen(bookings.write(tmp_path, left_behind()), "web-left"))
    (attempt,) = shown.attempts[bookings.SEARCH]
    assert (attempt.outcome, attempt.ended_at) == ("unknown", bookings.START + 600)


def test_times_are_measured_against_the_longest_chain(tmp_path: Path) -> None:
    """The critical path adds the tasks' own times along the graph, retries and lookups included."""
    shown = asyncio.run(seen(bookings.write(tmp_path, bookings.completed()), "web-done"))
    # search 500-800 ms, hold 900-1000, ticket 1100-1400 (found by a lookup); the plan was adopted at 400.
    assert timing_of(shown) == Timing(makespan_ms=1_000, critical_ms=700, tasks=3)


def test_without_a_plan_there_is_no_timing(tmp_path: Path) -> None:
    """A booking that only asked a question has no work to time."""
    shown = asyncio.run(seen(bookings.write(tmp_path, bookings.asking()), "web-asks"))
    assert timing_of(shown) is None


def test_a_task_that_is_done_again_forgets_its_lookup(tmp_path: Path) -> None:
    """After another attempt the task's time ends with that attempt, not with an earlier lookup."""
    workflow_id, records = bookings.completed("web-again")
    again: list[Record] = [bookings.tried(bookings.TICKET, 2), TaskSucceeded(bookings.TICKET, "call", 2, {})]
    shown = asyncio.run(seen(bookings.write(tmp_path, (workflow_id, [*records[:-3], *again])), "web-again"))
    assert shown.ended_at(bookings.TICKET) == bookings.START + 1_600
