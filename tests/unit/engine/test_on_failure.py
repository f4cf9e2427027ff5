"""What becomes of a booking whose required task failed: undo all, keep what is optional, or ask a person."""

from __future__ import annotations

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.limits import APPROVAL_WAIT_MAX_MS
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from tests.unit.engine.driver import IMPOSSIBLE, SILENT, Driver, begun
from tests.unit.engine.plans import one


def with_extra() -> dict[str, object]:
    """A room that is required, a seat that is optional, and a booking of the room after both."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("extra", "seats.hold", optional=True, offer_id="e-1"),
        task("book", "rooms.book", after=["extra"], hold_id=Ref("hold.hold_id"), authorization_id="x"),
    )


def sold_out(policy: str) -> Driver:
    """A driver whose booking fails for good, under a policy."""
    driver = begun(with_extra(), on_failure=policy)
    driver.mishap("book", IMPOSSIBLE)
    return driver


def test_everything_is_undone_by_default() -> None:
    """Optional parts too: without the booking nobody wants them."""
    driver = sold_out("undo_all").run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


def test_optional_parts_may_stay() -> None:
    """Under keep_partial the seat stays, and the frontend is told which."""
    driver = sold_out("keep_partial").run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == ["seats.hold"]
    assert driver.workflow.outcomes[-1].content["error"]["kept"] == ["extra"]


def test_what_was_built_on_something_undone_does_not_stay() -> None:
    """An optional part that comes after a required effect is undone before it, policy or not."""
    driver = begun(
        proposal(
            task("hold", "rooms.hold", offer_id="o-1"),
            task("extra", "seats.hold", after=["hold"], optional=True, offer_id="e-1"),
            task("book", "rooms.book", after=["extra"], hold_id=Ref("hold.hold_id"), authorization_id="x"),
        ),
        on_failure="keep_partial",
    )
    driver.mishap("book", IMPOSSIBLE)
    driver.run()
    assert driver.standing() == []


def test_a_cancelled_booking_keeps_nothing() -> None:
    """The policy is about failures: who cancels wants all of it gone."""
    driver = begun(with_extra(), on_failure="keep_partial")
    driver.mishap("book", SILENT)
    driver.run(until="book")
    driver.control("cancel")
    driver.run()
    assert driver.standing() == []


def asked() -> Driver:
    """A driver whose booking failed, and where a person is asked."""
    driver = sold_out("ask")
    driver.run_until_quiet()
    assert driver.workflow.status == "awaiting_approval"
    assert driver.told() == ["awaiting_approval"]
    return driver


def test_a_person_is_asked_with_what_happened() -> None:
    """The outcome says what failed, and what the two answers mean; nothing is undone meanwhile."""
    driver = asked()
    (question,) = driver.workflow.outcomes[-1].content["questions"]
    assert "it cannot be done" in question
    assert "Approve to undo everything" in question
    assert driver.standing() == ["rooms.hold", "seats.hold"]


def test_who_approves_has_everything_undone() -> None:
    """Approve means undo."""
    driver = asked()
    driver.control("approve")
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


def test_who_denies_takes_over() -> None:
    """Deny means that a person sees to what stands: all of it is named, nothing is undone."""
    driver = asked()
    driver.control("deny")
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    named = {effect["action"] for effect in driver.workflow.outcomes[-1].content["error"]["standing"]}
    assert named == {"rooms.hold", "seats.hold"}
    assert driver.standing() == ["rooms.hold", "seats.hold"]


def test_nobody_answering_is_an_answer() -> None:
    """After a day without an answer everything is undone: what stands costs somebody."""
    driver = asked()
    records = driver.tick(driver.workflow.at + APPROVAL_WAIT_MAX_MS)
    assert r.UndoQuestionAnswered(undo=True, by="time") in records
    driver.run()
    assert driver.workflow.terminal == "compensated"


def test_cancelling_answers_too() -> None:
    """Who cancels while the question is open has everything undone, as cancelled."""
    driver = asked()
    driver.control("cancel")
    driver.run()
    assert driver.workflow.terminal == "cancelled"
    assert driver.standing() == []


def test_the_question_survives_a_restart() -> None:
    """Killed while a person thinks, the daemon still waits for the same answer."""
    driver = asked()
    driver.resume()
    assert driver.workflow.status == "awaiting_approval"
    driver.control("approve")
    driver.run()
    assert driver.workflow.terminal == "compensated"


def test_nobody_is_asked_about_nothing() -> None:
    """When nothing stands there is nothing to decide: the booking has simply failed."""
    driver = begun(one("trips.search", city="Lisbon"), on_failure="ask")
    driver.mishap("hold", IMPOSSIBLE)
    driver.run()
    assert driver.workflow.terminal == "failed"
    assert driver.told() == ["failed"]


def test_what_is_in_flight_when_it_fails_is_seen_to_its_end_first() -> None:
    """What is under way may yet have an effect, so a person is asked; it is undone, or named, with the others."""
    driver = begun(
        proposal(task("hold_a", "rooms.hold", offer_id="a"), task("hold_b", "seats.hold", offer_id="b")),
        on_failure="ask",
    )
    driver.grant_all()
    driver.end("hold_a", IMPOSSIBLE)
    assert driver.workflow.status == "awaiting_approval"
    driver.control("approve")
    driver.run()
    assert driver.standing() == []
    assert driver.workflow.is_terminal
