"""The cars agent (Lambda `jada-cars`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents import searching
from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import selling, stock
from jada_orchestrator.sandbox.inventory.books import Books, Maker
from jada_orchestrator.sandbox.inventory.offers import car_offers

desk = Desk("cars")
app = desk.app
handler = app.lambda_handler
desk.looks_up()


@desk.reads("cars.search", pace_ms=160)
def search(books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Every company's cars in the city that are free on all days."""
    city = searching.city(given["city"])
    days = searching.days(books, given["pick_up"], given["drop_off"], apart=0)
    currency = searching.currency(given)
    seats, category = given.get("seats", 1), given.get("category")
    stock.sweep_if_due(books)
    offers = (
        offer
        for offer in car_offers(books.seed, city, days, currency)
        if offer.facts["seats"] >= seats and category in (None, offer.facts["category"])
    )
    return searching.shown(connection, offers, "cars_left", given.get("max_price"), currency)


@desk.reads("cars.price", pace_ms=60)
def price(books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """The price now."""
    return searching.priced(books, connection, "car", "cars_left", given)


@desk.effects("cars.hold", pace_ms=100)
def hold(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A car set aside."""
    return selling.hold(books, connection, maker, "car", given)


@desk.effects("cars.release", pace_ms=60)
def release(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A car given back."""
    return selling.release(books, connection, maker, "car", given["hold_id"])


@desk.effects("cars.book", pace_ms=140)
def book(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A hold made into a booking."""
    booking_id, total, _ = selling.book(books, connection, maker, "car", given)
    return {"booking_id": booking_id, "confirmation": booking_id[-8:].upper(), "total": total}


@desk.effects("cars.cancel", pace_ms=100)
def cancel(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Bookings cancelled for a small fee."""
    return selling.cancel(books, connection, maker, "car", given["booking_ids"])
