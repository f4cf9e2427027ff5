"""The log is told everything, in each booking's own order; what a start has to tell waits until the start is over."""

from __future__ import annotations

import asyncio

from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import AttemptLost, Entry, TaskSucceeded
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.runtime.telling import Teller
from jada_orchestrator.testing.quiet import QuietLog
from jada_orchestrator.testing.virtual_time import run_virtually

LOST = AttemptLost(TaskId("hold"), "do", 1, Failure("INTERRUPTED", "cut off"), "lookup", UtcMs(1), counted=False)
FOUND = TaskSucceeded(TaskId("hold"), "lookup", 1, packed({}))


def told(log: QuietLog) -> list[tuple[str, str]]:
    """Whose lines the log has, and of what, in order."""
    return [(str(fields["workflow_id"]), event) for _, event, _, fields in log.lines]


def booking(number: int) -> Workflow:
    """A workflow of which nothing is known but its id."""
    return Workflow(WorkflowId(f"wf-{number}"))


def test_what_a_start_has_to_tell_is_told_after_it() -> None:
    """While a recovery goes on nothing is told; afterwards everything is, a little at a time, in order."""

    async def scenario() -> None:
        log = QuietLog()
        teller = Teller(log)
        teller.putting_off = True
        for number in range(100):
            teller.tell(booking(number), [Entry(1, UtcMs(0), LOST)])
        await asyncio.sleep(1)
        assert told(log) == []
        teller.putting_off = False
        await asyncio.sleep(0.06)
        assert 0 < len(log.lines) < 100
        await asyncio.sleep(1)
        assert told(log) == [(f"wf-{number}", "attempt.lost") for number in range(100)]

    run_virtually(scenario())


def test_a_booking_is_told_in_its_own_order() -> None:
    """A later line of a booking brings its earlier ones with it, before it."""

    async def scenario() -> None:
        log = QuietLog()
        teller = Teller(log)
        teller.putting_off = True
        for number in range(100):
            teller.tell(booking(number), [Entry(1, UtcMs(0), LOST)])
        teller.putting_off = False
        teller.tell(booking(99), [Entry(2, UtcMs(5), FOUND)])
        assert told(log) == [("wf-99", "attempt.lost"), ("wf-99", "task.succeeded")]
        teller.close()
        assert len(log.lines) == 101

    run_virtually(scenario())
