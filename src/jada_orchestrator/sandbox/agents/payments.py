"""The payments agent (Lambda `jada-payments`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import paying
from jada_orchestrator.sandbox.inventory.books import Books, Maker

desk = Desk("payments")
app = desk.app
handler = app.lambda_handler
desk.looks_up()


@desk.effects("payments.authorize", pace_ms=160)
def authorize(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Money set aside."""
    return paying.authorize(books, connection, maker, given)


@desk.effects("payments.void", pace_ms=80)
def void(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Money let go."""
    return paying.void(books, connection, maker, given["authorization_id"])


@desk.effects("payments.capture", pace_ms=140)
def capture(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Money taken."""
    return paying.capture(books, connection, maker, given)


@desk.effects("payments.refund", pace_ms=140)
def refund(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Money given back."""
    return paying.refund(books, connection, maker, given)
