"""The plan of several hotel stays that the frontend lists: one task a step, each called once for each stay.

```
search (for each stay) --> hold (for each found) --> quote --> policy, risk --> authorize --> book (for each held)
book --> capture --> order --> notify (optional)
```
The plan is the same however many stays there are.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from jada_orchestrator.sandbox.model.plans.draft import Const, Draft, Ref
from jada_orchestrator.sandbox.model.proposal import Proposal, clarify
from jada_orchestrator.sandbox.model.reading.wish import Wish

GUESTS_MAX = 9
_LIST = "request.booking.stays"


def plan_stays(wish: Wish) -> Draft | Proposal:
    """Return the plan of the listed stays, or the questions whose answers would complete the list."""
    questions = [
        f"Stay {number} is not complete: which city, check_in, check_out (YYYY-MM-DD) and guests (1 to {GUESTS_MAX})?"
        for number, stay in enumerate(wish.stays, start=1)
        if not _is_complete(stay)
    ]
    if wish.customer_id is None:
        questions.append("Which customer is it for (customer_id, for instance c-118)?")
    if questions:
        return clarify(*questions[:10])
    draft = Draft()
    _search_and_hold(draft, wish)
    _pay_and_book(draft, wish)
    draft.result("order_id", "create_order.order_id")
    draft.result("total", "create_order.total")
    draft.result("hotel_booking_ids", "book_hotel[*].booking_id")
    draft.result("hotel_confirmations", "book_hotel[*].confirmation")
    return draft


def _is_complete(stay: dict[str, Any]) -> bool:
    guests, city = stay.get("guests"), stay.get("city")
    try:
        days = [date.fromisoformat(str(stay.get(name))) for name in ("check_in", "check_out")]
    except ValueError:
        return False
    counted = isinstance(guests, int) and not isinstance(guests, bool) and 1 <= guests <= GUESTS_MAX
    return counted and isinstance(city, str) and len(city) > 1 and days[0] < days[1]


def _search_and_hold(draft: Draft, wish: Wish) -> None:
    draft.add(
        "validate_request",
        "validator.request",
        droppable=True,
        kind=Const("hotel"),
        customer_id=wish.customer_id,
        travellers=max(stay["guests"] for stay in wish.stays),
        start_date=min(stay["check_in"] for stay in wish.stays),
        end_date=max(stay["check_out"] for stay in wish.stays),
        max_total=wish.budget.as_json() if wish.budget else None,
    )
    draft.add("customer", "customers.profile", droppable=True, customer_id=wish.customer_id)
    draft.add(
        "search_hotel",
        "hotels.search",
        control=[("for_each", _LIST)],
        city=Ref("item.city"),
        check_in=Ref("item.check_in"),
        check_out=Ref("item.check_out"),
        guests=Ref("item.guests"),
        currency=wish.currency,
    )
    draft.add(
        "hold_hotel",
        "hotels.hold",
        control=[("for_each", "search_hotel")],
        after=["validate_request"],
        offer_id=Ref("item.offers[0].offer_id"),
        customer_id=wish.customer_id,
        expected_price=Ref("item.offers[0].price"),
    )


def _pay_and_book(draft: Draft, wish: Wish) -> None:
    customer, total = wish.customer_id, Ref("quote.total")
    authorization = Ref("authorize_payment.authorization_id")
    bound = wish.budget.as_json() if wish.budget else None
    draft.add("quote", "orders.quote", totals=Ref("hold_hotel[*].total"), max_total=bound)
    draft.add("check_policy", "validator.policy", droppable=True, customer_id=customer, total=total)
    draft.add("check_risk", "validator.risk", droppable=True, customer_id=customer, amount=total)
    draft.add(
        "authorize_payment",
        "payments.authorize",
        after=["check_policy", "check_risk", "validate_request", "customer"],
        customer_id=customer,
        amount=total,
    )
    draft.add(
        "book_hotel",
        "hotels.book",
        control=[("for_each", "hold_hotel")],
        hold_id=Ref("item.hold_id"),
        authorization_id=authorization,
        guest_name=Ref("customer.name"),
    )
    draft.add("capture_payment", "payments.capture", after=["book_hotel"], authorization_id=authorization, amount=total)
    draft.add(
        "create_order",
        "orders.create",
        customer_id=customer,
        total=Ref("capture_payment.amount"),
        capture_ids=Ref("[capture_payment.capture_id]"),
        hotel_booking_ids=Ref("book_hotel[*].booking_id"),
        title=Const(f"{len(wish.stays)} stays"),
    )
    draft.add(
        "notify_customer",
        "notifications.send",
        optional=True,
        customer_id=customer,
        template=Const("booking_confirmed"),
        order_id=Ref("create_order.order_id"),
        total=Ref("create_order.total"),
    )
