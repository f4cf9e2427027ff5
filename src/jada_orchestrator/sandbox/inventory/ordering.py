"""Orders: what a customer booked and paid together; and the adding up that a plan cannot do by itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory.books import Books, Maker, new_id, record
from jada_orchestrator.sandbox.inventory.money import to_cents, to_money
from jada_orchestrator.sandbox.inventory.people import customer

_LISTS: Final = ("capture_ids", "flight_booking_ids", "hotel_booking_ids", "car_booking_ids")


def quote(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The sum of amounts in one currency; CURRENCY_MISMATCH, OVER_BUDGET."""
    amounts = [(to_cents(money), str(money["currency"])) for money in wanted["totals"]]
    currencies = {currency for cents, currency in amounts if cents} or {amounts[0][1]}
    budget = wanted.get("max_total")
    if budget is not None:
        currencies.add(budget["currency"])
    if len(currencies) > 1:
        raise AgentError("CURRENCY_MISMATCH", f"cannot add up {', '.join(sorted(currencies))}")
    currency = currencies.pop()
    total = sum(cents for cents, _ in amounts)
    if budget is not None and total > to_cents(budget):
        over = to_money(total, currency)["amount"]
        raise AgentError("OVER_BUDGET", f"{over} {currency} is more than the {budget['amount']} {currency} allowed")
    return {"total": to_money(total, currency), "count": len(amounts)}


def create(books: Books, connection: sqlite3.Connection, maker: Maker, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Records an order; NOT_FOUND when a booking or capture that it names does not exist."""
    customer(books.seed, wanted["customer_id"])
    for name in _LISTS[1:]:
        for booking_id in wanted.get(name, ()):
            if connection.execute("SELECT 1 FROM bookings WHERE booking_id = ?", (booking_id,)).fetchone() is None:
                raise AgentError("NOT_FOUND", f"there is no booking {booking_id}")
    for capture_id in wanted.get("capture_ids", ()):
        if connection.execute("SELECT 1 FROM captures WHERE capture_id = ?", (capture_id,)).fetchone() is None:
            raise AgentError("NOT_FOUND", f"there is no capture {capture_id}")
    order_id = new_id("ord")
    connection.execute(
        "INSERT INTO orders (order_id, customer_id, document, state, workflow_id, request_id)"
        " VALUES (?, ?, ?, 'open', ?, ?)",
        (order_id, wanted["customer_id"], json.dumps(dict(wanted)), maker.workflow_id, maker.request_id),
    )
    record(connection, maker, order_id, books.now_ms())
    return {"order_id": order_id, "total": wanted["total"], "state": "open"}


def cancel(books: Books, connection: sqlite3.Connection, maker: Maker, order_id: str) -> dict[str, Any]:
    """Closes an order; one that is cancelled already stays so. NOT_FOUND."""
    row = _row(connection, order_id)
    if row["state"] == "open":
        connection.execute("UPDATE orders SET state = 'cancelled' WHERE order_id = ?", (order_id,))
        record(connection, maker, order_id, books.now_ms(), undoes=order_id)
    return {"order_id": order_id, "state": "cancelled"}


def get(connection: sqlite3.Connection, order_id: str) -> dict[str, Any]:
    """One order; NOT_FOUND."""
    return _shown(connection, _row(connection, order_id))


def of_customer(connection: sqlite3.Connection, customer_id: str) -> dict[str, Any]:
    """A customer's open orders, newest first; NOT_FOUND when there are none."""
    rows = connection.execute(
        "SELECT * FROM orders WHERE customer_id = ? AND state = 'open' ORDER BY number DESC LIMIT 50", (customer_id,)
    ).fetchall()
    if not rows:
        raise AgentError("NOT_FOUND", f"{customer_id} has no open order")
    return {"orders": [_shown(connection, row) for row in rows]}


def _shown(connection: sqlite3.Connection, row: sqlite3.Row) -> dict[str, Any]:
    document = json.loads(row["document"])
    shown = {name: list(document.get(name, [])) for name in _LISTS}
    later = connection.execute(
        "SELECT capture_id FROM captures WHERE order_id = ? ORDER BY rowid", (row["order_id"],)
    ).fetchall()
    shown["capture_ids"] += [late["capture_id"] for late in later if late["capture_id"] not in shown["capture_ids"]]
    order = {
        "order_id": row["order_id"],
        "customer_id": row["customer_id"],
        "state": row["state"],
        "total": document["total"],
        **shown,
    }
    return order | ({"title": document["title"]} if "title" in document else {})


def _row(connection: sqlite3.Connection, order_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute("SELECT * FROM orders WHERE order_id = ?", (order_id,)).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no order {order_id}")
    return row
