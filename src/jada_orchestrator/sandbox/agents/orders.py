"""The orders agent (Lambda `jada-orders`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import ordering
from jada_orchestrator.sandbox.inventory.books import Books, Maker

desk = Desk("orders")
app = desk.app
handler = app.lambda_handler
desk.looks_up()


@desk.reads("orders.quote", pace_ms=30)
def quote(_books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """The sum, within the budget."""
    return ordering.quote(given)


@desk.effects("orders.create", pace_ms=80)
def create(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """An order written down."""
    return ordering.create(books, connection, maker, given)


@desk.effects("orders.cancel", pace_ms=60)
def cancel(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """An order closed."""
    return ordering.cancel(books, connection, maker, given["order_id"])


@desk.reads("orders.get", pace_ms=40)
def get(_books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """One order."""
    return ordering.get(connection, given["order_id"])


@desk.reads("orders.list", pace_ms=50)
def of_customer(_books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """A customer's open orders."""
    return ordering.of_customer(connection, given["customer_id"])
