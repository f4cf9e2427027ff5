"""Plans of many shapes over the travel catalogue, as hypothesis draws them."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.planning import Adopted, compile_proposal
from jada_orchestrator.testing.catalogues import (
    Ref,
    as_text,
    proposal,
    request,
    task,
    travel_catalogue,
    travel_proposal,
)
from jada_orchestrator.testing.simulated_planner import plan_for

_PRICE: Final = {"amount": "100.00", "currency": "USD"}
_FIRST: Final = ("trips.search", "checks.request", "rooms.hold", "seats.hold", "cards.authorize")
_COMMITS: Final = ("rooms.book", "seats.book", "cards.capture", "tickets.print", "orders.create")


def plans() -> st.SearchStrategy[JsonObject]:
    """A whole booking, a room with extras, one plan for each way to decide on a task, and graphs drawn at random."""
    deciding = [plan_for(kind) for kind in ("branches", "list", "stand_in", "mixed")]
    return (
        st.sampled_from([travel_proposal(), room_proposal(), asked_proposal(), *deciding])
        | graphs()
        | branching(graphs())
    )


def asked_proposal() -> JsonObject:
    """Return the plan of a room that waits, and asks a person twice: once for all, once for a seat with it."""
    return proposal(
        task("agree", "jada.approve", question="This one?", expires_in=600),
        task("seat_too", "jada.approve", question="A seat, too?", optional=True),
        task("rest", "jada.wait", after=["agree"], seconds=30),
        task("hold", "rooms.hold", after=["rest"], offer_id="offer-1"),
        task("seat", "seats.hold", optional=True, when="seat_too.approved", offer_id="offer-2"),
        task("book", "rooms.book", after=["seat"], hold_id=Ref("hold.hold_id"), authorization_id="a-1"),
        result={"booking": "book.booking_id"},
    )


def elsewhere(plan: JsonObject) -> JsonObject:
    """Return the same plan with other arguments of its reads: the same ids stand for other calls."""
    return {**plan, "tasks": [_elsewhere(one) for one in plan["tasks"]]}


def _elsewhere(one: JsonObject) -> JsonObject:
    return {
        **one,
        "args": [
            {**each, "value": f"{each['value']} and on"} if each["name"] in {"city", "day"} else each
            for each in one["args"]
        ],
    }


def room_proposal() -> JsonObject:
    """Return the plan of a room, with an optional hold that reads an optional search, a ticket and a message."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("extra", "trips.search", city="Porto", optional=True),
        task("extra_hold", "seats.hold", optional=True, offer_id=Ref("extra.offers[0].offer_id")),
        task("authorize", "cards.authorize", amount=Ref("hold.total")),
        task(
            "book",
            "rooms.book",
            after=["extra_hold"],
            hold_id=Ref("hold.hold_id"),
            authorization_id=Ref("authorize.authorization_id"),
        ),
        task("print", "tickets.print", booking_id=Ref("book.booking_id")),
        task("mail", "mail.send", after=["print"], text="Booked."),
        result={"booking": "book.booking_id", "extra": "extra_hold.hold_id"},
    )


@st.composite
def graphs(draw: st.DrawFn) -> JsonObject:
    """Draw a graph: checks and reservations in any order, then commits in any order, then perhaps a message."""
    first = [_first(draw, number) for number in range(draw(st.integers(1, 4)))]
    for number, one in enumerate(first):
        one["after"] = draw(_some_of([each["id"] for each in first[:number]]))
    required = [each["id"] for each in first if not each["optional"]]
    optional = [each["id"] for each in first if each["optional"]]
    commits: list[JsonObject] = []
    for number in range(draw(st.integers(0, 3))):
        one = _commit(draw, number, first)
        before = draw(_some_of([*optional, *(each["id"] for each in commits)]))
        one["after"] = [*required, *before]
        commits.append(one)
    last = []
    if draw(st.booleans()):
        after = [*required, *(each["id"] for each in commits)]
        last.append(task("mail", "mail.send", after=after, text="Booked."))
    return proposal(*first, *commits, *last)


@st.composite
def branching(draw: st.DrawFn, of: st.SearchStrategy[JsonObject]) -> JsonObject:
    """Draw a graph in which some tasks are decided upon: by a condition, a list, or another task's failure.

    A drawn change that makes the plan a wrong one is not made.
    """
    plan = draw(of)
    for number in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(plan["tasks"]) - 1))
        changed = draw(_decided(plan, place, number))
        if isinstance(compile_proposal(as_text(changed), _CATALOGUE, request()), Adopted):
            plan = changed
    return plan


_CATALOGUE: Final = travel_catalogue()
_CODES: Final = ("DRAWN", "NO", "BAD_OUTPUT")
"""Codes with which the machine has calls fail."""


@st.composite
def _decided(draw: st.DrawFn, plan: JsonObject, place: int, number: int) -> JsonObject:
    """Draw one change: a gate before one of the tasks, or a stand-in behind it."""
    tasks = [dict(each) for each in plan["tasks"]]
    chosen, others = tasks[place], [each for each in tasks[:place] if each["action"] == "trips.search"]
    search = f"found_{number}"
    match draw(st.sampled_from(["when", "for_each", "both", "instead"])):
        case "instead":
            stand_in = {**chosen, "id": f"stand_in_{number}", "after": list(chosen["after"])}
            codes = draw(st.lists(st.sampled_from(_CODES), min_size=1, unique=True))
            named = [{"kind": "on_code", "value": code} for code in codes]
            stand_in["control"] = [{"kind": "instead_of", "value": chosen["id"]}, *named]
            stand_in["args"] = [_varied(each) for each in chosen["args"]]
            tasks.insert(place + 1, stand_in)
        case kind:
            if not others:
                others = [task(search, "trips.search", city=f"city-of-{number}", optional=draw(st.booleans()))]
                tasks.insert(0, others[0])
            source = draw(st.sampled_from(others))["id"]
            holds = draw(st.sampled_from([f"{source} != `null`", f"{source} == `null`", f"!(not_null({source}))"]))
            if kind != "for_each":
                chosen["control"] = [{"kind": "when", "value": holds}]
            if kind != "when":
                listed = draw(st.sampled_from([f"[{source}.offers, {source}.offers][]", f"{source}.offers[1:]"]))
                chosen["control"] = [*chosen["control"], {"kind": "for_each", "value": listed}]
    return {**plan, "tasks": tasks}


def _varied(argument: JsonObject) -> JsonObject:
    """Return an argument with another value, so that a stand-in does not do the very same."""
    if argument["kind"] != "const" or argument["value"].startswith("{"):
        return argument
    return {**argument, "value": f"{argument['value']}-too"}


def _some_of(names: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(names), unique=True, max_size=3) if names else st.just([])


def _first(draw: st.DrawFn, number: int) -> JsonObject:
    action = draw(st.sampled_from(_FIRST))
    optional = draw(st.booleans())
    name, nth = f"first_{number}", f"offer-{number}"
    match action:
        case "trips.search":
            return task(name, action, optional=optional, city=f"city-{number}")
        case "checks.request":
            return task(name, action, optional=optional, day=f"day-{number}")
        case "cards.authorize":
            return task(name, action, optional=optional, amount={**_PRICE, "amount": f"10{number}.00"})
        case _:
            return task(name, action, optional=optional, offer_id=nth)


def _commit(draw: st.DrawFn, number: int, first: list[JsonObject]) -> JsonObject:
    action = draw(st.sampled_from(_COMMITS))
    name, optional = f"commit_{number}", draw(st.booleans())
    holds = [each["id"] for each in first if each["action"] == f"{action[:5]}.hold" and not each["optional"]]
    match action:
        case "rooms.book" | "seats.book":
            hold = Ref(f"{holds[0]}.hold_id") if holds else f"hold-{number}"
            return task(name, action, optional=optional, hold_id=hold, authorization_id=f"authorization-{number}")
        case "cards.capture":
            amount = {**_PRICE, "amount": f"10{number}.00"}
            return task(name, action, optional=optional, authorization_id="authorization-1", amount=amount)
        case "tickets.print":
            return task(name, action, optional=optional, booking_id=f"booking-{number}")
        case _:
            return task(name, action, optional=optional, total={**_PRICE, "amount": f"10{number}.00"})
