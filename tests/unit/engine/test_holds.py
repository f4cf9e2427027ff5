"""Reservations that run out: never committed on, renewed under a new key, given up when the booking changed by it."""

from __future__ import annotations

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.limits import HOLD_MARGIN_MS, HOLD_REFRESHES_MAX
from jada_orchestrator.engine.holds import due_of, expiry_of
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from tests.unit.engine.driver import BUSY, IMPOSSIBLE, LOST, SILENT, SOLD_OUT, START, Driver, begun, found
from tests.unit.engine.plans import PRICE, booking, two_holds

SOON_MS = 5_000


def held(driver: Driver, hold_id: str, left_ms: int, amount: str = "100.00") -> e.Succeeded:
    """A hold's answer that runs out after a while."""
    total = {"amount": amount, "currency": "USD"}
    expires_at = format_instant(UtcMs(driver.now + left_ms))
    return e.Succeeded({"hold_id": hold_id, "total": total, "expires_at": expires_at})


def about_to_book(left_ms: int = SOON_MS) -> Driver:
    """A driver whose room is held for a while, and paid for up to the booking itself."""
    driver = begun(booking())
    driver.mishap("hold", held(driver, "first", left_ms))
    driver.run(until="authorize")
    driver.end("authorize", e.Succeeded({"authorization_id": "a-1", "amount": PRICE}))
    return driver


def reserving_anew() -> Driver:
    """A driver whose hold ran out before the booking: it was given back, and is being made anew."""
    driver = about_to_book()
    driver.now = UtcMs(driver.now + SOON_MS)
    driver.grant("book")
    driver.grant("hold", "undo")
    driver.end("hold", e.Succeeded({}), "undo")
    driver.grant("hold")
    return driver


def test_a_commit_uses_a_reservation_while_it_stands() -> None:
    """Nothing is renewed as long as there is time."""
    driver = about_to_book()
    driver.grant("book")
    assert driver.call("book").input == {"hold_id": "first", "authorization_id": "a-1"}
    assert driver.workflow.revision == 1


def test_a_commit_is_never_sent_on_a_reservation_that_ran_out() -> None:
    """It is given back, reserved anew under a new key as a new revision, and only then used."""
    driver = about_to_book()
    first_key = driver.calls[-2].idempotency_key
    driver.now = UtcMs(driver.now + SOON_MS)
    assert driver.grant("book") == [r.RefreshStarted(driver.task("hold").planned.id, 2)]
    assert driver.task("hold").status == "compensating"
    assert driver.task("book").status == "pending"
    driver.grant("hold", "undo")
    driver.end("hold", e.Succeeded({}), "undo")
    driver.grant("hold")
    assert driver.calls[-1].idempotency_key != first_key
    driver.end("hold", held(driver, "second", 60_000))
    driver.grant("book")
    assert driver.call("book").input == {"hold_id": "second", "authorization_id": "a-1"}
    assert driver.workflow.revision == 2


def test_what_is_left_must_be_more_than_the_margin() -> None:
    """A reservation that runs out while the commit is on its way is as good as gone."""
    driver = about_to_book()
    driver.now = UtcMs(driver.now + SOON_MS - HOLD_MARGIN_MS)
    assert any(isinstance(record, r.RefreshStarted) for record in driver.grant("book"))


def test_a_booking_that_changed_by_renewal_is_undone() -> None:
    """What was authorized for the old price is not used for another one: everything is undone, with the reason."""
    driver = reserving_anew()
    driver.end("hold", held(driver, "second", 60_000, amount="130.00"))
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "HOLD_CHANGED"
    assert driver.task("hold").status == "compensated"
    assert driver.task("authorize").status == "compensated"


def test_a_renewal_that_is_sold_out_fails_the_booking() -> None:
    """When it cannot be reserved again, what was done so far is undone."""
    driver = about_to_book()
    driver.now = UtcMs(driver.now + SOON_MS)
    driver.grant("book")
    driver.mishap("hold", IMPOSSIBLE)
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


def test_a_reservation_that_cannot_be_given_back_is_named() -> None:
    """The old one may still stand somewhere: no second one is made beside it, and a person is told."""
    driver = about_to_book()
    driver.now = UtcMs(driver.now + SOON_MS)
    driver.grant("book")
    driver.mishap("undo hold", IMPOSSIBLE)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert driver.task("hold").stands is not None


def test_a_reservation_is_renewed_a_bounded_number_of_times() -> None:
    """Whatever never lasts long enough ends the booking instead of going round for ever."""
    driver = about_to_book()
    for _ in range(HOLD_REFRESHES_MAX):
        driver.now = UtcMs(driver.now + SOON_MS)
        driver.grant("book")
        driver.grant("hold", "undo")
        driver.end("hold", e.Succeeded({}), "undo")
        driver.grant("hold")
        driver.end("hold", held(driver, "again", SOON_MS))
    driver.now = UtcMs(driver.now + SOON_MS)
    driver.run()
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "HOLD_EXPIRED"


def test_a_reservation_that_a_commit_used_is_its_business() -> None:
    """Once booked, the hold's own time does not matter any more: the payment does not renew it."""
    driver = about_to_book()
    driver.grant("book")
    driver.end("book", e.Succeeded({"booking_id": "b-1", "total": PRICE}))
    driver.now = UtcMs(driver.now + SOON_MS)
    driver.grant("capture")
    assert driver.task("capture").status == "running"
    assert driver.task("hold").refreshes == 0


def test_a_crash_while_renewing_loses_nothing() -> None:
    """Killed at each step of a renewal, the booking still ends with one hold, one booking, one payment."""
    for kill_at in range(8):
        driver = about_to_book()
        driver.now = UtcMs(driver.now + SOON_MS)
        driver.grant("book")
        for step in range(40):
            if step == kill_at:
                driver.resume()
            driver.grant_all()
            if driver.workflow.is_terminal:
                break
            if not driver.workflow.active:
                driver.tick()
                continue
            task_id, side = next(iter(driver.workflow.active))
            if driver.call(task_id, side).purpose == "lookup":
                driver.end(task_id, e.Succeeded({"state": "absent"}), side)
            else:
                driver.end(task_id, answer(driver, str(task_id), side), side)
        assert driver.workflow.terminal == "completed", (kill_at, driver.workflow.failure)
        assert driver.workflow.revision == 2


def answer(driver: Driver, task_id: str, side: str) -> e.Succeeded:
    """A true answer of each action of the plan."""
    if side == "undo":
        return e.Succeeded({})
    outputs = {
        "hold": held(driver, "second", 600_000),
        "book": e.Succeeded({"booking_id": "b-1", "total": PRICE}),
        "capture": e.Succeeded({"capture_id": "c-1", "amount": PRICE}),
    }
    return outputs[task_id]


def test_a_lost_renewal_is_looked_up_like_any_call() -> None:
    """The second reservation is a call like the first: its fate is found out, not guessed."""
    driver = reserving_anew()
    driver.end("hold", LOST)
    assert driver.task("hold").status == "unknown"


def test_only_readable_instants_count() -> None:
    """An output without a readable `expires_at` holds for ever, as far as we know."""
    assert expiry_of(packed({"expires_at": format_instant(START)})) == START
    assert expiry_of(packed({})) is None
    assert expiry_of(packed({"expires_at": "soon"})) is None
    assert expiry_of(packed({"expires_at": 5})) is None


def test_the_first_reservation_to_run_out_is_what_a_task_is_due_by() -> None:
    """Urgency is the earliest of a task's reservations and the request's deadline."""
    driver = about_to_book()
    task = driver.task("book")
    assert task.terms.effect is Effect.COMMIT
    assert due_of(driver.workflow, task) == driver.task("hold").expires_at
    assert due_of(driver.workflow, driver.task("rooms")) is None


def test_a_renewal_that_a_lookup_found_is_compared_like_one_that_was_answered() -> None:
    """What was authorized for the old price is not used for another one, however the new price came to be known."""
    driver = reserving_anew()
    driver.end("hold", LOST)
    driver.tick()
    driver.grant("hold")
    driver.end("hold", found("succeeded", held(driver, "second", 60_000, amount="130.00").output))
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "HOLD_CHANGED"


def test_of_a_renewal_whose_fate_is_unknown_nothing_old_is_told() -> None:
    """The old reservation was given back; who looks for what may stand must not be sent after that one."""
    driver = begun(two_holds())
    driver.mishap("hold_b", held(driver, "first", SOON_MS), *[LOST] * 200)
    driver.mishap("hold_a", SILENT)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    standing = driver.workflow.outcomes[-1].content["error"]["standing"]
    assert [(each["task_id"], each["output"]) for each in standing] == [("hold_b", None)]


def test_what_was_called_before_a_retry_waits_for_all_that_it_comes_after() -> None:
    """A renewal amid a retry lets nobody go who waits for something else as well."""
    driver = begun(
        proposal(
            task("hold", "rooms.hold", offer_id="a"),
            task("pay", "cards.capture", after=["hold"], authorization_id="x", amount=PRICE),
            task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id="x"),
            task("built", "seats.book", after=["hold", "pay"], hold_id="h", authorization_id="x"),
        )
    )
    driver.mishap("hold", held(driver, "first", 60_000))
    driver.mishap("book", *[BUSY] * 3)
    driver.mishap("built", *[LOST] * 200)
    driver.mishap("undo hold", IMPOSSIBLE)
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert (driver.task("hold").status, driver.task("pay").status) == ("succeeded", "compensated")
    driver.control("retry")
    driver.mishap("pay", SILENT)
    driver.run(until="hold")
    assert driver.task("pay").status == "running"
    driver.end("hold", held(driver, "second", 600_000))
    assert driver.task("built").status == "pending"
    driver.run(until="built")
    assert driver.task("pay").status == "succeeded"


def test_what_a_revision_gave_up_says_nothing_of_a_renewal() -> None:
    """What is undone in any case was done for the old price; the booking that is left was not."""
    driver = begun(
        proposal(
            task("hold", "rooms.hold", offer_id="a"),
            task("authorize", "cards.authorize", amount=Ref("hold.total")),
            task("seat", "seats.hold", after=["authorize"], offer_id="b"),
            task("book", "rooms.book", after=["seat"], hold_id=Ref("hold.hold_id"), authorization_id="x"),
        )
    )
    driver.mishap("hold", held(driver, "first", SOON_MS), held(driver, "second", 600_000, amount="130.00"))
    driver.mishap("seat", SOLD_OUT)
    driver.run_until_quiet()
    driver.propose(
        proposal(
            task("hold", "rooms.hold"),
            task("other", "seats.hold", offer_id="c"),
            task("book", "rooms.book", after=["other"], hold_id=Ref("hold.hold_id"), authorization_id="x"),
        )
    )
    assert driver.task("authorize").retired
    driver.now = UtcMs(driver.now + SOON_MS)
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.task("hold").refreshes == 1
