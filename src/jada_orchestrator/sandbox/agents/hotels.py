"""The hotels agent (Lambda `jada-hotels`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents import searching
from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory import selling, stock, world
from jada_orchestrator.sandbox.inventory.books import Books, Maker
from jada_orchestrator.sandbox.inventory.offers import room_offers

desk = Desk("hotels")
app = desk.app
handler = app.lambda_handler
desk.looks_up()


@desk.reads("hotels.search", pace_ms=200)
def search(books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """Every hotel of the city, of the neighbourhood if one is named, that has rooms for all guests on all nights."""
    city = searching.city(given["city"])
    nights = searching.days(books, given["check_in"], given["check_out"], apart=1)
    currency = searching.currency(given)
    near, stars = given.get("near"), given.get("min_stars", 1)
    stock.sweep_if_due(books)
    offers = (
        offer
        for offer in room_offers(books.seed, city, nights, given["guests"], currency)
        if offer.facts["stars"] >= stars and (near is None or world.same_place(near, offer.facts["neighbourhood"]))
    )
    return searching.shown(connection, offers, "rooms_left", given.get("max_price"), currency)


@desk.reads("hotels.price", pace_ms=80)
def price(books: Books, connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """The price now, or of a change."""
    return searching.priced(books, connection, "room", "rooms_left", given)


@desk.effects("hotels.hold", pace_ms=120)
def hold(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Rooms set aside."""
    return selling.hold(books, connection, maker, "room", given)


@desk.effects("hotels.release", pace_ms=60)
def release(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Rooms given back."""
    return selling.release(books, connection, maker, "room", given["hold_id"])


@desk.effects("hotels.book", pace_ms=180)
def book(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A hold made into a booking."""
    booking_id, total, _ = selling.book(books, connection, maker, "room", given)
    return {"booking_id": booking_id, "confirmation": booking_id[-8:].upper(), "total": total}


@desk.effects("hotels.cancel", pace_ms=120)
def cancel(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """Bookings cancelled; late ones cost the first night."""
    return selling.cancel(books, connection, maker, "room", given["booking_ids"])


@desk.effects("hotels.change", pace_ms=150)
def change(books: Books, connection: sqlite3.Connection, maker: Maker, given: dict[str, Any]) -> dict[str, Any]:
    """A booking moved to another offer, or back."""
    return selling.change(books, connection, maker, "room", given)
