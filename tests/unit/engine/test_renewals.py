"""Renewals of reservations amid everything else that may happen to a booking: revisions, people, unknown fates."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.revising import past_of
from jada_orchestrator.testing.catalogues import Ref, money, proposal, task
from jada_orchestrator.testing.revisions import revision_of
from tests.unit.engine.driver import BUSY, DONE_BUT_LOST, IMPOSSIBLE, LOST, SOLD_OUT, Driver, Mishap, begun, found

RENEWAL = ("undo hold", "hold")
"""The calls of a renewal, in order."""


def stays() -> JsonObject:
    """A room and a seat, each held and booked."""
    return proposal(
        task("hold", "rooms.hold", offer_id="a"),
        task("seat", "seats.hold", offer_id="b"),
        task("book_seat", "seats.book", after=["hold"], hold_id=Ref("seat.hold_id"), authorization_id="x"),
        task("book", "rooms.book", after=["seat"], hold_id=Ref("hold.hold_id"), authorization_id="x"),
    )


def another_seat() -> JsonObject:
    """The same room with another seat."""
    return proposal(
        task("hold", "rooms.hold"),
        task("other", "seats.hold", offer_id="c"),
        task("book_other", "seats.book", after=["hold"], hold_id=Ref("other.hold_id"), authorization_id="x"),
        task("book", "rooms.book", after=["other"], hold_id=Ref("hold.hold_id"), authorization_id="x"),
    )


def about_to_renew(plan: JsonObject) -> Driver:
    """A driver whose hold ran out when its room was about to be booked, and is to be given back."""
    driver = begun(plan)
    driver.grant_all()
    for name in ("hold", "seat"):
        driver.end(name, e.Succeeded(driver.agents.do(driver.call_of(name))))
    driver.grant("book_seat")
    expires_at = driver.task("hold").expires_at
    assert expires_at is not None
    driver.now = expires_at
    assert driver.grant("book") == [r.RefreshStarted(driver.task("hold").planned.id, 2)]
    return driver


def refused_while_renewing() -> Driver:
    """A driver whose hold is to be given back for its renewal when a seat is refused; a revision may get round that."""
    driver = about_to_renew(stays())
    driver.end("book_seat", SOLD_OUT)
    assert driver.workflow.revising is not None
    return driver


@pytest.mark.parametrize("befalls", RENEWAL)
@pytest.mark.parametrize("mishap", [LOST, DONE_BUT_LOST])
def test_a_revision_waits_for_the_end_of_a_renewal(befalls: str, mishap: Mishap) -> None:
    """The planner would hold a reservation that is being made anew to be not there, and plan it a second time."""
    driver = refused_while_renewing()
    driver.mishap(befalls, mishap)
    while driver.task("hold").refreshing:
        assert driver.workflow.status is Status.RUNNING
        assert not driver.workflow.planning.asking
        assert {ref[0] for ref, _ in claimable(driver.workflow)} <= {"hold"}
        driver.run_until_quiet()
        if driver.task("hold").refreshing:
            driver.tick()
    assert driver.workflow.status is Status.PLANNING
    driver.propose(another_seat())
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.standing() == ["rooms.book", "rooms.hold", "seats.book", "seats.hold"]
    assert driver.agents.books.doubled == []


def test_a_renewal_that_fails_while_a_revision_is_wanted_is_what_the_revision_is_for_too() -> None:
    """Both failures are got round, or none: what could not be reserved anew is not taken for granted."""
    driver = refused_while_renewing()
    driver.mishap("hold", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.workflow.status is Status.PLANNING
    assert driver.workflow.breaking == ("book_seat", "hold")
    driver.propose(
        proposal(
            task("room", "rooms.hold", offer_id="d"),
            task("seat", "seats.hold"),
            task("book", "rooms.book", after=["seat"], hold_id=Ref("room.hold_id"), authorization_id="x"),
        )
    )
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.standing() == ["rooms.book", "rooms.hold", "seats.hold"]


def test_what_could_not_be_given_back_stands_and_is_told_though_a_revision_was_wanted() -> None:
    """Nobody plans on beside a reservation of which nobody knows whether it stands."""
    driver = refused_while_renewing()
    driver.mishap("undo hold", *[LOST] * 200)
    driver.mishap("lookup undo hold", *[found("pending")] * 200)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert driver.names("do").count("hold") == 1
    assert driver.workflow.revisions == 1
    assert not any(isinstance(entry.record, r.PlannerAnswered) for entry in driver.entries[3:])


@pytest.mark.parametrize("steps", range(6))
@pytest.mark.parametrize("befalls", RENEWAL)
@pytest.mark.parametrize("mishap", [BUSY, LOST, DONE_BUT_LOST])
def test_cancelled_amid_a_renewal_and_retried_nothing_is_held_twice(steps: int, befalls: str, mishap: Mishap) -> None:
    """Whenever a person stops it, and whatever is not known then: all is given back, and a retry makes it once."""
    driver = about_to_renew(stays())
    driver.mishap("book_seat", *[BUSY] * 3)
    driver.mishap(befalls, mishap)
    for _ in range(steps):
        driver.advance()
    assert driver.control("retry") == []
    driver.control("cancel")
    driver.run()
    assert driver.told() == ["cancelled"]
    assert driver.standing() == []
    driver.control("retry")
    driver.run()
    assert driver.told() == ["cancelled", "completed"]
    assert driver.standing() == ["rooms.book", "rooms.hold", "seats.book", "seats.hold"]
    assert driver.agents.books.doubled == driver.agents.books.changed_inputs == []


def test_what_runs_out_while_a_person_thinks_is_renewed_before_it_is_used() -> None:
    """An approval is for the sum, not for the reservation that there was when it was asked for."""
    driver = begun(
        proposal(
            task("hold", "rooms.hold", offer_id="a"),
            task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id="x"),
            task("capture", "cards.capture", after=["book"], authorization_id="x", amount=Ref("hold.total")),
        ),
        approve_above=money("50.00 USD"),
    )
    driver.run_until_quiet()
    assert driver.workflow.approval is not None
    first = driver.task("hold")
    held = (first.output or {})["hold_id"]
    assert first.expires_at is not None
    driver.now = first.expires_at
    driver.control("approve")
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.task("hold").refreshes == 1
    assert (driver.call("book").input or {})["hold_id"] != held
    assert driver.told() == ["awaiting_approval", "completed"]


def summed() -> JsonObject:
    """A room and a seat, whose sum is paid once."""
    paid = Ref("authorize.authorization_id")
    return proposal(
        task("hold", "rooms.hold", offer_id="a"),
        task("seat", "seats.hold", offer_id="b"),
        task("quote", "quotes.add", totals=Ref("[hold.total, seat.total]")),
        task("authorize", "cards.authorize", amount=Ref("quote.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=paid),
        task("book_seat", "seats.book", hold_id=Ref("seat.hold_id"), authorization_id=paid),
        task("capture", "cards.capture", after=["book", "book_seat"], authorization_id=paid, amount=Ref("quote.total")),
    )


def test_what_is_reserved_at_another_price_by_a_retry_is_summed_and_paid_anew() -> None:
    """A sum that was read of reservations that were undone says nothing of those that are made in their place."""
    driver = begun(summed())
    driver.mishap("book", IMPOSSIBLE)
    driver.run()
    assert driver.told() == ["compensated"]
    driver.control("retry")
    driver.run(until={"hold", "seat"})
    answer = driver.agents.do(driver.call_of("hold"))
    driver.end("hold", e.Succeeded({**answer, "total": {"amount": "130.00", "currency": "USD"}}))
    driver.run()
    assert driver.told() == ["compensated", "completed"]
    assert (driver.call("capture").input or {})["amount"] == {"amount": "230.00", "currency": "USD"}


def test_what_was_left_standing_is_compared_with_what_a_retry_does_anew() -> None:
    """A payment that a person left standing is not taken for another sum: it is given back, with the reason."""
    driver = begun(summed(), on_failure="ask")
    driver.run(until="authorize")
    driver.end("authorize", e.Succeeded(driver.agents.do(driver.call_of("authorize"))))
    expires_at = driver.task("seat").expires_at
    assert expires_at is not None
    driver.now = expires_at
    driver.mishap("seat", IMPOSSIBLE)
    driver.run_until_quiet()
    driver.control("deny")
    driver.run()
    assert driver.task("authorize").stands is not None
    driver.control("retry")
    driver.run(until="seat")
    answer = driver.agents.do(driver.call_of("seat"))
    driver.end("seat", e.Succeeded({**answer, "total": {"amount": "130.00", "currency": "USD"}}))
    driver.run()
    assert driver.told()[-1] == "compensated"
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "HOLD_CHANGED"
    assert driver.standing() == []


def test_a_read_of_nothing_that_is_done_again_is_not_made_again() -> None:
    """A retry costs no call that would find what was found."""
    driver = begun(summed(), on_failure="ask")
    driver.mishap("book", IMPOSSIBLE)
    driver.run_until_quiet()
    driver.control("deny")
    driver.run()
    driver.control("retry")
    driver.run()
    assert driver.told()[-1] == "completed"
    assert driver.names("do").count("quote") == 1


def test_what_was_done_with_a_reservation_that_cannot_be_had_again_is_no_part_of_a_revision() -> None:
    """The sum and the payment of a seat that is gone are told as given up with it, and what they cost comes back."""
    driver = begun(summed())
    driver.run(until="authorize")
    driver.end("authorize", e.Succeeded(driver.agents.do(driver.call_of("authorize"))))
    expires_at = driver.task("seat").expires_at
    assert expires_at is not None
    driver.now = expires_at
    driver.mishap("seat", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.workflow.status is Status.PLANNING
    past = past_of(driver.workflow, driver.catalogue)
    assert past is not None
    states = {str(each.planned.id): each.state for each in past.tasks}
    assert (states["hold"], states["seat"]) == ("succeeded", "failed")
    assert states["quote"] == states["authorize"] == "given_up"
    driver.propose(revision_of(past))
    assert driver.task("authorize").retired
    driver.run()
    assert driver.told() == ["completed"]
    assert driver.standing() == [
        "cards.authorize",
        "cards.capture",
        "rooms.book",
        "rooms.hold",
        "seats.book",
        "seats.hold",
    ]


def test_what_serves_nothing_any_more_is_given_back_though_something_came_after_it() -> None:
    """What was authorized for a room that is gone is voided in the end, if a revision had to keep it."""
    paid = Ref("authorize.authorization_id")
    driver = begun(
        proposal(
            task("hold", "rooms.hold", offer_id="a"),
            task("seat", "seats.hold", offer_id="b"),
            task("authorize", "cards.authorize", amount=Ref("hold.total")),
            task("book_seat", "seats.book", after=["authorize"], hold_id=Ref("seat.hold_id"), authorization_id="x"),
            task("book", "rooms.book", after=["book_seat"], hold_id=Ref("hold.hold_id"), authorization_id=paid),
        )
    )
    driver.run(until="book_seat")
    expires_at = driver.task("hold").expires_at
    assert expires_at is not None
    driver.end("book_seat", e.Succeeded(driver.agents.do(driver.call_of("book_seat"))))
    driver.now = expires_at
    driver.mishap("hold", SOLD_OUT)
    driver.run_until_quiet()
    paid = Ref("pay.authorization_id")
    driver.propose(
        proposal(
            task("book_seat", "seats.book"),
            task("room", "rooms.hold", offer_id="c"),
            task("pay", "cards.authorize", amount=Ref("room.total")),
            task("book_room", "rooms.book", after=["book_seat"], hold_id=Ref("room.hold_id"), authorization_id=paid),
        )
    )
    assert not driver.task("authorize").retired
    driver.run()
    assert driver.told() == ["completed"]
    assert driver.task("authorize").status == "compensated"
    assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold", "seats.book", "seats.hold"]
