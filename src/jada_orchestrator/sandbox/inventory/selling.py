"""Holding, releasing, booking, cancelling and changing: the same for flights, rooms and cars.

Every function works inside the caller's write transaction and notes its effect there. What it raises leaves nothing
behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory import stock
from jada_orchestrator.sandbox.inventory.books import Books, Maker, new_id, record
from jada_orchestrator.sandbox.inventory.money import from_dollars, to_cents, to_money
from jada_orchestrator.sandbox.inventory.offers import DAYS_AHEAD_MAX, Kind, Offer, offer_by_id

HOLD_MINUTES: Final[Mapping[Kind, int]] = {"flight": 15, "room": 30, "car": 30}
_FLIGHT_FEE_EACH: Final = 75_00
_CHANGE_FEE_EACH: Final = 40_00
_CAR_FEE: Final = 25_00
_FREE_DAYS: Final = 2
_NOT_BOOKABLE: Final = {"expired": "HOLD_EXPIRED", "released": "HOLD_RELEASED", "booked": "ALREADY_BOOKED"}


@dataclass(frozen=True, slots=True)
class Due:
    """What a change of a booking costs, in cents of the booking's currency."""

    price: int
    fee: int
    due: int


def checked_offer(books: Books, kind: Kind, offer_id: str) -> Offer:
    """An offer of this kind that can still be sold; raises `AgentError` NOT_FOUND or OFFER_EXPIRED."""
    offer = offer_by_id(books.seed, offer_id)
    if offer.kind != kind:
        raise AgentError("NOT_FOUND", f"{offer_id} is not an offer of this agent")
    if not 0 <= (offer.starts - today(books)).days <= DAYS_AHEAD_MAX:
        raise AgentError("OFFER_EXPIRED", f"{offer_id} cannot be sold today: its day is past or too far ahead")
    return offer


def today(books: Books) -> date:
    """The day in UTC."""
    return date.fromisoformat(books.instant(books.now_ms())[:10])


def hold(
    books: Books, connection: sqlite3.Connection, maker: Maker, kind: Kind, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Keeps an offer's units until the hold expires; SOLD_OUT, PRICE_CHANGED, NOT_FOUND, OFFER_EXPIRED."""
    offer = checked_offer(books, kind, wanted["offer_id"])
    total = stock.price(connection, offer)
    expected = wanted.get("expected_price")
    if expected is not None and (expected["currency"] != offer.currency or to_cents(expected) < total):
        raise AgentError("PRICE_CHANGED", f"{offer.offer_id} costs {to_money(total, offer.currency)} now")
    stock.take(connection, offer)
    hold_id = new_id(f"{kind[0]}h")
    expires_ms = books.now_ms() + HOLD_MINUTES[kind] * 60_000
    connection.execute(
        "INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, 'held', ?, ?)",
        (
            hold_id,
            kind,
            offer.offer_id,
            wanted.get("customer_id"),
            total,
            offer.currency,
            expires_ms,
            maker.workflow_id,
            maker.request_id,
        ),
    )
    record(connection, maker, hold_id, books.now_ms())
    return {
        "hold_id": hold_id,
        "offer_id": offer.offer_id,
        "total": to_money(total, offer.currency),
        "expires_at": books.instant(expires_ms),
    }


def release(books: Books, connection: sqlite3.Connection, maker: Maker, kind: Kind, hold_id: str) -> dict[str, Any]:
    """Gives a hold back; one that is released or expired already stays so. NOT_FOUND, ALREADY_BOOKED."""
    row = _hold(connection, kind, hold_id)
    if row["state"] == "booked":
        booking = connection.execute("SELECT state FROM bookings WHERE hold_id = ?", (hold_id,)).fetchone()
        if booking["state"] != "cancelled":
            raise AgentError("ALREADY_BOOKED", f"{hold_id} was booked: cancel the booking instead")
        return {"hold_id": hold_id, "state": "released"}
    if row["state"] == "held":
        stock.give_back(connection, offer_by_id(books.seed, row["offer_id"]))
        connection.execute("UPDATE holds SET state = 'released' WHERE hold_id = ?", (hold_id,))
        record(connection, maker, hold_id, books.now_ms(), undoes=hold_id)
    return {"hold_id": hold_id, "state": "expired" if row["state"] == "expired" else "released"}


def book(
    books: Books, connection: sqlite3.Connection, maker: Maker, kind: Kind, wanted: Mapping[str, Any]
) -> tuple[str, dict[str, Any], Offer]:
    """Turns a hold into a booking; returns its id, its total and its offer.

    Raises `AgentError` NOT_FOUND, HOLD_EXPIRED, HOLD_RELEASED, ALREADY_BOOKED, and what `_cover` raises.
    """
    row = _hold(connection, kind, wanted["hold_id"])
    refusal = _NOT_BOOKABLE.get(row["state"])
    if refusal is not None:
        raise AgentError(refusal, f"the hold {row['hold_id']} is {row['state']}")
    _cover(connection, wanted["authorization_id"], row["total"], row["currency"])
    booking_id = new_id(f"{kind[0]}b")
    connection.execute("UPDATE holds SET state = 'booked' WHERE hold_id = ?", (row["hold_id"],))
    connection.execute(
        "INSERT INTO bookings (booking_id, kind, offer_id, hold_id, authorization_id, total, currency, state,"
        " workflow_id, request_id) VALUES (?, ?, ?, ?, ?, ?, ?, 'booked', ?, ?)",
        (
            booking_id,
            kind,
            row["offer_id"],
            row["hold_id"],
            wanted["authorization_id"],
            row["total"],
            row["currency"],
            maker.workflow_id,
            maker.request_id,
        ),
    )
    record(connection, maker, booking_id, books.now_ms())
    return booking_id, to_money(row["total"], row["currency"]), offer_by_id(books.seed, row["offer_id"])


def cancel(
    books: Books, connection: sqlite3.Connection, maker: Maker, kind: Kind, booking_ids: Sequence[str]
) -> dict[str, Any]:
    """Cancels bookings of one currency; what is cancelled already pays nothing again. NOT_FOUND, CURRENCY_MISMATCH."""
    refund, fees, currency = 0, 0, None
    for booking_id in dict.fromkeys(booking_ids):
        row = _booking(connection, kind, booking_id)
        currency = currency or row["currency"]
        if row["currency"] != currency:
            raise AgentError(
                "CURRENCY_MISMATCH", f"{booking_id} was paid in {row['currency']}, the others in {currency}"
            )
        if row["state"] == "cancelled":
            continue
        offer = offer_by_id(books.seed, row["offer_id"])
        fee = min(row["total"], cancel_fee(books, offer))
        stock.give_back(connection, offer)
        connection.execute("UPDATE bookings SET state = 'cancelled', fee = ? WHERE booking_id = ?", (fee, booking_id))
        record(connection, maker, booking_id, books.now_ms(), undoes=booking_id)
        refund, fees = refund + row["total"] - fee, fees + fee
    return {
        "cancelled": list(dict.fromkeys(booking_ids)),
        "refund": to_money(refund, currency or "USD"),
        "fee": to_money(fees, currency or "USD"),
    }


def change(
    books: Books, connection: sqlite3.Connection, maker: Maker, kind: Kind, wanted: Mapping[str, Any]
) -> dict[str, Any]:
    """Moves a booking to another offer, or back when `reverts` names the change.

    Raises `AgentError` NOT_FOUND, BOOKING_CANCELLED, SOLD_OUT, CURRENCY_MISMATCH, TRAVELLERS_DIFFER,
    PAYMENT_REQUIRED, and what `_cover` raises.
    """
    booking = _booking(connection, kind, wanted["booking_id"])
    if "reverts" in wanted:
        return _revert(books, connection, maker, booking, wanted["reverts"])
    if booking["state"] == "cancelled":
        raise AgentError("BOOKING_CANCELLED", f"{booking['booking_id']} is cancelled")
    old, new = offer_by_id(books.seed, booking["offer_id"]), checked_offer(books, kind, wanted["offer_id"])
    cost = change_cost(connection, booking, old, new)
    if cost.due:
        if "authorization_id" not in wanted:
            raise AgentError("PAYMENT_REQUIRED", f"{to_money(cost.due, new.currency)} is due for this change")
        _cover(connection, wanted["authorization_id"], cost.due, new.currency)
    stock.give_back(connection, old)
    stock.take(connection, new)
    change_id = new_id(f"{kind[0]}c")
    connection.execute(
        "INSERT INTO changes VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'made')",
        (
            change_id,
            booking["booking_id"],
            old.offer_id,
            new.offer_id,
            booking["total"],
            cost.due,
            wanted.get("authorization_id"),
            maker.request_id,
        ),
    )
    connection.execute(
        "UPDATE bookings SET offer_id = ?, total = ?, changed = changed + 1 WHERE booking_id = ?",
        (new.offer_id, max(booking["total"], cost.price), booking["booking_id"]),
    )
    record(connection, maker, change_id, books.now_ms())
    return _changed(change_id, booking["booking_id"], new.offer_id, old.offer_id, to_money(cost.due, new.currency))


def change_cost(connection: sqlite3.Connection, booking: sqlite3.Row, old: Offer, new: Offer) -> Due:
    """What moving to another offer costs (a cheaper one pays nothing back); CURRENCY_MISMATCH, TRAVELLERS_DIFFER."""
    if new.currency != booking["currency"]:
        raise AgentError(
            "CURRENCY_MISMATCH", f"the booking was paid in {booking['currency']}, the offer is in {new.currency}"
        )
    if new.kind == "flight" and new.travellers != old.travellers:
        raise AgentError("TRAVELLERS_DIFFER", f"the booking is for {old.travellers}, the offer for {new.travellers}")
    price = stock.price(connection, new)
    fee = change_fee(new)
    return Due(price, fee, max(0, price - booking["total"]) + fee)


def booking_of(connection: sqlite3.Connection, kind: Kind, booking_id: str) -> sqlite3.Row:
    """A booking that stands; NOT_FOUND, BOOKING_CANCELLED."""
    row = _booking(connection, kind, booking_id)
    if row["state"] == "cancelled":
        raise AgentError("BOOKING_CANCELLED", f"{booking_id} is cancelled")
    return row


def cancel_fee(books: Books, offer: Offer) -> int:
    """What is kept when a booking is cancelled today, in cents of the offer's currency."""
    match offer.kind:
        case "flight":
            return from_dollars(_FLIGHT_FEE_EACH * offer.travellers, offer.currency)
        case "room":
            late = (offer.starts - today(books)).days < _FREE_DAYS
            first = offer.units[0]
            return from_dollars(first.each * first.quantity, offer.currency) if late else 0
        case "car":
            return from_dollars(_CAR_FEE, offer.currency)


def change_fee(offer: Offer) -> int:
    """What changing to this offer costs besides the difference, in cents of its currency."""
    return from_dollars(_CHANGE_FEE_EACH * offer.travellers, offer.currency) if offer.kind == "flight" else 0


def _revert(
    books: Books, connection: sqlite3.Connection, maker: Maker, booking: sqlite3.Row, change_id: str
) -> dict[str, Any]:
    row = connection.execute(
        "SELECT * FROM changes WHERE change_id = ? AND booking_id = ?", (change_id, booking["booking_id"])
    ).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no change {change_id} of {booking['booking_id']}")
    if row["state"] == "made":
        if booking["state"] == "booked":
            stock.give_back(connection, offer_by_id(books.seed, row["to_offer"]))
            stock.take(connection, offer_by_id(books.seed, row["from_offer"]))
        connection.execute("UPDATE changes SET state = 'reverted' WHERE change_id = ?", (change_id,))
        connection.execute(
            "UPDATE bookings SET offer_id = ?, total = ?, changed = changed - 1 WHERE booking_id = ?",
            (row["from_offer"], row["from_total"], booking["booking_id"]),
        )
        record(connection, maker, change_id, books.now_ms(), undoes=change_id)
    nothing = to_money(0, booking["currency"])
    return _changed(change_id, booking["booking_id"], row["from_offer"], row["to_offer"], nothing)


def _changed(change_id: str, booking_id: str, offer_id: str, previous: str, due: dict[str, Any]) -> dict[str, Any]:
    return {
        "change_id": change_id,
        "booking_id": booking_id,
        "offer_id": offer_id,
        "previous_offer_id": previous,
        "due": due,
    }


def _cover(connection: sqlite3.Connection, authorization_id: str, total: int, currency: str) -> None:
    """Makes sure that an authorization stands and covers this besides all that was booked against it already."""
    row = connection.execute("SELECT * FROM authorizations WHERE authorization_id = ?", (authorization_id,)).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no authorization {authorization_id}")
    if row["state"] != "authorized":
        raise AgentError("AUTHORIZATION_NOT_OPEN", f"the authorization {authorization_id} is {row['state']}")
    if row["currency"] != currency:
        raise AgentError("CURRENCY_MISMATCH", f"the authorization is in {row['currency']}, the price in {currency}")
    used = connection.execute(
        "SELECT (SELECT COALESCE(SUM(total), 0) FROM bookings WHERE authorization_id = :id AND state = 'booked')"
        " + (SELECT COALESCE(SUM(due), 0) FROM changes WHERE authorization_id = :id AND state = 'made')",
        {"id": authorization_id},
    ).fetchone()[0]
    if used + total > row["amount"]:
        missing = to_money(used + total - row["amount"], currency)
        raise AgentError("AUTHORIZATION_TOO_SMALL", f"{missing} more than {authorization_id} covers is needed")


def _hold(connection: sqlite3.Connection, kind: Kind, hold_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM holds WHERE hold_id = ? AND kind = ?", (hold_id, kind)
    ).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no hold {hold_id}")
    return row


def _booking(connection: sqlite3.Connection, kind: Kind, booking_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM bookings WHERE booking_id = ? AND kind = ?", (booking_id, kind)
    ).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no booking {booking_id}")
    return row
