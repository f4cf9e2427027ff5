"""Revisions as the compiler sees them: history is kept or given up, and never changed."""

from __future__ import annotations

from typing import Any

import pytest

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.domain.revision import Past, PastState, PastTask
from jada_orchestrator.planning import Adopted, Faulted, compile_proposal
from jada_orchestrator.testing.catalogues import Ref, as_text, money, proposal, request, task, travel_catalogue

CATALOGUE = travel_catalogue()
PAID = Ref("authorize.authorization_id")
PRICE = {"amount": "900.00", "currency": "USD"}


def first_plan() -> Plan:
    """A room that is paid before a seat is booked, and a message."""
    compiled = compile_proposal(
        as_text(
            proposal(
                task("rooms", "trips.search", city="Lisbon"),
                task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
                task("extra", "trips.search", city="Porto", optional=True),
                task("authorize", "cards.authorize", after=["extra"], amount=Ref("hold.total")),
                task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=PAID),
                task("capture", "cards.capture", after=["book"], authorization_id=PAID, amount=PRICE),
                task("seat", "seats.book", after=["capture"], hold_id="hold-1", authorization_id=PAID),
                task("mail", "mail.send", after=["seat"], text="Booked."),
            )
        ),
        CATALOGUE,
        request(),
    )
    assert isinstance(compiled, Adopted), compiled
    return compiled.plan


STATES: dict[str, PastState] = {
    "rooms": "succeeded",
    "hold": "succeeded",
    "extra": "failed",
    "authorize": "succeeded",
    "book": "succeeded",
    "capture": "succeeded",
    "seat": "failed",
    "mail": "not_started",
}


def past(**changed: PastState) -> Past:
    """The room booked and paid, the seat sold out."""
    plan = first_plan()
    tasks = []
    for planned in plan.tasks:
        state = changed.get(planned.id, STATES[planned.id])
        amount = money("900.00 USD") if planned.id == "capture" and state == "succeeded" else None
        code = "SOLD_OUT" if state == "failed" else ""
        is_bound = planned.action == "mail.send" and state == "succeeded"
        tasks.append(PastTask(planned, state, code, amount=amount, is_bound=is_bound))
    return Past(tuple(tasks), plan.terms, frozenset({TaskId("seat")}))


def compiled(*tasks: JsonObject, before: Past | None = None, **more: Any) -> Adopted | Faulted:
    """What a revision of these tasks comes to."""
    constraints = {name: more.pop(name) for name in ("max_total",) if name in more}
    text = as_text(proposal(*tasks, **more))
    answer = compile_proposal(text, CATALOGUE, request(**constraints), revision=2, past=before or past())
    assert isinstance(answer, Adopted | Faulted), answer
    return answer


def plan_of(answer: Adopted | Faulted) -> Plan:
    """The adopted plan."""
    assert isinstance(answer, Adopted), answer
    return answer.plan


def codes(answer: Adopted | Faulted) -> list[tuple[str, str]]:
    """The faults by code and place."""
    assert isinstance(answer, Faulted), answer
    return [(fault.code, fault.where) for fault in answer.faults]


def kept(name: str, action: str) -> JsonObject:
    """An executed task, named so that it is kept."""
    return task(name, action)


OTHER_SEAT = task("other_seat", "seats.book", hold_id="hold-2", authorization_id=PAID)


def test_what_is_read_is_kept_and_what_it_stands_on() -> None:
    """A kept task is the very task, under its first revision; what came before it is kept; the rest is given up."""
    plan = plan_of(compiled(OTHER_SEAT))
    first = {planned.id: planned for planned in first_plan().tasks}
    assert [planned.id for planned in plan.tasks] == ["rooms", "hold", "extra", "authorize", "other_seat"]
    assert all(planned == first[planned.id] for planned in plan.tasks[:-1])
    assert plan.tasks[-1].revision == 2
    assert [planned.id for planned in plan.retired] == ["book", "capture", "seat"]
    assert {planned.action for planned in plan.everything} <= set(plan.terms)


def test_what_is_named_is_kept() -> None:
    """A task is kept by its id and action, by saying the same of it, by `after`, and by the result."""
    for keeping in (
        [kept("capture", "cards.capture"), OTHER_SEAT],
        [task("capture", "cards.capture", authorization_id=PAID, amount=PRICE), OTHER_SEAT],
        [task("other_seat", "seats.book", after=["capture"], hold_id="hold-2", authorization_id=PAID)],
    ):
        plan = plan_of(compiled(*keeping))
        assert [planned.id for planned in plan.retired] == ["seat"]
    result = {"paid": "capture.amount"}
    assert [planned.id for planned in plan_of(compiled(OTHER_SEAT, result=result)).retired] == ["seat"]


@pytest.mark.parametrize(
    "gate",
    [
        pytest.param({"when": "to_number(rooms.offers[0].price.amount) > `50`", "city": "Faro"}, id="its condition"),
        pytest.param({"for_each": "rooms.offers", "city": Ref("item.offer_id")}, id="its list"),
    ],
)
def test_what_decides_on_a_new_task_is_kept(gate: dict[str, Any]) -> None:
    """To look at a task is to read it."""
    plan = plan_of(compiled(task("more", "trips.search", **gate)))
    assert [planned.id for planned in plan.tasks] == ["rooms", "more"]


def test_what_cannot_be_undone_is_kept_unasked() -> None:
    """A message that was sent stays part of the plan, and so does what it told of."""
    before = past(seat="succeeded", mail="succeeded", rooms="succeeded")
    again = task("more", "trips.search", city="Porto")
    assert [planned.id for planned in plan_of(compiled(again, before=before)).retired] == []


def test_what_was_not_started_is_planned_freely() -> None:
    """An id that no executed task has may be used for anything."""
    mail = task("mail", "mail.send", after=["other_seat"], text="No.")
    plan = plan_of(compiled(kept("capture", "cards.capture"), OTHER_SEAT, mail))
    assert plan.tasks[-1].revision == 2


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (kept("rooms", "rooms.hold"), ("EXECUTED_CHANGED", "tasks.rooms")),
        (task("rooms", "trips.search", city="Porto"), ("EXECUTED_CHANGED", "tasks.rooms")),
        (task("rooms", "trips.search", guests=2), ("EXECUTED_CHANGED", "tasks.rooms")),
        (task("hold", "rooms.hold", offer_id="another"), ("EXECUTED_CHANGED", "tasks.hold")),
        (task("hold", "rooms.hold", offer_id=Ref("rooms.offers[1].offer_id")), ("EXECUTED_CHANGED", "tasks.hold")),
        (task("rooms", "trips.search", after=["other_seat"]), ("EXECUTED_CHANGED", "tasks.rooms")),
        (kept("seat", "seats.book"), ("EXECUTED_ID", "tasks.seat.id")),
        (kept("extra", "trips.search"), ("EXECUTED_ID", "tasks.extra.id")),
        (
            task("seat_2", "seats.book", after=["capture"], hold_id="hold-1", authorization_id=PAID),
            ("REPEATED_FAILURE", "tasks.seat_2"),
        ),
        (task("more", "trips.search", city=Ref("seat.booking_id")), ("BAD_REFERENCE", "tasks.more.args.city")),
        (task("more", "trips.search", after=["seat"], city="Faro"), ("UNKNOWN_TASK", "tasks.more.after")),
        (task("more", "cards.capture", authorization_id=PAID, amount=PRICE), ("DUPLICATE_WORK", "tasks.more")),
    ],
)
def test_history_cannot_be_changed(change: JsonObject, fault: tuple[str, str]) -> None:
    """Each attempt to change, reuse or repeat what was executed is faulted, where it is."""
    found = codes(compiled(kept("capture", "cards.capture"), OTHER_SEAT, change))
    assert fault in found, found


def test_what_is_kept_counts_with_its_money() -> None:
    """The bound holds for what stands and what is new together."""
    more = task("more", "cards.capture", after=["other_seat"], authorization_id="a-2", amount=PRICE)
    keeping = kept("capture", "cards.capture")
    assert ("OVER_BUDGET", "tasks") in codes(compiled(keeping, OTHER_SEAT, more, max_total="1000.00 USD"))
    assert isinstance(compiled(keeping, OTHER_SEAT, more, max_total="1800.00 USD"), Adopted)
    assert isinstance(compiled(OTHER_SEAT, more, max_total="1000.00 USD"), Adopted), "what is given up is paid back"


def test_what_was_committed_orders_nothing_anew() -> None:
    """A hold that a revision adds need not come before a commit that was done; it must come before the next one."""
    hold = task("hold_seat", "seats.hold", offer_id="offer-1")
    book = task("other_seat", "seats.book", hold_id=Ref("hold_seat.hold_id"), authorization_id=PAID)
    keeping = kept("capture", "cards.capture")
    assert isinstance(compiled(keeping, hold, book), Adopted)
    hasty = task("hasty", "seats.book", hold_id="hold-7", authorization_id=PAID)
    assert ("UNSAFE_ORDER", "tasks.hasty.after") in codes(compiled(keeping, hold, book, hasty))


def test_revisions_of_revisions_know_what_was_given_up() -> None:
    """What an earlier revision gave up is history, too, and is carried along."""
    plan = plan_of(compiled(OTHER_SEAT))
    states = {**dict.fromkeys(["rooms", "hold", "authorize"], "succeeded"), "extra": "failed", "other_seat": "failed"}
    tasks = [
        PastTask(planned, "given_up" if planned in plan.retired else states[planned.id], "SOLD_OUT")  # type: ignore[arg-type]
        for planned in plan.everything
    ]
    third = task("third", "seats.book", hold_id="h-3", authorization_id=PAID)
    again = compiled(third, before=Past(tuple(tasks), plan.terms))
    assert [planned.id for planned in plan_of(again).retired] == ["other_seat", "book", "capture", "seat"]
    reused = compiled(kept("book", "rooms.book"), before=Past(tuple(tasks), plan.terms))
    assert codes(reused)[0] == ("EXECUTED_ID", "tasks.book.id")
    assert TaskId("book") not in {planned.id for planned in plan_of(again).tasks}
