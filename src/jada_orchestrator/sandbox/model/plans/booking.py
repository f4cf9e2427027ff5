"""The plan of a new booking: look everything up and search at once, hold at once, pay once, book at once, record.

```
validate, customer, airports -+-> search per flight, room, car --> hold each --> quote --> policy, risk --> authorize
                              +-> documents -----------------------------------------------------------------^
authorize --> ticket and book each --> capture --> order --> notify (optional)
```
Holds wait for the check of the request (it is done while the searches run): nobody's last seat is held for a request
that makes no sense. They do not wait for one another.
"""

from __future__ import annotations

import re
from collections.abc import Sized
from dataclasses import dataclass
from datetime import date

from jada_orchestrator.sandbox.model.itinerary import Itinerary, Leg
from jada_orchestrator.sandbox.model.plans.draft import Const, Draft, Ref
from jada_orchestrator.sandbox.model.proposal import ControlKind
from jada_orchestrator.sandbox.model.reading.places import CODES


@dataclass(frozen=True, slots=True)
class _Held:
    """One thing that is held, and how it is booked in the end."""

    agent: str
    suffix: str
    when: str = ""
    """The condition under which it is wanted at all; empty where it is in any case."""

    @property
    def control(self) -> list[tuple[ControlKind, str]]:
        """What decides on its tasks."""
        return [("when", self.when)]

    @property
    def hold(self) -> str:
        """The id of the task that holds it."""
        return f"hold_{self.agent.removesuffix('s')}{self.suffix}"

    @property
    def book(self) -> str:
        """The id of the task that books it."""
        verb = "ticket" if self.agent == "flights" else "book"
        return f"{verb}_{self.agent.removesuffix('s')}{self.suffix}"


def plan_booking(trip: Itinerary) -> Draft:
    """Return the plan of a complete itinerary."""
    draft = Draft()
    wish = trip.wish
    _validate(draft, trip)
    draft.add("customer", "customers.profile", droppable=True, customer_id=wish.customer_id)
    draft.add("loyalty", "loyalty.balance", optional=True, customer_id=wish.customer_id)
    airports = {place: _airport(draft, place) for place in trip.places}
    held = [
        *(_flight(draft, trip, leg, airports, _suffix(index, trip.legs)) for index, leg in enumerate(trip.legs)),
        *(_room(draft, trip, index) for index in range(len(trip.stays) if trip.hotel else 0)),
        *(_car(draft, trip, index) for index in range(len(trip.stays) if trip.car else 0)),
    ]
    checks = _documents(draft, trip, airports)
    _pay_and_book(draft, trip, held, checks)
    return draft


def _validate(draft: Draft, trip: Itinerary) -> None:
    kinds = [name for name, wanted in (("flight", trip.legs), ("hotel", trip.hotel), ("car", trip.car)) if wanted]
    budget = trip.wish.budget
    draft.add(
        "validate_request",
        "validator.request",
        droppable=True,
        kind=Const(kinds[0] if len(kinds) == 1 else "trip"),
        customer_id=trip.wish.customer_id,
        travellers=trip.wish.travellers,
        start_date=trip.begin.isoformat(),
        end_date=None if trip.end == trip.begin else trip.end.isoformat(),
        max_total=budget.as_json() if budget else None,
    )


def _airport(draft: Draft, place: str) -> Ref | str:
    """Return the code that the user gave, or a reference to the task that finds it."""
    if place in CODES:
        return place
    # Task ids are lower_snake: letters that are not ASCII become underscores ("zürich" is z_rich).
    task_id = f"airport_{re.sub('[^a-z0-9]+', '_', place.lower()).strip('_') or 'of_place'}"
    while task_id in {task.id for task in draft.tasks}:
        task_id += "_too"
    return Ref(f"{draft.add(task_id, 'places.airports', query=place)}.code")


def _flight(draft: Draft, trip: Itinerary, leg: Leg, airports: dict[str, Ref | str], suffix: str) -> _Held:
    wish = trip.wish
    alone = len(trip.legs) == 1 and not trip.stays
    search = draft.add(
        f"search_flight{suffix}",
        "flights.search",
        origin=airports[leg.origin],
        destination=airports[leg.destination],
        depart_date=leg.day.isoformat(),
        return_date=leg.back.isoformat() if leg.back else None,
        travellers=trip.travellers,
        cabin=wish.cabin,
        max_price=wish.budget.as_json() if wish.budget and alone else None,
        currency=wish.currency,
        depart_after=wish.depart_after,
    )
    draft.add(f"fare_rules{suffix}", "fares.rules", optional=True, offer_id=Ref(f"{search}.offers[0].offer_id"))
    return _hold(draft, trip, _Held("flights", suffix), search)


def _room(draft: Draft, trip: Itinerary, index: int) -> _Held:
    stay, suffix = trip.stays[index], _suffix(index, trip.stays)
    search = draft.add(
        f"search_hotel{suffix}",
        "hotels.search",
        city=stay.city,
        check_in=stay.begin.isoformat(),
        check_out=stay.end.isoformat(),
        guests=trip.travellers,
        near=trip.wish.near if len(trip.stays) == 1 else None,
        min_stars=trip.wish.min_stars,
        currency=trip.wish.currency,
    )
    return _hold(draft, trip, _Held("hotels", suffix), search)


def _car(draft: Draft, trip: Itinerary, index: int) -> _Held:
    stay, suffix = trip.stays[index], _suffix(index, trip.stays)
    below = trip.wish.clauses.car_below if trip.hotel else None
    price = f"to_number(search_hotel{suffix}.offers[0].price.amount)"
    held = _Held("cars", suffix, f"{price} < `{below.amount}`" if below is not None else "")
    search = draft.add(
        f"search_car{suffix}",
        "cars.search",
        control=held.control,
        city=stay.city,
        pick_up=stay.begin.isoformat(),
        drop_off=stay.end.isoformat(),
        seats=trip.wish.travellers,
        currency=trip.wish.currency,
    )
    return _hold(draft, trip, held, search)


def _hold(draft: Draft, trip: Itinerary, held: _Held, search: str) -> _Held:
    draft.add(
        held.hold,
        f"{held.agent}.hold",
        after=["validate_request"],
        control=held.control,
        offer_id=Ref(f"{search}.offers[0].offer_id"),
        customer_id=trip.wish.customer_id,
        expected_price=Ref(f"{search}.offers[0].price"),
    )
    if trip.wish.clauses.another:
        draft.add(
            f"{held.hold}_other",
            f"{held.agent}.hold",
            after=["validate_request"],
            control=[("instead_of", held.hold), *_GONE],
            offer_id=Ref(f"{search}.offers[1].offer_id"),
            customer_id=trip.wish.customer_id,
            expected_price=Ref(f"{search}.offers[1].price"),
        )
    return held


_GONE: tuple[tuple[ControlKind, str], ...] = (("on_code", "SOLD_OUT"), ("on_code", "PRICE_CHANGED"))
"""What `hold` actions fail with when an offer is not to be had (any more) as it was found."""


def _documents(draft: Draft, trip: Itinerary, airports: dict[str, Ref | str]) -> list[str]:
    """Check the travel documents for every place that is flown to and whose country is looked up."""
    checks: list[str] = []
    first_arrivals: dict[str, date] = {}
    for leg in trip.legs:
        if leg.destination != trip.legs[0].origin:
            first_arrivals.setdefault(leg.destination, leg.day)
    for index, (place, day) in enumerate(first_arrivals.items()):
        airport = airports[place]
        if isinstance(airport, Ref):
            country = f"{airport.expression.removesuffix('.code')}.country_code"
        else:
            country = f"{draft.add(f'place_{place.lower()}', 'places.airports', query=place)}.country_code"
        checks.append(
            draft.add(
                f"check_documents{_suffix(index, first_arrivals)}",
                "validator.documents",
                droppable=True,
                customer_id=trip.wish.customer_id,
                country_code=Ref(country),
                arrive_date=day.isoformat(),
            )
        )
    return checks


def _pay_and_book(draft: Draft, trip: Itinerary, held: list[_Held], checks: list[str]) -> None:
    wish = trip.wish
    totals = ", ".join(f"{item.hold}.total" for item in held)
    listed = f"[{totals}][?@]" if any(item.when for item in held) else f"[{totals}]"
    draft.add("quote", "orders.quote", totals=Ref(listed), max_total=wish.budget.as_json() if wish.budget else None)
    total = Ref("quote.total")
    draft.add(
        "check_policy", "validator.policy", droppable=True, customer_id=wish.customer_id, total=total, cabin=wish.cabin
    )
    draft.add("check_risk", "validator.risk", droppable=True, customer_id=wish.customer_id, amount=total)
    draft.add(
        "authorize_payment",
        "payments.authorize",
        after=["check_policy", "check_risk", "validate_request", "customer", *checks],
        customer_id=wish.customer_id,
        amount=total,
    )
    for item in held:
        _book(draft, trip, item)
    draft.add(
        "capture_payment",
        "payments.capture",
        after=[item.book for item in held],
        authorization_id=Ref("authorize_payment.authorization_id"),
        amount=total,
    )
    _order(draft, trip, held)
    draft.add(
        "notify_customer",
        "notifications.send",
        optional=True,
        customer_id=wish.customer_id,
        template=Const("booking_confirmed"),
        order_id=Ref("create_order.order_id"),
        total=Ref("create_order.total"),
    )
    _results(draft, held)


def _book(draft: Draft, trip: Itinerary, item: _Held) -> None:
    hold, authorization = Ref(f"{item.hold}.hold_id"), Ref("authorize_payment.authorization_id")
    decided = item.control
    match item.agent:
        case "flights":
            # Only one name is known: whoever else travels is named later, by the customer.
            names = Ref("[customer.name]") if trip.travellers == 1 else None
            draft.add(item.book, "flights.ticket", hold_id=hold, authorization_id=authorization, traveller_names=names)
        case "hotels":
            guest = Ref("customer.name")
            draft.add(
                item.book,
                "hotels.book",
                control=decided,
                hold_id=hold,
                authorization_id=authorization,
                guest_name=guest,
            )
        case _:
            driver = Ref("customer.name")
            draft.add(
                item.book,
                "cars.book",
                control=decided,
                hold_id=hold,
                authorization_id=authorization,
                driver_name=driver,
            )


def _order(draft: Draft, trip: Itinerary, held: list[_Held]) -> None:
    def ids(agent: str) -> Ref | None:
        mine = [item for item in held if item.agent == agent]
        booked = ", ".join(f"{item.book}.booking_id" for item in mine)
        there = "[?@]" if any(item.when for item in mine) else ""
        return Ref(f"[{booked}]{there}") if booked else None

    draft.add(
        "create_order",
        "orders.create",
        customer_id=trip.wish.customer_id,
        total=Ref("capture_payment.amount"),
        capture_ids=Ref("[capture_payment.capture_id]"),
        flight_booking_ids=ids("flights"),
        hotel_booking_ids=ids("hotels"),
        car_booking_ids=ids("cars"),
        title=Const(_title(trip)),
    )


def _title(trip: Itinerary) -> str:
    where = (
        " - ".join([trip.legs[0].origin, *(leg.destination for leg in trip.legs)]) if trip.legs else trip.stays[0].city
    )
    days = trip.begin.isoformat() if trip.begin == trip.end else f"{trip.begin.isoformat()} to {trip.end.isoformat()}"
    return f"{where}, {days}"


def _results(draft: Draft, held: list[_Held]) -> None:
    draft.result("order_id", "create_order.order_id")
    draft.result("total", "create_order.total")
    for item in held:
        thing = f"{item.agent.removesuffix('s')}{item.suffix}"
        draft.result(f"{thing}_booking_id", f"{item.book}.booking_id")
        field = "record_locator" if item.agent == "flights" else "confirmation"
        draft.result(f"{thing}_{field}", f"{item.book}.{field}")


def _suffix(index: int, items: Sized) -> str:
    return f"_{index + 1}" if len(items) > 1 else ""
