"""Revising a plan: what another one may get round is not the end of a booking."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.commands import AskPlanner
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.limits import CORRECTIONS_MAX, REVISION_WAIT_MAX_MS
from jada_orchestrator.domain.revision import PastTask
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.engine import outstanding
from jada_orchestrator.engine.asking import purpose_of
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.revising import past_of
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from tests.unit.engine.branching import for_each
from tests.unit.engine.driver import IMPOSSIBLE, LOST, SOLD_OUT, THROTTLED, Driver, begun

PRICE: JsonObject = {"amount": "100.00", "currency": "USD"}
REFUSAL = proposal(outcome="refuse", reason="There is no other room.")


def stay(*, room: str = "Lisbon") -> JsonObject:
    """A room and a seat, held, paid together, and booked; the seat is held whatever becomes of the room."""
    paid = Ref("authorize.authorization_id")
    return proposal(
        task("rooms", "trips.search", city=room),
        task("seats", "trips.search", city=room, flexible=True),
        task("hold_room", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("hold_seat", "seats.hold", offer_id=Ref("seats.offers[0].offer_id")),
        task("authorize", "cards.authorize", after=["hold_seat"], amount=Ref("hold_room.total")),
        task("book_seat", "seats.book", hold_id=Ref("hold_seat.hold_id"), authorization_id=paid),
        task("book_room", "rooms.book", hold_id=Ref("hold_room.hold_id"), authorization_id=paid),
        result={"room": "book_room.booking_id", "seat": "book_seat.booking_id"},
    )


def another_room(*, keep_seat: bool = True) -> JsonObject:
    """The same with another room; the seat is kept, or held anew for another number of guests."""
    paid = Ref("authorize.authorization_id")
    seat = "hold_seat" if keep_seat else "hold_seats"
    held = task("hold_seat", "seats.hold") if keep_seat else task(seat, "seats.hold", offer_id="offer-2", guests=2)
    return proposal(
        task("rooms_porto", "trips.search", city="Porto"),
        held,
        task("hold_porto", "rooms.hold", offer_id=Ref("rooms_porto.offers[0].offer_id")),
        task("authorize", "cards.authorize", after=[seat], amount=Ref("hold_porto.total")),
        task("book_seat", "seats.book", hold_id=Ref(f"{seat}.hold_id"), authorization_id=paid),
        task("book_room", "rooms.book", hold_id=Ref("hold_porto.hold_id"), authorization_id=paid),
        result={"room": "book_room.booking_id", "seat": "book_seat.booking_id"},
    )


def sold_out(*, until_asked: bool = True) -> Driver:
    """A driver whose room was sold out, with the seat held; the question for a revision is open."""
    driver = begun(stay())
    driver.mishap("hold_room", SOLD_OUT)
    if until_asked:
        driver.run_until_quiet()
        assert driver.workflow.status == Status.PLANNING
    return driver


def test_a_booking_is_completed_by_another_plan() -> None:
    """What stands is kept under its key, what is new is done, and the outcome tells of the later plan."""
    driver = sold_out()
    seat = driver.task("hold_seat")
    assert AskPlanner(driver.workflow.workflow_id, 2) in list(outstanding(driver.workflow))
    assert purpose_of(driver.workflow) == "revision"
    driver.propose(another_room())
    assert driver.task("hold_seat") is seat
    assert driver.task("hold_seat").planned.revision == 1
    assert driver.task("hold_porto").planned.revision == 2
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold", "seats.book", "seats.hold"]
    assert driver.names("do").count("hold_seat") == 1
    content = driver.workflow.outcomes[-1].content
    assert content["plan_revision"] == 2
    assert content["result"]["room"]
    assert {each["id"]: each["status"] for each in content["tasks"]}["hold_room"] == "failed"


def test_what_is_given_up_is_undone_before_anything_is_committed() -> None:
    """The traveller never has, nor pays, both the old and the new."""
    driver = sold_out()
    driver.propose(another_room(keep_seat=False))
    assert driver.task("hold_seat").retired
    assert ("hold_seat", "undo") in [ref for ref, _ in claimable(driver.workflow)]
    driver.mishap("undo hold_seat", THROTTLED, THROTTLED)
    driver.run_until_quiet()
    assert {name for name in driver.names("do") if name.startswith("book")} == set()
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.names("undo") == ["hold_seat"] * 3
    booked = next(place for place, call in enumerate(driver.calls) if call.action == "rooms.book")
    assert booked > max(place for place, call in enumerate(driver.calls) if call.action == "seats.release")
    assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold", "seats.book", "seats.hold"]


def test_nothing_is_started_while_a_revision_is_awaited() -> None:
    """What is under way ends first, a lost call by its lookup, and then the question is put."""
    driver = begun(stay())
    driver.run(until={"hold_room"})
    driver.grant_all()
    driver.end("hold_room", SOLD_OUT)
    records = driver.feed(e.TimerFired())
    assert records == []
    assert not any(isinstance(command, AskPlanner) for command in outstanding(driver.workflow))
    driver.end("hold_seat", LOST)  # no lookup: it is called again under its key, which finds out
    assert not driver.workflow.planning.asking
    driver.tick()
    assert [ref for ref, _ in claimable(driver.workflow)] == [("hold_seat", "do")]
    driver.run_until_quiet()
    assert driver.workflow.status == Status.PLANNING
    assert driver.task("authorize").do.attempts == 0


def test_a_failure_that_nothing_gets_round_is_compensated_at_once() -> None:
    """Nobody is asked, also not while a question for a revision is open."""
    driver = begun(stay())
    driver.mishap("hold_room", IMPOSSIBLE)
    driver.run_until_quiet()
    assert driver.workflow.terminal == "compensated"
    assert driver.workflow.revisions == 0
    driver = begun(stay())
    driver.run(until={"hold_room"})
    driver.grant_all()
    driver.end("hold_room", SOLD_OUT)
    driver.end("hold_seat", IMPOSSIBLE)
    assert driver.workflow.terminal == "failed"


@pytest.mark.parametrize(
    "answer",
    [REFUSAL, proposal(outcome="clarify", reason="?", questions=["Which city?"])],
    ids=["a refusal", "a question"],
)
def test_without_a_revision_everything_is_undone(answer: JsonObject) -> None:
    """A refusal ends the wait, and so does a question, which would take longer than reservations last."""
    driver = sold_out()
    driver.propose(answer)
    assert driver.workflow.status == Status.COMPENSATING
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "SOLD_OUT"
    assert "no other plan was found" in driver.workflow.failure.message


@pytest.mark.parametrize("kind", ["permanent", "stopped", "attention"])
def test_a_planner_that_cannot_be_asked_is_not_waited_for(kind: e.PlannerFailureKind) -> None:
    """No money, no key, no way: the booking is undone at once, and no dead letter is made of it."""
    driver = sold_out()
    driver.fail_planning(kind)
    assert driver.workflow.status == Status.COMPENSATING
    driver.run()
    assert driver.told() == ["compensated"]


def test_the_wait_is_bounded_whatever_the_planner_does() -> None:
    """An endpoint that fails again and again, or never answers, is given up in time; holds run out."""
    for silent in (True, False):
        driver = sold_out()
        asked_at = driver.now
        while driver.workflow.status == Status.PLANNING:
            if not silent and driver.workflow.planning.asking:
                driver.fail_planning("wait")
            else:
                driver.tick()
        assert driver.now <= asked_at + REVISION_WAIT_MAX_MS
        assert driver.workflow.status == Status.COMPENSATING
        driver.run()
        assert driver.workflow.terminal == "compensated"


def test_faults_go_back_as_often_as_those_of_a_first_plan() -> None:
    """A revision that changes history is faulted, and may be corrected; the last fault ends it."""
    changed = another_room()
    changed["tasks"][1]["args"] = [{"name": "offer_id", "kind": "const", "value": "another"}]
    driver = sold_out()
    for _ in range(CORRECTIONS_MAX):
        driver.propose(changed)
        assert driver.workflow.planning.asking
        assert purpose_of(driver.workflow) == "correction"
    driver.propose(changed)
    assert driver.workflow.status == Status.COMPENSATING
    driver = sold_out()
    driver.propose(changed)
    driver.propose(another_room())
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_there_are_two_revisions_and_no_third() -> None:
    """After that everything is undone, what the revisions did as well."""
    driver = sold_out()
    first = another_room()
    driver.propose(first)
    driver.mishap("hold_porto", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.workflow.revisions == 2
    second = another_room(keep_seat=False)
    second["tasks"][0] = task("rooms_faro", "trips.search", city="Faro")
    second["tasks"][2] = task("hold_faro", "rooms.hold", offer_id=Ref("rooms_faro.offers[0].offer_id"))
    second["tasks"][3] = task("authorize", "cards.authorize", after=["hold_seats"], amount=Ref("hold_faro.total"))
    second["tasks"][5] = task(
        "book_room",
        "rooms.book",
        hold_id=Ref("hold_faro.hold_id"),
        authorization_id=Ref("authorize.authorization_id"),
    )
    driver.propose(second)
    assert driver.workflow.status == Status.RUNNING
    driver.mishap("book_room", SOLD_OUT)
    driver.run()
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []
    assert sum(isinstance(entry.record, r.RevisionAsked) for entry in driver.entries) == 2


def revised(driver: Driver) -> Driver:
    """Have the room sold out, answer the question for a revision whenever it is open, and come to the end."""
    driver.mishap("hold_room", SOLD_OUT)
    while not driver.workflow.is_terminal:
        driver.run_until_quiet()
        if driver.workflow.status == Status.PLANNING:
            driver.propose(another_room(keep_seat=False))
        elif not driver.workflow.is_terminal:
            driver.tick()
    return driver


def test_it_survives_a_restart_after_every_commit() -> None:
    """Killed at any moment, from the failure to the end, the booking is completed all the same, with one of each."""
    whole = revised(begun(stay()))
    assert whole.workflow.terminal == "completed"
    boundaries = [count for count in whole.commits[1:] if count < len(whole.entries)]
    assert len(boundaries) > 20
    for count in boundaries:
        driver = begun(stay())
        driver.agents = whole.agents
        driver.entries = list(whole.entries[:count])
        driver.resume()
        revised(driver)
        assert driver.workflow.terminal == "completed", count
        assert driver.workflow.revision == 2
        assert driver.agents.books.doubled == []
        assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold", "seats.book", "seats.hold"]


@pytest.mark.parametrize("after", ["asked", "put"])
def test_a_cancellation_ends_the_wait(after: str) -> None:
    """Cancelled while a revision is awaited, the booking is undone, and a late answer means nothing."""
    driver = begun(stay())
    driver.run(until={"hold_room"})
    driver.grant_all()
    driver.end("hold_room", SOLD_OUT)
    if after == "put":
        driver.run_until_quiet()
    driver.control("cancel")
    assert driver.workflow.status == Status.COMPENSATING
    assert driver.propose(another_room(), call=2) == []
    driver.run()
    assert driver.workflow.terminal == "cancelled"
    assert driver.standing() == []


def test_a_deadline_ends_the_wait() -> None:
    """The request's deadline counts while a revision is awaited."""
    driver = begun(stay(), deadline=1_800_000_000_000 + 60_000)
    driver.mishap("hold_room", SOLD_OUT)
    driver.run_until_quiet()
    driver.tick(to=1_800_000_000_000 + 60_000)
    assert driver.workflow.status == Status.COMPENSATING
    driver.run()
    assert driver.workflow.terminal == "compensated"


def test_a_person_is_asked_only_when_no_revision_comes() -> None:
    """With `on_failure: ask` the question to a person follows the one to the planner."""
    driver = begun(stay(), on_failure="ask")
    driver.mishap("hold_room", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.told() == []
    driver.propose(REFUSAL)
    assert driver.told() == ["awaiting_approval"]
    driver.control("approve")
    driver.run()
    assert driver.workflow.terminal == "compensated"


def test_what_given_up_money_stands_for_stops_the_revision() -> None:
    """A booking that was to be given up and cannot be cancelled is no reason to buy another one."""
    driver = begun(stay())
    driver.mishap("book_room", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.task("book_seat").status == "succeeded"
    revision = another_room(keep_seat=False)
    revision["tasks"][3]["id"] = "authorize_porto"
    paid = Ref("authorize_porto.authorization_id")
    revision["tasks"][4] = task("book_seats", "seats.book", hold_id=Ref("hold_seats.hold_id"), authorization_id=paid)
    revision["tasks"][5] = task("book_porto", "rooms.book", hold_id=Ref("hold_porto.hold_id"), authorization_id=paid)
    revision["result"] = []
    driver.propose(revision)
    driver.mishap("undo book_seat", e.Failed(Failure("TOO_LATE", "no"), retryable=False, answered=True))
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert "book_porto" not in driver.names("do")
    assert [task.planned.id for task in driver.workflow.tasks.values() if task.stands is not None] == ["book_seat"]


def test_the_planner_sees_codes_and_numbers_and_no_agents_words() -> None:
    """Of outputs only what the schema spells out, of failures only codes that the catalogue knows."""
    driver = sold_out()
    past = past_of(driver.workflow, driver.catalogue)
    assert past is not None
    by_id: dict[str, PastTask] = {each.planned.id: each for each in past.tasks}
    assert by_id["hold_room"].state == "failed"
    assert by_id["hold_room"].code == "SOLD_OUT"
    assert by_id["authorize"].state == "not_started"
    price = {"amount": "100.00", "currency": "USD"}
    assert by_id["rooms"].facts == {"offers": {"count": 1, "first": [{"price": price, "stars": 3}]}}
    facts = by_id["hold_seat"].facts
    assert isinstance(facts, dict)
    assert set(facts) == {"total", "expires_at"}


def test_a_retry_goes_on_from_the_plan_as_revised() -> None:
    """What a revision gave up is not brought back by a retry."""
    driver = sold_out()
    driver.propose(another_room(keep_seat=False))
    driver.mishap("book_room", IMPOSSIBLE)
    driver.run()
    assert driver.told() == ["compensated"]
    driver.control("retry")
    driver.run()
    assert driver.told() == ["compensated", "completed"]
    assert "hold_room" not in driver.names("do")[-5:]
    assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold", "seats.book", "seats.hold"]


def test_what_a_retry_has_yet_to_find_out_is_not_forgotten_by_a_revision() -> None:
    """A task whose earlier effect may stand, and whose turn has not come again, keeps the plan as it is."""
    plan = stay()
    plan["tasks"].append(task("mail", "mail.send", after=["book_seat", "book_room"], text="Booked."))
    driver = begun(plan)
    driver.run(until={"mail"})
    driver.control("cancel")
    driver.end("mail", LOST)
    driver.run()
    assert driver.told() == ["needs_attention"]
    driver.control("retry")
    driver.mishap("hold_room", SOLD_OUT)
    driver.run()
    assert driver.told()[-1] == "needs_attention"
    assert driver.workflow.revisions == 0


def told_by_mail(**told: Json) -> Driver:
    """A booking that was cancelled when its mail was on the way, and is tried again: the mail stands."""
    plan = stay()
    plan["tasks"].append(task("mail", "mail.send", after=["book_seat", "book_room"], text="Booked.", **told))
    driver = begun(plan)
    driver.run(until={"mail"})
    driver.control("cancel")
    driver.run()
    assert driver.told() == ["needs_attention"]
    driver.control("retry")
    return driver


def test_what_cannot_be_undone_and_tells_of_what_is_gone_keeps_a_plan_from_being_revised() -> None:
    """Another plan would be completed with a mail about a booking that was given back: it is told once more instead."""
    driver = told_by_mail(order_id=Ref("book_room.booking_id"))
    driver.mishap("hold_room", SOLD_OUT)
    driver.run()
    assert driver.told() == ["needs_attention", "needs_attention"]
    assert driver.workflow.revisions == 0
    assert driver.standing() == ["mail.send"]


def test_what_cannot_be_undone_and_is_true_all_the_same_keeps_no_plan_from_being_revised() -> None:
    """A mail that tells of nothing that is gone is no reason against another plan."""
    driver = told_by_mail()
    driver.mishap("hold_room", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.workflow.status is Status.PLANNING


def one_room_more(kept: str, action: str) -> JsonObject:
    """A revision that keeps one call of a list, and holds, pays and books one room more."""
    return proposal(
        task(kept, action),
        task("hold_more", "rooms.hold", offer_id="offer-2", guests=3),
        task("pay_more", "cards.authorize", amount=Ref("hold_more.total")),
        task(
            "book_more",
            "rooms.book",
            hold_id=Ref("hold_more.hold_id"),
            authorization_id=Ref("pay_more.authorization_id"),
        ),
    )


def test_a_call_outlives_its_list() -> None:
    """A revision may keep a call whose list it gives up; a retry makes the call again, and leaves the list alone."""
    driver = begun(for_each())
    driver.mishap("authorize", SOLD_OUT)
    driver.run_until_quiet()
    driver.propose(one_room_more("hold[0]", "rooms.hold"))
    assert driver.task("hold").retired
    assert not driver.task("hold[0]").retired
    driver.mishap("book_more", IMPOSSIBLE)
    driver.run()
    assert driver.told() == ["compensated"]
    driver.control("retry")
    driver.run()
    assert driver.told() == ["compensated", "completed"]
    assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold", "rooms.hold"]


def test_a_call_that_outlived_its_list_is_made_again_of_what_is_there_then() -> None:
    """What its list was made of was undone with it, and is done anew: the call takes the new item, and is not lost."""
    driver = begun(for_each())
    driver.mishap("book[1]", SOLD_OUT)
    driver.mishap("rooms", e.Succeeded({"offers": [{"offer_id": f"o-{n}", "price": PRICE} for n in range(2)]}))
    driver.run_until_quiet()
    driver.propose(one_room_more("book[0]", "rooms.book"))
    driver.mishap("book_more", IMPOSSIBLE)
    driver.run()
    held = driver.task("hold[0]").output
    driver.control("retry")
    driver.run()
    assert driver.told() == ["compensated", "completed"]
    anew, booked = driver.task("hold[0]").output, driver.task("book[0]").do.input
    assert held is not None
    assert anew is not None
    assert booked is not None
    assert booked["hold_id"] == anew["hold_id"] != held["hold_id"]
    assert driver.task("book[0]").planned.control["item"] == anew  # what people are shown
    assert driver.agents.books.doubled == []


def test_what_was_given_up_and_undone_stays_so_when_a_retry_fails_as_well() -> None:
    """A payment that could not be given back is tried once more; what it was paid with is undone since long before."""
    paid = Ref("authorize.authorization_id")
    driver = begun(
        proposal(
            task("authorize", "cards.authorize", amount=PRICE),
            task("capture", "cards.capture", authorization_id=paid, amount=PRICE),
            task("mail", "mail.send", after=["capture"], text="Paid."),
        )
    )
    driver.mishap("mail", SOLD_OUT)
    driver.mishap("undo capture", IMPOSSIBLE)
    driver.run_until_quiet()
    driver.propose(proposal(task("other", "seats.hold", offer_id="b")))
    driver.run()
    assert driver.told() == ["needs_attention"]
    assert (driver.task("authorize").status, driver.task("capture").status) == ("compensated", "succeeded")
    driver.mishap("other", IMPOSSIBLE)
    driver.control("retry")
    driver.run()
    assert driver.told() == ["needs_attention", "compensated"]
    assert driver.standing() == []
