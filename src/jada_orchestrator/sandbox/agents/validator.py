"""The validator agent (SQS `jada-validator`)."""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.agents import searching
from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import selling
from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.money import CURRENCIES, from_dollars, in_dollars, to_cents, to_money
from jada_orchestrator.sandbox.inventory.offers import DAYS_AHEAD_MAX
from jada_orchestrator.sandbox.inventory.people import Customer, customer

desk = Desk("validator", worker=True)
app = desk.app

_TRAVELLERS_MAX: Final = 9
_RISK_MAX: Final = 80
_VISA_FREE: Final = frozenset({"US", "PT", "GB", "FR", "DE", "ES", "IT", "NL", "AT", "CH", "DK", "IE", "JP", "SG"})


@desk.reads("validator.request", pace_ms=50)
def request(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Names everything that makes no sense, or says that all does."""
    problems, nights = [], 0
    if given.get("travellers", 1) > _TRAVELLERS_MAX:
        problems.append(f"{given['travellers']} travellers are more than {_TRAVELLERS_MAX}")
    if "max_total" in given and to_cents(given["max_total"]) == 0:
        problems.append("the budget is nothing")
    if "start_date" in given:
        start = searching.day(given["start_date"])
        end = searching.day(given.get("end_date", given["start_date"]))
        nights = (end - start).days
        if (start - selling.today(books)).days < 0:
            problems.append(f"{start} is past")
        if nights < 0:
            problems.append(f"{end} is before {start}")
        if (end - selling.today(books)).days > DAYS_AHEAD_MAX:
            problems.append(f"{end} is more than two years ahead")
    if problems:
        raise AgentError("INVALID_REQUEST", "; ".join(problems))
    return {"valid": True, "nights": nights}


@desk.reads("validator.documents", pace_ms=90)
def documents(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Whether the passport is good, and whether a visa is needed."""
    who = customer(books.seed, given["customer_id"])
    abroad = who.country_code != given["country_code"]
    if abroad and who.passport_expired:
        raise AgentError("DOCUMENTS_INVALID", "the customer's passport has expired")
    return {"valid": True, "visa_required": abroad and given["country_code"] not in _VISA_FREE}


@desk.reads("validator.policy", pace_ms=60)
def policy(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Whether the customer's company allows this total and this cabin."""
    who, (dollars, currency) = _asked(books, given["customer_id"], given["total"])
    if dollars > who.policy_limit:
        raise AgentError("POLICY_VIOLATION", f"more than the {who.policy_limit // 100} USD that the company allows")
    if who.economy_only and given.get("cabin", "economy") != "economy":
        raise AgentError("POLICY_VIOLATION", "the company allows economy only")
    return {
        "allowed": True,
        "policy": "strict" if who.economy_only else "standard",
        "limit": to_money(from_dollars(who.policy_limit, currency), currency),
    }


@desk.reads("validator.risk", pace_ms=80)
def risk(books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Whether the payment looks like the customer's own."""
    who, (dollars, _) = _asked(books, given["customer_id"], given["amount"])
    score = min(100, who.risk_score + dollars // 1_000_000)
    if score > _RISK_MAX:
        raise AgentError("RISK_TOO_HIGH", f"the risk of this payment is {score} of 100")
    return {"decision": "accept", "score": score}


def _asked(books: Books, customer_id: str, money: dict[str, Any]) -> tuple[Customer, tuple[int, str]]:
    """The customer, and the amount in US cents with the currency that it came in."""
    currency = money["currency"]
    if currency not in CURRENCIES:
        raise AgentError("UNKNOWN_CURRENCY", f"{currency} is not known here, only {', '.join(CURRENCIES)}")
    return customer(books.seed, customer_id), (in_dollars(to_cents(money), currency), currency)
