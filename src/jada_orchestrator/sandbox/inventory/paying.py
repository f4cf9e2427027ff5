"""Authorizing, voiding, capturing and refunding, against each customer's credit limit.

Every function works inside the caller's write transaction and notes its effect there. What it raises leaves nothing
behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any, Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory.books import Books, Maker, new_id, record
from jada_orchestrator.sandbox.inventory.money import CURRENCIES, in_dollars, to_cents, to_money
from jada_orchestrator.sandbox.inventory.people import customer

AUTHORIZATION_MINUTES: Final = 60


def authorize(books: Books, connection: sqlite3.Connection, maker: Maker, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Sets money aside; CARD_DECLINED (refused card, or more than the limit leaves), NOT_FOUND, UNKNOWN_CURRENCY."""
    who = customer(books.seed, wanted["customer_id"])
    cents, currency = _amount(wanted["amount"])
    left = who.credit_limit - credit_used(connection, who.customer_id)
    if who.card_declined or in_dollars(cents, currency) > left:
        raise AgentError(
            "CARD_DECLINED", "the card was declined" if who.card_declined else "the card's limit is reached"
        )
    authorization_id = new_id("pa")
    expires_ms = books.now_ms() + AUTHORIZATION_MINUTES * 60_000
    connection.execute(
        "INSERT INTO authorizations VALUES (?, ?, ?, ?, ?, 'authorized', ?, ?)",
        (authorization_id, who.customer_id, cents, currency, expires_ms, maker.workflow_id, maker.request_id),
    )
    record(connection, maker, authorization_id, books.now_ms())
    return {
        "authorization_id": authorization_id,
        "amount": to_money(cents, currency),
        "expires_at": books.instant(expires_ms),
    }


def void(books: Books, connection: sqlite3.Connection, maker: Maker, authorization_id: str) -> dict[str, Any]:
    """Lets an authorization go; one that is void, expired or refunded stays so. NOT_FOUND, ALREADY_CAPTURED."""
    row = _authorization(connection, authorization_id)
    state = row["state"]
    if state == "captured":
        raise AgentError("ALREADY_CAPTURED", f"{authorization_id} was captured: refund the capture instead")
    if state == "authorized":
        state = "voided"
        connection.execute("UPDATE authorizations SET state = 'voided' WHERE authorization_id = ?", (authorization_id,))
        record(connection, maker, authorization_id, books.now_ms(), undoes=authorization_id)
    return {"authorization_id": authorization_id, "state": state}


def capture(books: Books, connection: sqlite3.Connection, maker: Maker, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Takes authorized money once.

    Raises `AgentError` NOT_FOUND, ALREADY_CAPTURED, AUTHORIZATION_NOT_OPEN, AUTHORIZATION_TOO_SMALL, CURRENCY_MISMATCH.
    """
    row = _authorization(connection, wanted["authorization_id"])
    cents, currency = _amount(wanted["amount"])
    if row["state"] in ("captured", "refunded"):
        raise AgentError("ALREADY_CAPTURED", f"{row['authorization_id']} was captured already")
    if row["state"] != "authorized":
        raise AgentError("AUTHORIZATION_NOT_OPEN", f"{row['authorization_id']} is {row['state']}")
    if row["currency"] != currency:
        raise AgentError("CURRENCY_MISMATCH", f"the authorization is in {row['currency']}, not {currency}")
    if cents > row["amount"]:
        raise AgentError("AUTHORIZATION_TOO_SMALL", f"only {to_money(row['amount'], currency)} was authorized")
    capture_id = new_id("pc")
    connection.execute(
        "INSERT INTO captures VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)",
        (
            capture_id,
            row["authorization_id"],
            row["customer_id"],
            cents,
            currency,
            wanted.get("order_id"),
            maker.workflow_id,
            maker.request_id,
        ),
    )
    connection.execute(
        "UPDATE authorizations SET state = 'captured' WHERE authorization_id = ?", (row["authorization_id"],)
    )
    record(connection, maker, capture_id, books.now_ms())
    return {"capture_id": capture_id, "amount": to_money(cents, currency)}


def refund(books: Books, connection: sqlite3.Connection, maker: Maker, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Gives captured money back, oldest capture first; NOT_FOUND, REFUND_TOO_LARGE, CURRENCY_MISMATCH."""
    rows = [_capture(connection, capture_id) for capture_id in dict.fromkeys(wanted["capture_ids"])]
    currencies = {row["currency"] for row in rows}
    asked = _amount(wanted["amount"]) if "amount" in wanted else None
    if asked is not None and asked[0]:
        currencies.add(asked[1])
    if len(currencies) > 1:
        raise AgentError("CURRENCY_MISMATCH", f"these captures and the amount are in {', '.join(sorted(currencies))}")
    currency = next(iter(currencies), "USD")
    open_cents = sum(row["amount"] - row["refunded"] for row in rows)
    to_pay = open_cents if asked is None else asked[0]
    if to_pay > open_cents:
        raise AgentError("REFUND_TOO_LARGE", f"only {to_money(open_cents, currency)} can still be refunded")
    if to_pay == 0:
        return {"refunded": to_money(0, currency)}
    rest = to_pay
    for row in rows:
        part = min(rest, row["amount"] - row["refunded"])
        rest -= part
        _pay_back(connection, row, part)
    refund_id = new_id("pr")
    record(connection, maker, refund_id, books.now_ms(), undoes=",".join(row["capture_id"] for row in rows))
    return {"refund_id": refund_id, "refunded": to_money(to_pay, currency)}


def credit_used(connection: sqlite3.Connection, customer_id: str) -> int:
    """US cents of a customer's limit that are set aside or spent."""
    rows = connection.execute(
        "SELECT currency, SUM(cents) AS cents FROM ("
        " SELECT currency, amount AS cents FROM authorizations WHERE customer_id = :id AND state = 'authorized'"
        " UNION ALL SELECT currency, amount - refunded FROM captures WHERE customer_id = :id) GROUP BY currency",
        {"id": customer_id},
    ).fetchall()
    return sum(in_dollars(row["cents"], row["currency"]) for row in rows)


def _pay_back(connection: sqlite3.Connection, row: sqlite3.Row, cents: int) -> None:
    connection.execute("UPDATE captures SET refunded = refunded + ? WHERE capture_id = ?", (cents, row["capture_id"]))
    if row["refunded"] + cents == row["amount"]:
        connection.execute(
            "UPDATE authorizations SET state = 'refunded' WHERE authorization_id = ?", (row["authorization_id"],)
        )


def _amount(money: Mapping[str, Any]) -> tuple[int, str]:
    if money["currency"] not in CURRENCIES:
        raise AgentError("UNKNOWN_CURRENCY", f"{money['currency']} is not taken here, only {', '.join(CURRENCIES)}")
    return to_cents(money), str(money["currency"])


def _authorization(connection: sqlite3.Connection, authorization_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM authorizations WHERE authorization_id = ?", (authorization_id,)
    ).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no authorization {authorization_id}")
    return row


def _capture(connection: sqlite3.Connection, capture_id: str) -> sqlite3.Row:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM captures WHERE capture_id = ?", (capture_id,)
    ).fetchone()
    if row is None:
        raise AgentError("NOT_FOUND", f"there is no capture {capture_id}")
    return row
