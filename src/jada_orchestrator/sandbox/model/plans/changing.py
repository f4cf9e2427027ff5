"""The plan of a change: read the order, find the new offer, price the change, pay what is due, change, record.

The order does not say from where to where its flight goes, so a change of a flight needs the route; and it is always
the first flight (or hotel) booking of the order that is changed.
"""

from __future__ import annotations

from datetime import timedelta

from jada_orchestrator.sandbox.model.plans.draft import Const, Draft, Ref
from jada_orchestrator.sandbox.model.proposal import Proposal, clarify
from jada_orchestrator.sandbox.model.reading.places import CODES
from jada_orchestrator.sandbox.model.reading.wish import Wish

ORDER_QUESTION = "Which order shall be {0} (its order_id)?"


def add_order(draft: Draft, wish: Wish) -> str | None:
    """Add what reads the order; return the root of its fields, or None when nobody said which order."""
    if wish.order_id is not None:
        return draft.add("get_order", "orders.get", order_id=wish.order_id)
    if wish.latest_order and wish.customer_id is not None:
        return f"{draft.add('list_orders', 'orders.list', customer_id=wish.customer_id)}.orders[0]"
    return None


def plan_change(wish: Wish) -> Draft | Proposal:
    """Return the plan of a change of a flight, a hotel or both; or the questions that are open."""
    flight, hotel = _what(wish)
    questions = _questions(wish, flight=flight, hotel=hotel)
    if questions:
        return clarify(*questions)
    draft = Draft()
    draft.add(
        "validate_request",
        "validator.request",
        droppable=True,
        kind=Const("change"),
        order_id=wish.order_id,
        customer_id=wish.customer_id,
        travellers=wish.travellers,
        start_date=wish.dates[0].isoformat(),
        end_date=wish.dates[1].isoformat() if len(wish.dates) > 1 else None,
    )
    order = add_order(draft, wish) or ""
    changed = []
    if flight:
        changed.append(_price_flight(draft, wish, order))
    if hotel:
        changed.append(_price_hotel(draft, wish, order))
    _pay_and_change(draft, wish, order, changed)
    return draft


def _what(wish: Wish) -> tuple[bool, bool]:
    flight = "flight" in wish.parts or (len(wish.path) > 1 and "hotel" not in wish.parts)
    return flight, "hotel" in wish.parts


def _questions(wish: Wish, *, flight: bool, hotel: bool) -> list[str]:
    questions = list(wish.doubts)
    if "car" in wish.parts:
        questions.append("A rental car cannot be changed, only cancelled and booked again. Shall it be cancelled?")
    if wish.order_id is None and not (wish.latest_order and wish.customer_id):
        questions.append(ORDER_QUESTION.format("changed"))
    if not flight and not hotel and "car" not in wish.parts:
        questions.append("What of it shall be changed: the flight, the hotel, or both?")
    if flight and len(wish.path) < 2:
        questions.append("From which city or airport to which does the flight to be changed go?")
    if hotel and not wish.path:
        questions.append("In which city is the hotel?")
    if not wish.dates:
        questions.append("To which dates shall it be changed (for instance 3 May to 10 May)?")
    elif hotel and len(wish.dates) < 2 and not wish.nights:
        questions.append("For how many nights, or until which date, shall the stay be?")
    if wish.travellers is None and (flight or hotel):
        questions.append("How many people travel?")
    return questions


def _price_flight(draft: Draft, wish: Wish, order: str) -> str:
    returns = len(wish.dates) > 1 and not wish.one_way
    search = draft.add(
        "search_flight",
        "flights.search",
        origin=_code(draft, wish.path[0], "origin"),
        destination=_code(draft, wish.path[1], "destination"),
        depart_date=wish.dates[0].isoformat(),
        return_date=wish.dates[1].isoformat() if returns else None,
        travellers=wish.travellers,
        cabin=wish.cabin,
        currency=wish.currency or Ref(f"{order}.total.currency"),
        depart_after=wish.depart_after,
    )
    return _price(draft, "flight", search, order)


def _price_hotel(draft: Draft, wish: Wish, order: str) -> str:
    begin = wish.dates[0]
    end = wish.dates[1] if len(wish.dates) > 1 else begin + timedelta(days=wish.nights or 1)
    search = draft.add(
        "search_hotel",
        "hotels.search",
        city=wish.path[-1] if len(wish.path) < 3 else wish.path[1],
        check_in=begin.isoformat(),
        check_out=end.isoformat(),
        guests=wish.travellers,
        near=wish.near,
        min_stars=wish.min_stars,
        currency=wish.currency or Ref(f"{order}.total.currency"),
    )
    return _price(draft, "hotel", search, order)


def _price(draft: Draft, thing: str, search: str, order: str) -> str:
    draft.add(
        f"price_{thing}_change",
        f"{thing}s.price",
        offer_id=Ref(f"{search}.offers[0].offer_id"),
        booking_id=Ref(f"{order}.{thing}_booking_ids[0]"),
    )
    return thing


def _code(draft: Draft, place: str, task_id: str) -> Ref | str:
    return place if place in CODES else Ref(f"{draft.add(f'airport_{task_id}', 'places.airports', query=place)}.code")


def _pay_and_change(draft: Draft, wish: Wish, order: str, changed: list[str]) -> None:
    customer = Ref(f"{order}.customer_id")
    dues = ", ".join(f"price_{thing}_change.due" for thing in changed)
    limit = wish.budget.as_json() if wish.budget else None
    draft.add("quote", "orders.quote", totals=Ref(f"[{dues}]"), max_total=limit)
    total = Ref("quote.total")
    draft.add("check_policy", "validator.policy", droppable=True, customer_id=customer, total=total, cabin=wish.cabin)
    draft.add("check_risk", "validator.risk", droppable=True, customer_id=customer, amount=total)
    draft.add(
        "authorize_payment",
        "payments.authorize",
        after=["validate_request", "check_policy", "check_risk"],
        customer_id=customer,
        amount=total,
    )
    for thing in changed:
        draft.add(
            f"change_{thing}",
            f"{thing}s.change",
            booking_id=Ref(f"{order}.{thing}_booking_ids[0]"),
            offer_id=Ref(f"price_{thing}_change.offer_id"),
            authorization_id=Ref("authorize_payment.authorization_id"),
        )
    draft.add(
        "capture_payment",
        "payments.capture",
        after=[f"change_{thing}" for thing in changed],
        authorization_id=Ref("authorize_payment.authorization_id"),
        amount=total,
        order_id=Ref(f"{order}.order_id"),
    )
    draft.add(
        "notify_customer",
        "notifications.send",
        optional=True,
        customer_id=customer,
        template=Const("booking_changed"),
        order_id=Ref(f"{order}.order_id"),
        total=Ref("capture_payment.amount"),
    )
    draft.result("order_id", f"{order}.order_id")
    draft.result("paid", "capture_payment.amount")
    for thing in changed:
        draft.result(f"{thing}_change_id", f"change_{thing}.change_id")
        draft.result(f"{thing}_offer_id", f"change_{thing}.offer_id")
