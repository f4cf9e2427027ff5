"""The flights agent (Lambda `jada-flights`)."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Any

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.agents import searching
from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import selling, stock, world
from jada_orchestrator.sandbox.inventory.books import Books, Maker
from jada_orchestrator.sandbox.inventory.offers import Offer, flight_offers

desk = Desk("flights")
app = desk.app
handler = app.lambda_handler
desk.looks_up()


@desk.reads("flights.search", pace_ms=200)
def search(books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Every pair of flights of the two days that still has seats for all travellers."""
    for code in (given["origin"], given["destination"]):
        if world.city_of_airport(code) is None:
            raise AgentError("UNKNOWN_PLACE", f"this world has no airport {code}")
    out, back = searching.days(books, given["depart_date"], given.get("return_date", given["depart_date"]), apart=0)
    currency = searching.currency(given)
    stock.sweep_if_due(books)
    offers = flight_offers(
        books.seed,
        given["origin"],
        given["destination"],
        (out, back if "return_date" in given else None),
        given["travellers"],
        given.get("cabin", "economy"),
        currency,
    )
    earliest = given.get("depart_after", "00:00")
    fitting = (
        offer for offer in offers if offer.facts["outbound"]["departs_at"][11:16] >= earliest and _lands_first(offer)
    )
    found = searching.shown(connection, fitting, "seats_left", given.get("max_price"), currency)
    for offer in found["offers"]:
        offer["travellers"] = given["travellers"]
    return found


@desk.reads("flights.price", pace_ms=80)
def price(books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """The price now, or of a change."""
    return searching.priced(books, connection, "flight", "seats_left", given)


@desk.effects("flights.hold", pace_ms=120)
def hold(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Seats set aside."""
    return selling.hold(books, connection, maker, "flight", given)


@desk.effects("flights.release", pace_ms=60)
def release(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Seats given back."""
    return selling.release(books, connection, maker, "flight", given["hold_id"])


@desk.effects("flights.ticket", pace_ms=220)
def ticket(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A hold made into a booking with a ticket for each traveller."""
    booking_id, total, offer = selling.book(books, connection, maker, "flight", given)
    first = world.dice("ticket", booking_id) % 10**9
    return {
        "booking_id": booking_id,
        "record_locator": booking_id[-6:].upper(),
        "ticket_numbers": [f"999-{first + number:010d}" for number in range(offer.travellers)],
        "total": total,
    }


@desk.effects("flights.cancel", pace_ms=150)
def cancel(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Bookings cancelled, less a fee for each traveller."""
    return selling.cancel(books, connection, maker, "flight", given["booking_ids"])


@desk.effects("flights.change", pace_ms=200)
def change(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A booking moved to another offer, or back."""
    return selling.change(books, connection, maker, "flight", given)


def _lands_first(offer: Offer) -> bool:
    """Whether the flight back leaves after the flight out has arrived."""
    if "inbound" not in offer.facts:
        return True
    arrives, leaves = offer.facts["outbound"]["arrives_at"], offer.facts["inbound"]["departs_at"]
    return date.fromisoformat(arrives[:10]) < date.fromisoformat(leaves[:10]) or bool(arrives[:16] < leaves[:16])
