"""The loyalty agent (Lambda `jada-loyalty`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.people import customer

desk = Desk("loyalty")
app = desk.app
handler = app.lambda_handler


@desk.reads("loyalty.balance", pace_ms=60)
def balance(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Points and tier."""
    who = customer(books.seed, given["customer_id"])
    return {
        "customer_id": who.customer_id,
        "points": who.points,
        "tier": who.tier,
        "loyalty_number": who.loyalty_number,
    }
