"""The customers agent (Lambda `jada-customers`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.people import customer

desk = Desk("customers")
app = desk.app
handler = app.lambda_handler


@desk.reads("customers.profile", pace_ms=60)
def profile(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Who the customer is."""
    return customer(books.seed, given["customer_id"]).profile()
