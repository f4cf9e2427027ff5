"""The reference agents, action by action, from the outside: what a booking, a change and a cancellation do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest

from jada_orchestrator.sandbox.inventory import Books, stock
from jada_orchestrator.sandbox.inventory.audit import audit
from tests.unit.sandbox.conftest import AGENTS, NOTIFY, Call, Done
from tests.unit.sandbox.test_catalogue import ACTIONS

Days = Callable[[int], str]


def usd(amount: str) -> dict[str, str]:
    """So many dollars."""
    return {"amount": amount, "currency": "USD"}


def code(reply: dict[str, Any]) -> str:
    """The code of a reply that must be a failure and need no retry."""
    assert reply["status"] == "failed", reply
    assert reply["error"]["retryable"] is False
    return str(reply["error"]["code"])


class Trip:
    """A flight there and back, a room and a car for two in Lisbon, held, paid for and booked."""

    def __init__(self, done: Done, days: Days) -> None:
        out, back = days(120), days(127)
        self.flights = done(
            "flights.search", origin="BOS", destination="LIS", depart_date=out, return_date=back, travellers=2
        )["offers"]
        self.rooms = done("hotels.search", city="Lisbon", check_in=out, check_out=back, guests=2, near="Alfama")[
            "offers"
        ]
        self.cars = done("cars.search", city="LIS", pick_up=out, drop_off=back)["offers"]
        self.holds = {
            agent: done(f"{agent}.hold", offer_id=offers[0]["offer_id"], expected_price=offers[0]["price"])
            for agent, offers in (("flights", self.flights), ("hotels", self.rooms), ("cars", self.cars))
        }
        self.total = done("orders.quote", totals=[hold["total"] for hold in self.holds.values()])["total"]
        self.authorization = done("payments.authorize", customer_id="c-118", amount=self.total)["authorization_id"]
        paid_by = {"authorization_id": self.authorization}
        self.ticket = done("flights.ticket", hold_id=self.holds["flights"]["hold_id"], **paid_by)
        self.room = done("hotels.book", hold_id=self.holds["hotels"]["hold_id"], **paid_by)
        self.car = done("cars.book", hold_id=self.holds["cars"]["hold_id"], **paid_by)
        self.capture = done("payments.capture", amount=self.total, **paid_by)["capture_id"]
        self.order = done(
            "orders.create",
            customer_id="c-118",
            total=self.total,
            capture_ids=[self.capture],
            flight_booking_ids=[self.ticket["booking_id"]],
            hotel_booking_ids=[self.room["booking_id"]],
            car_booking_ids=[self.car["booking_id"]],
        )["order_id"]


@pytest.fixture
def trip(done: Done, in_days: Days) -> Trip:
    """A booked trip."""
    return Trip(done, in_days)


def test_a_trip_is_booked_paid_and_in_the_books(trip: Trip, shared: Books) -> None:
    """After a whole booking the books show what stands, that it is paid in full, and that no hold is left over."""
    found = audit(shared.path)
    standing = found.standing("local")
    assert len(standing.bookings) == 3
    assert standing.orders == (trip.order,)
    assert standing.booked == standing.kept
    assert found.half_made({"local": "completed"}) == ()
    assert (found.doubled, found.miscounted) == ((), ())


def test_searches_give_the_cheapest_first_and_nothing_above_the_price(trip: Trip, done: Done, in_days: Days) -> None:
    """Offers ascend in price, are where they were asked for, and a greatest price holds."""
    for offers in (trip.flights, trip.rooms, trip.cars):
        prices = [float(offer["price"]["amount"]) for offer in offers]
        assert prices == sorted(prices)
    assert {offer["neighbourhood"] for offer in trip.rooms} == {"Alfama"}
    cheapest = trip.cars[0]["price"]
    again = done("cars.search", city="lisboa", pick_up=in_days(120), drop_off=in_days(127), max_price=cheapest)
    assert [offer["price"] for offer in again["offers"]] == [cheapest]


def test_an_order_leads_to_its_cancellation(trip: Trip, done: Done, shared: Books) -> None:
    """From the order alone everything is cancelled, and what the rules give back is refunded."""
    order = done("orders.list", customer_id="c-118")["orders"][0]
    assert order == done("orders.get", order_id=trip.order)
    refunds = [
        done(f"{agent}s.cancel", booking_ids=order[f"{agent}_booking_ids"])["refund"]
        for agent in ("flight", "hotel", "car")
    ]
    refund = done("orders.quote", totals=refunds)["total"]
    assert done("payments.refund", capture_ids=order["capture_ids"], amount=refund)["refunded"] == refund
    assert done("orders.cancel", order_id=trip.order)["state"] == "cancelled"
    assert done("notifications.send", customer_id="c-118", template="booking_cancelled", order_id=trip.order)["sent_at"]
    standing = audit(shared.path).standing("local")
    assert standing.bookings == standing.orders == ()
    assert 0 < sum(cents for _, cents in standing.kept) == 150_00 + 25_00


def test_undoing_twice_is_a_success_and_changes_nothing(trip: Trip, done: Done, shared: Books) -> None:
    """Cancel, refund, release and void by another key find it done already; no second effect is in the books."""
    undo: list[tuple[str, dict[str, Any]]] = [
        ("orders.cancel", {"order_id": trip.order}),
        ("payments.refund", {"capture_ids": [trip.capture]}),
        ("flights.cancel", {"booking_ids": [trip.ticket["booking_id"]]}),
        ("hotels.cancel", {"booking_ids": [trip.room["booking_id"]]}),
        ("cars.cancel", {"booking_ids": [trip.car["booking_id"]]}),
        ("payments.void", {"authorization_id": trip.authorization}),
        *((f"{agent}.release", {"hold_id": hold["hold_id"]}) for agent, hold in trip.holds.items()),
    ]
    for action, given in undo:
        done(action, **given)
    before = len(audit(shared.path).effects)
    for action, given in undo:
        done(action, **given)
    found = audit(shared.path)
    assert len(found.effects) == before
    assert found.standing("local").nothing
    assert found.miscounted == ()


def test_a_change_moves_the_booking_and_its_compensation_moves_it_back(trip: Trip, done: Done, call: Call) -> None:
    """A change must be paid for, keeps the booking's id, and is undone free of charge with the bindings declared."""
    booking_id, other = trip.ticket["booking_id"], trip.flights[-1]["offer_id"]
    price = done("flights.price", offer_id=other, booking_id=booking_id)
    assert price["change_fee"] == usd("80.00")
    assert code(call("flights.change", {"booking_id": booking_id, "offer_id": other})) == "PAYMENT_REQUIRED"
    paid = done("payments.authorize", customer_id="c-118", amount=price["due"])["authorization_id"]
    change = done("flights.change", booking_id=booking_id, offer_id=other, authorization_id=paid)
    assert change["due"] == price["due"]
    top_up = done("payments.capture", authorization_id=paid, amount=price["due"], order_id=trip.order)["capture_id"]
    assert done("orders.get", order_id=trip.order)["capture_ids"] == [trip.capture, top_up]
    back = {"booking_id": booking_id, "offer_id": change["previous_offer_id"], "reverts": change["change_id"]}
    assert done("flights.change", **back)["offer_id"] == trip.flights[0]["offer_id"]
    assert done("flights.change", **back)["due"] == usd("0.00")


def test_a_room_is_changed_too(trip: Trip, done: Done) -> None:
    """A cheaper room costs nothing to change to, and nothing is paid back for it."""
    dearer = {"booking_id": trip.room["booking_id"], "offer_id": trip.rooms[0]["offer_id"]}
    assert done("hotels.price", **dearer)["due"] == usd("0.00")
    assert done("hotels.change", **dearer)["due"] == usd("0.00")


def test_the_answers_of_every_action_fit_the_catalogue(trip: Trip, done: Done, call: Call, in_days: Days) -> None:
    """Each action of the catalogue is called with an input that it allows and answers as it declares."""
    booked = {"booking_id": trip.ticket["booking_id"], "offer_id": trip.flights[0]["offer_id"]}
    lodging = {"booking_id": trip.room["booking_id"], "offer_id": trip.rooms[0]["offer_id"]}
    key = {"idempotency_key": "jk-never-used"}
    extra, loose = (
        {agent: done(f"{agent}.hold", offer_id=offers[0]["offer_id"]) for agent, offers in _offers(trip).items()}
        for _ in range(2)
    )
    other = done("payments.authorize", customer_id="c-2", amount=usd("5000.00"))["authorization_id"]
    spare = done("payments.authorize", customer_id="c-2", amount=usd("1.00"))["authorization_id"]
    inputs: dict[str, dict[str, Any]] = {
        "flights.search": {"origin": "JFK", "destination": "HND", "depart_date": in_days(9), "travellers": 1},
        "flights.price": booked,
        "flights.hold": {"offer_id": trip.flights[0]["offer_id"], "customer_id": "c-1"},
        "flights.change": {**booked, "authorization_id": other},
        "flights.ticket": {
            "hold_id": extra["flights"]["hold_id"],
            "authorization_id": other,
            "traveller_names": ["A B"],
        },
        "flights.release": {"hold_id": loose["flights"]["hold_id"]},
        "flights.cancel": {"booking_ids": [trip.ticket["booking_id"]]},
        "flights.lookup": key,
        "hotels.search": {
            "city": "Tokyo",
            "check_in": in_days(9),
            "check_out": in_days(11),
            "guests": 3,
            "min_stars": 3,
        },
        "hotels.price": lodging,
        "hotels.hold": {"offer_id": trip.rooms[0]["offer_id"]},
        "hotels.change": lodging,
        "hotels.book": {"hold_id": extra["hotels"]["hold_id"], "authorization_id": other, "guest_name": "A B"},
        "hotels.release": {"hold_id": loose["hotels"]["hold_id"]},
        "hotels.cancel": {"booking_ids": [trip.room["booking_id"]]},
        "hotels.lookup": key,
        "cars.search": {"city": "Rome", "pick_up": in_days(9), "drop_off": in_days(11), "category": "suv", "seats": 5},
        "cars.price": {"offer_id": trip.cars[0]["offer_id"]},
        "cars.hold": {"offer_id": trip.cars[0]["offer_id"]},
        "cars.book": {"hold_id": extra["cars"]["hold_id"], "authorization_id": other, "driver_name": "A B"},
        "cars.release": {"hold_id": loose["cars"]["hold_id"]},
        "cars.cancel": {"booking_ids": []},
        "cars.lookup": key,
        "payments.authorize": {"customer_id": "c-2", "amount": usd("10")},
        "payments.capture": {"authorization_id": other, "amount": usd("100.5")},
        "payments.void": {"authorization_id": spare},
        "payments.refund": {"capture_ids": [trip.capture], "amount": usd("1.00")},
        "payments.lookup": key,
        "orders.quote": {"totals": [usd("1.00"), usd("2.50")], "max_total": usd("3.50")},
        "orders.create": {"customer_id": "c-2", "total": usd("1.00"), "title": "A day out"},
        "orders.get": {"order_id": trip.order},
        "orders.list": {"customer_id": "c-118"},
        "orders.cancel": {"order_id": trip.order},
        "orders.lookup": key,
        "customers.profile": {"customer_id": "c-118"},
        "loyalty.balance": {"customer_id": "c-118"},
        "places.airports": {"query": "New York"},
        "places.destinations": {"query": "Lisboa, Portugal"},
        "fares.rules": {"offer_id": trip.flights[0]["offer_id"]},
        "validator.request": {"kind": "trip", "start_date": in_days(9), "end_date": in_days(11), "travellers": 2},
        "validator.documents": {"customer_id": "c-118", "country_code": "PT", "arrive_date": in_days(9)},
        "validator.policy": {"customer_id": "c-118", "total": trip.total},
        "validator.risk": {"customer_id": "c-118", "amount": trip.total},
        "notifications.send": {"customer_id": "c-118", "template": "message", "text": "Hello"},
        "notifications.lookup": key,
    }
    assert set(inputs) == set(ACTIONS)
    for action, given in inputs.items():
        jsonschema_rs.validate(ACTIONS[action]["input"], given)
        reply = call(action, given)
        assert reply["status"] == "succeeded", (action, reply)
        jsonschema_rs.validate(ACTIONS[action]["output"], reply["output"])


def _offers(trip: Trip) -> dict[str, list[dict[str, Any]]]:
    return {"flights": trip.flights, "hotels": trip.rooms, "cars": trip.cars}


@pytest.mark.parametrize(
    ("action", "given", "expected"),
    [
        ("flights.hold", {"offer_id": "LX-4412"}, "NOT_FOUND"),
        ("flights.hold", {"offer_id": "FL-TP999-BOSLIS-270231-2Y-USD"}, "NOT_FOUND"),
        ("flights.release", {"hold_id": "fh-none"}, "NOT_FOUND"),
        ("flights.ticket", {"hold_id": "fh-none", "authorization_id": "pa-none"}, "NOT_FOUND"),
        ("flights.cancel", {"booking_ids": ["fb-none"]}, "NOT_FOUND"),
        (
            "hotels.search",
            {"city": "Atlantis", "check_in": "2027-01-01", "check_out": "2027-01-02", "guests": 1},
            "UNKNOWN_PLACE",
        ),
        ("cars.search", {"city": "Rome", "pick_up": "2020-01-01", "drop_off": "2020-01-02"}, "INVALID_DATES"),
        ("cars.search", {"city": "Rome", "pick_up": "2027-02-31", "drop_off": "2027-03-02"}, "BAD_INPUT"),
        (
            "hotels.search",
            {"city": "Rome", "check_in": "2027-02-03", "check_out": "2027-02-03", "guests": 1},
            "INVALID_DATES",
        ),
        ("payments.authorize", {"customer_id": "c-declined", "amount": usd("1.00")}, "CARD_DECLINED"),
        ("payments.authorize", {"customer_id": "c-lowcredit", "amount": usd("300.01")}, "CARD_DECLINED"),
        (
            "payments.authorize",
            {"customer_id": "c-1", "amount": {"amount": "1", "currency": "JPY"}},
            "UNKNOWN_CURRENCY",
        ),
        ("payments.capture", {"authorization_id": "pa-none", "amount": usd("1.00")}, "NOT_FOUND"),
        ("payments.refund", {"capture_ids": [], "amount": usd("1.00")}, "REFUND_TOO_LARGE"),
        ("orders.quote", {"totals": [usd("1.01")], "max_total": usd("1.00")}, "OVER_BUDGET"),
        ("orders.quote", {"totals": [usd("1"), {"amount": "1", "currency": "EUR"}]}, "CURRENCY_MISMATCH"),
        ("orders.get", {"order_id": "ord-none"}, "NOT_FOUND"),
        ("orders.list", {"customer_id": "c-1"}, "NOT_FOUND"),
        ("orders.create", {"customer_id": "c-1", "total": usd("1"), "hotel_booking_ids": ["rb-none"]}, "NOT_FOUND"),
        ("customers.profile", {"customer_id": "c-unknown"}, "NOT_FOUND"),
        ("places.airports", {"query": "Atlantis"}, "UNKNOWN_PLACE"),
        ("validator.request", {"kind": "trip", "start_date": "2020-01-01", "travellers": 12}, "INVALID_REQUEST"),
        ("validator.documents", {"customer_id": "c-expired", "country_code": "XX"}, "DOCUMENTS_INVALID"),
        ("validator.policy", {"customer_id": "c-strict", "total": usd("501.00")}, "POLICY_VIOLATION"),
        ("validator.policy", {"customer_id": "c-strict", "total": usd("1"), "cabin": "business"}, "POLICY_VIOLATION"),
        ("validator.risk", {"customer_id": "c-risky", "amount": usd("1.00")}, "RISK_TOO_HIGH"),
        ("flights.hold", {"offer": "LX-4412"}, "BAD_INPUT"),
    ],
)
def test_refusals_have_their_codes(
    call: Call, shared: Books, action: str, given: dict[str, Any], expected: str
) -> None:
    """What cannot be done is refused with the documented code, never retryable, and leaves no effect."""
    assert code(call(action, given)) == expected
    assert audit(shared.path).effects == ()


def test_a_hold_is_refused_at_a_price_that_has_risen(trip: Trip, call: Call, shared: Books) -> None:
    """Whoever says what he expects to pay is told of a higher price instead of being held to it."""
    offer = trip.flights[0]
    stock.set_price_percent(shared, offer["offer_id"], 110)
    given = {"offer_id": offer["offer_id"], "expected_price": offer["price"]}
    assert code(call("flights.hold", given)) == "PRICE_CHANGED"


def test_bookings_need_money_that_covers_them(trip: Trip, done: Done, call: Call) -> None:
    """One authorization pays for so much and no more, and a captured one for nothing."""
    hold_id = done("hotels.hold", offer_id=trip.rooms[0]["offer_id"])["hold_id"]
    small = done("payments.authorize", customer_id="c-1", amount=usd("10.00"))["authorization_id"]
    assert code(call("hotels.book", {"hold_id": hold_id, "authorization_id": small})) == "AUTHORIZATION_TOO_SMALL"
    used = {"hold_id": hold_id, "authorization_id": trip.authorization}
    assert code(call("hotels.book", used)) == "AUTHORIZATION_NOT_OPEN"
    twice = {"authorization_id": trip.authorization, "amount": trip.total}
    assert code(call("payments.capture", twice)) == "ALREADY_CAPTURED"
    assert code(call("payments.void", {"authorization_id": trip.authorization})) == "ALREADY_CAPTURED"


async def test_workers_serve_tasks_on_an_event_loop(call: Call, shared: Books) -> None:
    """The agents on queues are asynchronous: a task in the worker's loop takes the same way through the books."""
    first = await AGENTS["notifications"].handle_async(NOTIFY)
    again = await AGENTS["notifications"].handle_async({**NOTIFY, "attempt": 2})
    assert first["output"] == again["output"]
    assert len(audit(shared.path).effects_of("web-1")) == 1
