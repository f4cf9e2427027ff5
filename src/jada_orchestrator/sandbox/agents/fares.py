"""The fares agent (Lambda `jada-fares`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import selling
from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.money import to_money

desk = Desk("fares")
app = desk.app
handler = app.lambda_handler


@desk.reads("fares.rules", pace_ms=70)
def rules(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """What the flights agent would keep or ask for."""
    offer = selling.checked_offer(books, "flight", given["offer_id"])
    return {
        "offer_id": offer.offer_id,
        "refundable": True,
        "cancel_fee": to_money(selling.cancel_fee(books, offer), offer.currency),
        "change_fee": to_money(selling.change_fee(offer), offer.currency),
        "checked_bags": {"economy": 1, "premium": 1, "business": 2}[offer.facts["cabin"]],
    }
