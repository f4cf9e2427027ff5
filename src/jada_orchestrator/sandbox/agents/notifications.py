"""The notifications agent (SQS `jada-notifications`). It writes into the books and sends nothing."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory.books import Books, Maker, new_id, record
from jada_orchestrator.sandbox.inventory.people import customer

desk = Desk("notifications", worker=True)
app = desk.app
desk.looks_up()


@desk.effects("notifications.send", pace_ms=60)
def send(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A message written down as sent."""
    who, message_id, now_ms = customer(books.seed, given["customer_id"]), new_id("msg"), books.now_ms()
    connection.execute(
        "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
        (message_id, who.customer_id, given["template"], json.dumps(given), maker.workflow_id, maker.request_id),
    )
    record(connection, maker, message_id, now_ms)
    return {"message_id": message_id, "channel": "email", "sent_at": books.instant(now_ms)}
