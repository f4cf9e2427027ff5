"""What the searches of flights, hotels and cars have in common: dates, sorting, and no offer that cannot be had."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import date
from typing import Any, Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory import selling, stock, world
from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.money import CURRENCIES, to_cents, to_money
from jada_orchestrator.sandbox.inventory.offers import DAYS_AHEAD_MAX, Kind, Offer, offer_by_id

_SHOWN_MAX: Final = 20


def day(text: str) -> date:
    """A date as the contract writes it; raises `AgentError` INVALID_DATES for one that no calendar has."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise AgentError("INVALID_DATES", f"{text} is not a date") from None


def days(books: Books, first: str, last: str, *, apart: int) -> tuple[date, date]:
    """Two dates in order and at least so many days (0 or 1) apart, neither past nor too far ahead; INVALID_DATES."""
    start, end = day(first), day(last)
    if (end - start).days < apart:
        order = "before" if apart == 0 else "not after"
        raise AgentError("INVALID_DATES", f"{last} is {order} {first}")
    ahead = (start - selling.today(books)).days
    if ahead < 0:
        raise AgentError("INVALID_DATES", f"{first} is past")
    if (end - selling.today(books)).days > DAYS_AHEAD_MAX:
        raise AgentError("INVALID_DATES", f"{last} is more than two years ahead")
    return start, end


def city(text: str) -> world.City:
    """A city by any of its names; UNKNOWN_PLACE."""
    found = world.find_city(text)
    if found is None:
        raise AgentError("UNKNOWN_PLACE", f"this world has no city {text}")
    return found


def currency(given: dict[str, Any]) -> str:
    """The currency to sell in: the one asked for, else that of the greatest price; UNKNOWN_CURRENCY."""
    wanted = str(given.get("currency", given.get("max_price", {}).get("currency", "USD")))
    if wanted not in CURRENCIES:
        raise AgentError("UNKNOWN_CURRENCY", f"nothing is sold in {wanted} here, only in {', '.join(CURRENCIES)}")
    return wanted


def shown(
    connection: sqlite3.Connection, offers: Iterable[Offer], left: str, max_price: dict[str, Any] | None, currency: str
) -> dict[str, Any]:
    """The offers that can be had within the price, cheapest first; NO_OFFERS, CURRENCY_MISMATCH."""
    if max_price is not None and max_price["currency"] != currency:
        raise AgentError("CURRENCY_MISMATCH", f"prices in {currency} cannot be held against {max_price['currency']}")
    limit = None if max_price is None else to_cents(max_price)
    priced = [(stock.price(connection, offer), offer) for offer in offers if stock.available(connection, offer)]
    priced = sorted(
        (pair for pair in priced if limit is None or pair[0] <= limit), key=lambda pair: (pair[0], pair[1].offer_id)
    )
    if not priced:
        raise AgentError("NO_OFFERS", "nothing that fits is for sale")
    return {
        "offers": [
            {
                "offer_id": offer.offer_id,
                "price": to_money(cents, offer.currency),
                **offer.facts,
                left: stock.left(connection, offer),
            }
            for cents, offer in priced[:_SHOWN_MAX]
        ]
    }


def priced(
    books: Books, connection: sqlite3.Connection, kind: Kind, left: str, given: dict[str, Any]
) -> dict[str, Any]:
    """The price of an offer, or of changing a booking to it."""
    offer = selling.checked_offer(books, kind, given["offer_id"])
    cents = stock.price(connection, offer)
    answer = {
        "offer_id": offer.offer_id,
        "price": to_money(cents, offer.currency),
        "due": to_money(cents, offer.currency),
        left: stock.left(connection, offer),
    }
    if "booking_id" not in given:
        return answer
    booking = selling.booking_of(connection, kind, given["booking_id"])
    cost = selling.change_cost(connection, booking, offer_by_id(books.seed, booking["offer_id"]), offer)
    return {**answer, "due": to_money(cost.due, offer.currency), "change_fee": to_money(cost.fee, offer.currency)}
