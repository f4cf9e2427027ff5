"""The plan of a cancellation: read the order, cancel its bookings at once, give the money back, close the order."""

from __future__ import annotations

from jada_orchestrator.sandbox.model.plans.changing import ORDER_QUESTION, add_order
from jada_orchestrator.sandbox.model.plans.draft import Const, Draft, Ref
from jada_orchestrator.sandbox.model.proposal import Proposal, clarify
from jada_orchestrator.sandbox.model.reading.intent import Part
from jada_orchestrator.sandbox.model.reading.wish import Wish

_THINGS: tuple[Part, ...] = ("flight", "hotel", "car")


def plan_cancellation(wish: Wish) -> Draft | Proposal:
    """Return the plan; the whole order unless the request names only some of flight, hotel and car."""
    draft = Draft()
    draft.add(
        "validate_request",
        "validator.request",
        droppable=True,
        kind=Const("cancel"),
        order_id=wish.order_id,
        customer_id=wish.customer_id,
    )
    order = add_order(draft, wish)
    if order is None:
        return clarify(*wish.doubts, ORDER_QUESTION.format("cancelled"))
    if wish.doubts:
        return clarify(*wish.doubts)
    things = [thing for thing in _THINGS if thing in wish.parts] or list(_THINGS)
    for thing in things:
        draft.add(
            f"cancel_{thing}s",
            f"{thing}s.cancel",
            after=["validate_request"],
            booking_ids=Ref(f"{order}.{thing}_booking_ids"),
        )
    refunds = ", ".join(f"cancel_{thing}s.refund" for thing in things)
    draft.add("quote_refund", "orders.quote", totals=Ref(f"[{refunds}]"))
    draft.add(
        "refund_payment", "payments.refund", capture_ids=Ref(f"{order}.capture_ids"), amount=Ref("quote_refund.total")
    )
    whole = len(things) == len(_THINGS)
    if whole:
        draft.add(
            "cancel_order",
            "orders.cancel",
            after=[f"cancel_{thing}s" for thing in things],
            order_id=Ref(f"{order}.order_id"),
        )
    draft.add(
        "notify_customer",
        "notifications.send",
        after=["cancel_order"] if whole else [],
        optional=True,
        customer_id=Ref(f"{order}.customer_id"),
        template=Const("booking_cancelled"),
        order_id=Ref(f"{order}.order_id"),
        total=Ref("refund_payment.refunded"),
    )
    draft.result("order_id", f"{order}.order_id")
    draft.result("refunded", "refund_payment.refunded")
    for thing in things:
        draft.result(f"{thing}_fee", f"cancel_{thing}s.fee")
    return draft
