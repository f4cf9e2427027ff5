"""What is shown of a workflow, where the contract's example does not reach: reads left behind, retries, times."""

from __future__ import annotations

import asyncio
from pathlib import Path

from jada_orchestrator.adapters.journal.opening import open_reader
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.events import Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import CatalogueVersion, RequestId, WorkflowId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import CompensationStarted, PlanAdopted, Record, TaskSucceeded
from jada_orchestrator.ports.journal import Head, Stored
from jada_orchestrator.service.timing import Timing, timing_of
from jada_orchestrator.service.views import Seen, see
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from tests.unit.cli import bookings
from tests.unit.engine.driver import Driver

HEAD = Head("web", "t", "completed", "m", UtcMs(1), None, None, CatalogueVersion("c"), True, False, False)


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


def test_a_list_takes_as_long_as_its_slowest_call() -> None:
    """Its calls go side by side and are counted one by one; what reads the list comes after the last of them."""
    offers = [{"offer_id": city, "price": {"amount": "100.00", "currency": "USD"}} for city in ("Porto", "Faro")]
    driver = Driver().begin(
        proposal(
            task("rooms", "trips.search", city="Lisbon"),
            task("more", "trips.search", for_each="rooms.offers", city=Ref("item.offer_id")),
            task("tell", "checks.request", day=Ref("more[0].offers[0].offer_id")),
        )
    )
    began = driver.now

    def pass_to(after_ms: int) -> None:
        driver.now = UtcMs(began + after_ms)

    driver.grant("rooms")
    pass_to(100)
    driver.end("rooms", Succeeded({"offers": offers}))
    driver.grant("more[0]")
    driver.grant("more[1]")
    pass_to(400)
    driver.end("more[0]", Succeeded({"offers": offers}))
    pass_to(700)
    driver.end("more[1]", Succeeded({"offers": offers}))
    driver.grant("tell")
    pass_to(750)
    driver.end("tell", Succeeded({"valid": True}))
    stored = Stored(driver.workflow.workflow_id, HEAD, tuple(driver.entries))
    assert timing_of(see(stored)) == Timing(makespan_ms=750, critical_ms=100 + 600 + 50, tasks=4)


def test_without_a_plan_there_is_no_timing(tmp_path: Path) -> None:
    """A booking that only asked a question has no work to time."""
    shown = asyncio.run(seen(bookings.write(tmp_path, bookings.asking()), "web-asks"))
    assert timing_of(shown) is None


def test_a_task_that_is_done_again_forgets_its_lookup(tmp_path: Path) -> None:
    """After another attempt the task's time ends with that attempt, not with an earlier lookup."""
    workflow_id, records = bookings.completed("web-again")
    again: list[Record] = [bookings.tried(bookings.TICKET, 2), TaskSucceeded(bookings.TICKET, "call", 2, packed({}))]
    shown = asyncio.run(seen(bookings.write(tmp_path, (workflow_id, [*records[:-3], *again])), "web-again"))
    assert shown.ended_at(bookings.TICKET) == bookings.START + 1_600
