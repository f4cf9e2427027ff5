"""Undoing: order, patience, what stands, optional tasks, and an operator's retry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.engine.keys import call_key
from jada_orchestrator.engine.people import may_retry
from jada_orchestrator.testing.catalogues import Ref, proposal, request, task
from tests.unit.engine.driver import (
    BUSY,
    DONE_BUT_LOST,
    IMPOSSIBLE,
    LOST,
    SILENT,
    START,
    THROTTLED,
    Driver,
    Mishap,
    begun,
    found,
)
from tests.unit.engine.plans import PRICE, booking, one, two_holds


def failing(plan: dict[str, object], at: str, *mishaps: Mishap) -> Driver:
    """A driver whose plan meets these mishaps at one call."""
    driver = begun(plan)
    driver.mishap(at, *(mishaps or (IMPOSSIBLE,)))
    return driver


# --- Order ----------------------------------------------------------------------------------------------------------


def test_tasks_start_when_their_own_inputs_are_there() -> None:
    """There is no barrier between levels: a hold starts while the other search is still under way."""
    driver = begun(
        proposal(
            task("a", "trips.search", city="A"),
            task("b", "trips.search", city="B"),
            task("hold_a", "rooms.hold", offer_id=Ref("a.offers[0].offer_id")),
            task("hold_b", "rooms.hold", offer_id=Ref("b.offers[0].offer_id")),
        )
    )
    driver.mishap("b", SILENT)
    driver.run(until="hold_a")
    assert sorted(driver.workflow.active) == [("b", "do"), ("hold_a", "do")]


def test_everything_is_undone_in_reverse_order_of_dependency() -> None:
    """What was built on something is undone before it, what is beside each other at once, reads not at all."""
    driver = failing(two_holds(), "capture")
    driver.run()
    undoing = [sorted(name for name in wave if name.startswith("undo")) for wave in driver.waves]
    assert [wave for wave in undoing if wave] == [["undo book_a", "undo book_b"], ["undo hold_a", "undo hold_b"]]
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []
    assert driver.told() == ["compensated"]


def test_nothing_new_is_started_while_undoing() -> None:
    """From the first failure for good, only what is in flight is seen to its end."""
    driver = begun(two_holds())
    driver.grant("hold_a")
    driver.grant("hold_b")
    driver.end("hold_a", IMPOSSIBLE)
    assert driver.workflow.status == "compensating"
    assert driver.task("book_a").status == "skipped"
    driver.run()
    assert driver.names("do") == ["hold_a", "hold_b"]
    assert driver.names("undo") == ["hold_b"]


def test_a_failure_that_left_nothing_is_just_a_failure() -> None:
    """Where nothing was undone, the booking has failed, and nobody is told of compensation."""
    driver = failing(booking(), "hold")
    driver.run()
    assert driver.workflow.terminal == "failed"


# --- Unknown while undoing ------------------------------------------------------------------------------------------


def test_what_may_have_happened_is_found_out_and_undone() -> None:
    """A booking whose answer was lost while another failed is looked up first, and then undone."""
    driver = begun(two_holds())
    driver.run(until={"book_a"})
    driver.agents.do(driver.call_of("book_a"))
    driver.end("book_a", LOST)
    driver.end("book_b", IMPOSSIBLE)
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


def test_what_never_happened_is_not_undone() -> None:
    """A lookup that finds nothing, once that is certain, leaves nothing to undo."""
    driver = begun(two_holds())
    driver.run(until={"book_a"})
    driver.end("book_a", LOST)
    driver.end("book_b", IMPOSSIBLE)
    driver.run()
    assert sorted(driver.names("undo")) == ["hold_a", "hold_b"]
    assert driver.workflow.terminal == "compensated"


def test_what_has_no_lookup_is_repeated_under_its_key_so_as_to_undo_it() -> None:
    """The agent gives its first answer, or does now what is undone right away."""
    driver = begun(two_holds())
    driver.run(until={"book_b"})
    driver.agents.do(driver.call_of("book_b"))
    driver.end("book_b", LOST)
    driver.end("book_a", IMPOSSIBLE)
    driver.run()
    assert driver.names("do").count("book_b") == 2
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


@pytest.mark.parametrize("steps", range(4))
@pytest.mark.parametrize("mishap", [BUSY, DONE_BUT_LOST])
def test_killed_amid_an_undoing_everything_is_undone(steps: int, mishap: Mishap) -> None:
    """What our own end cut off of an undo is found out, or made again under its key; nothing is left of the booking."""
    driver = failing(two_holds(), "capture")
    driver.mishap("undo book_a", mishap)
    driver.run(until="undo book_a")
    for _ in range(steps):
        driver.advance()
    driver.resume()
    driver.run()
    assert driver.told() == ["compensated"]
    assert driver.standing() == []
    assert len({call.idempotency_key for call in driver.calls if call.action == "rooms.cancel"}) == 1
    assert driver.agents.books.changed_inputs == []


def test_lookups_for_undoing_have_keys_of_their_own() -> None:
    """A lookup of the first effort is never asked again under its key: its agent may remember the old answer."""
    driver = begun(one("tickets.print", booking_id="b"))
    driver.mishap("hold", DONE_BUT_LOST)
    driver.mishap("lookup hold", *[found("pending")] * 10)
    driver.run()
    lookups = [call.idempotency_key for call in driver.calls if call.action == "tickets.lookup"]
    assert len(lookups) == len(set(lookups)) == 11
    assert driver.workflow.terminal == "compensated"


# --- Patience -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mishap", [BUSY, THROTTLED, LOST, DONE_BUT_LOST, SILENT])
def test_undoing_is_patient(mishap: Mishap) -> None:
    """A compensation that fails or is lost is made again, long after a task would have been given up."""
    driver = failing(booking(), "book")
    driver.mishap("undo hold", *[mishap] * 20)
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


def test_an_agent_that_is_away_for_hours_does_not_leave_effects_behind() -> None:
    """Attempts to undo that never reach the agent are as patient as those that do: hours, not minutes."""
    driver = failing(booking(), "book")
    driver.mishap("undo hold", *[THROTTLED] * 59)
    driver.run()
    assert driver.now - START > 3 * 3_600_000
    assert driver.workflow.terminal == "compensated"


def test_what_cannot_be_undone_stands_and_is_named() -> None:
    """A refused compensation ends in needs_attention, naming the task, its action, its output and the reason."""
    driver = failing(booking(), "book")
    driver.mishap("undo hold", IMPOSSIBLE)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    (outcome,) = driver.workflow.outcomes
    (standing,) = outcome.content["error"]["standing"]
    assert standing["task_id"] == "hold"
    assert standing["certain"] is True
    assert standing["reason"] == {"code": "IMPOSSIBLE", "message": "it cannot be done"}
    assert standing["output"]["hold_id"].startswith("hold-")
    assert "hold (rooms.hold) stands" in outcome.content["error"]["message"]
    assert driver.standing() == ["rooms.hold"]


def test_what_stood_is_settled_by_a_person_once_and_for_good() -> None:
    """It is kept who did what, the booking stays as it ended, and is neither retried nor settled again."""
    driver = failing(booking(), "book")
    driver.mishap("undo hold", IMPOSSIBLE)
    driver.run()
    driver.deliver()
    assert driver.control("settle", text="the hotel cancelled it") == [
        r.AttentionSettled("ann", "the hotel cancelled it")
    ]
    assert (driver.workflow.terminal, driver.workflow.settled) == ("needs_attention", "ann")
    assert driver.workflow.is_done
    assert driver.control("settle", text="once more") == []
    assert driver.control("retry") == []
    assert "settled by hand by ann" in (may_retry(driver.workflow) or "")


def test_there_is_nothing_to_settle_of_what_needs_nobody() -> None:
    """A booking that runs, or was undone, or waits in its lane to be retried is not settled."""
    running = begun(one())
    assert running.control("settle", text="done") == []
    undone = failing(booking(), "book")
    undone.run()
    assert undone.workflow.terminal == "compensated"
    assert undone.control("settle", text="done") == []
    waiting = Driver(booking=replace(request(), ordering_key="k"))
    waiting.arrive()
    waiting.feed(e.TurnCame())
    waiting.propose(booking())
    waiting.mishap("book", IMPOSSIBLE)
    waiting.mishap("undo hold", IMPOSSIBLE)
    waiting.run()
    waiting.control("retry")
    assert waiting.control("settle", text="done") == []
    waiting.control("cancel")
    assert waiting.control("settle", text="done") == [r.AttentionSettled("ann", "done")]


def test_an_undo_that_nobody_can_tell_of_is_not_called_certain() -> None:
    """Where the compensation itself is unknown, the effect may stand: neither yes nor no is claimed."""
    driver = failing(booking(), "book")
    driver.mishap("undo hold", *[LOST] * 99)
    driver.mishap("lookup undo hold", *[found("pending")] * 999)
    driver.run()
    (standing,) = driver.workflow.outcomes[-1].content["error"]["standing"]
    assert (standing["task_id"], standing["certain"]) == ("hold", False)


def test_what_is_irreversible_stands() -> None:
    """A message that was sent cannot be unsent; the booking says so."""
    plan = proposal(
        task("hold", "rooms.hold", offer_id="o"),
        task("mail", "mail.send", after=["hold"], text="Booked."),
        task("later", "checks.policy", after=["mail"], optional=True, total=PRICE),
    )
    driver = begun(plan)
    driver.run(until="later")
    driver.control("cancel")
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert [s["task_id"] for s in driver.workflow.outcomes[-1].content["error"]["standing"]] == ["mail"]


# --- Optional tasks -------------------------------------------------------------------------------------------------


def optional_plan() -> dict[str, object]:
    """A required hold before an optional one, an optional search that reads from it, and one that only comes after."""
    return proposal(
        task("hold", "rooms.hold", offer_id="a"),
        task("extra", "orders.create", after=["hold"], optional=True, total=PRICE),
        task("extra_search", "trips.search", optional=True, city=Ref("extra.order_id")),
        task("after_all", "trips.search", after=["extra"], optional=True, city="Porto"),
        result={"hold": "hold.hold_id", "extra": "extra.order_id"},
    )


def test_an_optional_task_may_fail() -> None:
    """The booking completes without it; what reads from it is skipped, what only comes after it is not."""
    driver = failing(optional_plan(), "extra")
    driver.run()
    assert driver.workflow.terminal == "completed"
    statuses = {str(task_id): t.status.value for task_id, t in driver.workflow.tasks.items()}
    assert statuses == {"hold": "succeeded", "extra": "failed", "extra_search": "skipped", "after_all": "succeeded"}
    assert driver.workflow.result["extra"] is None


def test_a_stray_of_an_optional_task_needs_attention_when_it_cannot_be_found() -> None:
    """An optional order that may exist, and that nothing tells of, is named; what was booked is told all the same."""
    driver = failing(optional_plan(), "extra", DONE_BUT_LOST)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert driver.workflow.result["hold"] is not None
    assert [s["task_id"] for s in driver.workflow.outcomes[-1].content["error"]["standing"]] == ["extra"]


def test_a_stray_of_an_optional_task_is_found_and_undone() -> None:
    """An optional ticket whose fate stays unknown is looked up patiently, and undone; it is no part of the result."""
    plan = proposal(
        task("hold", "rooms.hold", offer_id="a"),
        task("extra", "tickets.print", after=["hold"], optional=True, booking_id="b"),
        result={"ticket": "extra.ticket_id"},
    )
    driver = failing(plan, "extra", DONE_BUT_LOST)
    driver.mishap("lookup extra", *[found("pending")] * 10)
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.task("extra").status == "compensated"
    assert driver.workflow.result == {"ticket": None}
    assert driver.standing() == ["rooms.hold"]


# --- An operator's retry --------------------------------------------------------------------------------------------


def test_retry_goes_on_from_what_failed_with_fresh_keys() -> None:
    """What was undone or failed is done anew under new keys: the agents' first answers must not be given again."""
    driver = failing(booking(), "book")
    driver.run()
    first = {call.task_id: call.idempotency_key for call in driver.calls if call.action == "rooms.hold"}
    driver.control("retry")
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.workflow.revision == 2
    assert call_key(driver.workflow, driver.task("hold"), "do") != first[TaskId("hold")]
    assert driver.told() == ["compensated", "completed"]


def test_retry_keeps_what_stands() -> None:
    """A hold that could not be undone is built upon, under its old key; what it was built on is done anew."""
    driver = failing(booking(), "book")
    driver.mishap("undo authorize", IMPOSSIBLE)
    driver.run()
    driver.control("retry")
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.names("do").count("authorize") == 1
    assert driver.names("do").count("hold") == 2


def test_retry_asks_again_about_what_is_unknown() -> None:
    """A call whose fate is unknown keeps its key and input, and its numbers go on."""
    driver = begun(one("rooms.hold", offer_id="o"))
    driver.mishap("hold", *[DONE_BUT_LOST] * 4)
    driver.mishap("lookup hold", *[found("pending")] * 200)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    attempts, lookups = driver.call("hold").attempts, driver.call("hold").lookups
    driver.control("retry")
    driver.mishap("hold", DONE_BUT_LOST)
    driver.run()
    assert len({call.idempotency_key for call in driver.calls if call.action == "rooms.hold"}) == 1
    assert driver.call("hold").attempts > attempts
    assert driver.call("hold").lookups > lookups
    assert len(driver.agents.books.effects) == 1


def test_a_second_undoing_does_not_begin_its_numbers_again() -> None:
    """Undoing after a retry counts on, so that an answer to an old attempt is not taken for one to a new."""
    driver = failing(booking(), "book", IMPOSSIBLE)
    driver.mishap("undo authorize", IMPOSSIBLE)
    driver.run()
    driver.control("retry")
    driver.mishap("book", IMPOSSIBLE)
    driver.run(until="undo authorize")
    assert driver.call("authorize", "undo").number == 2


@pytest.mark.parametrize(
    ("action", "args"), [("orders.create", {"total": PRICE}), ("tickets.print", {"booking_id": "b"})]
)
def test_retry_is_refused_where_it_could_double(action: str, args: JsonObject) -> None:
    """What may have been done by an agent that ignores keys is not done again by a retry."""
    driver = begun(one(action, **args))
    driver.mishap("hold", DONE_BUT_LOST)
    driver.mishap("lookup hold", *[found("pending")] * 200)
    driver.run()
    assert "does not honour idempotency keys" in (may_retry(driver.workflow) or "")
    assert driver.control("retry") == []


def test_retry_is_refused_where_nobody_knows_whether_it_was_undone() -> None:
    """A hold that may have been released is no ground to build on."""
    driver = failing(booking(), "book")
    driver.mishap("undo hold", *[LOST] * 99)
    driver.mishap("lookup undo hold", *[found("pending")] * 999)
    driver.run()
    assert "may have been undone" in (may_retry(driver.workflow) or "")
    assert driver.control("retry") == []


def test_retry_of_what_is_not_over_leads_to_nothing() -> None:
    """Neither a running nor a completed booking is retried."""
    driver = begun(one())
    assert driver.control("retry") == []
    driver.run()
    assert driver.control("retry") == []


def test_retry_of_a_request_without_a_plan_plans_again() -> None:
    """A request that could not be planned is asked for once more."""
    driver = Driver()
    driver.arrive()
    driver.fail_planning("permanent")
    driver.deliver()
    assert [type(record) for record in driver.control("retry")] == [r.RetryStarted]
    driver.propose(one())
    driver.run()
    assert driver.told() == ["failed", "completed"]


def test_a_retry_in_a_lane_can_be_withdrawn() -> None:
    """In a lane a retry waits for its turn, stays as it ended meanwhile, and a cancel is the end of it."""
    driver = Driver(booking=replace(request(), ordering_key="k"))
    driver.arrive()
    driver.feed(e.TurnCame())
    driver.fail_planning("permanent")
    driver.deliver()
    assert driver.control("retry") == [r.RetryAsked("ann")]
    assert driver.control("retry") == []
    assert driver.workflow.terminal == "failed"
    assert driver.workflow.retry_asked == "ann"
    assert driver.control("cancel") == [r.RetryAsked("ann", wanted=False)]
    assert driver.workflow.is_done
    driver.control("retry")
    (started,) = driver.feed(e.TurnCame())
    assert isinstance(started, r.RetryStarted)
    assert started.catalogue_version == driver.catalogue.version


def test_an_input_that_cannot_be_made_fails_its_task() -> None:
    """A value that is missing at run time is the task's failure, not ours."""
    plan = proposal(
        task("a", "trips.search", city="A"),
        task("b", "trips.search", city=Ref("a.note")),
    )
    driver = begun(plan)
    driver.run()
    assert driver.workflow.terminal == "failed"
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "INPUT_UNRESOLVED"
