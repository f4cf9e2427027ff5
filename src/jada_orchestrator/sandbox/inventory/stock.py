"""Stock: what is left of everything on every day and what it costs, and the orders that change either."""

from __future__ import annotations

import sqlite3
from datetime import date
from typing import Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.money import from_dollars
from jada_orchestrator.sandbox.inventory.offers import (
    Kind,
    Offer,
    Unit,
    flight_item,
    flight_offers,
    flights_between,
    offer_by_id,
)

_ADD: Final = "INSERT INTO stock (kind, item, day, capacity) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"


def left(connection: sqlite3.Connection, offer: Offer) -> int:
    """How often the offer's scarcest unit is still there (seats, rooms, cars)."""
    return min(_left(connection, unit) for unit in offer.units)


def available(connection: sqlite3.Connection, offer: Offer) -> bool:
    """Whether every unit of the offer is there in the quantity that it needs."""
    return all(_left(connection, unit) >= unit.quantity for unit in offer.units)


def price(connection: sqlite3.Connection, offer: Offer) -> int:
    """What the whole offer costs now, in cents of its own currency."""
    dollars = 0
    for unit in offer.units:
        row = _row(connection, unit)
        dollars += unit.each * unit.quantity * (100 if row is None else row["price_percent"]) // 100
    return from_dollars(dollars, offer.currency)


def take(connection: sqlite3.Connection, offer: Offer) -> None:
    """Takes every unit of an offer, or raises `AgentError` SOLD_OUT and takes none (the caller rolls back)."""
    for unit in offer.units:
        if _left(connection, unit) < unit.quantity:
            raise AgentError("SOLD_OUT", f"{offer.offer_id} is sold out on {unit.day}")
        connection.execute(_ADD, (unit.kind, unit.item, unit.day, unit.capacity))
        connection.execute(
            "UPDATE stock SET taken = taken + ? WHERE kind = ? AND item = ? AND day = ?",
            (unit.quantity, unit.kind, unit.item, unit.day),
        )


def give_back(connection: sqlite3.Connection, offer: Offer) -> None:
    """Gives every unit of an offer back that was taken before."""
    for unit in offer.units:
        connection.execute(
            "UPDATE stock SET taken = taken - ? WHERE kind = ? AND item = ? AND day = ?",
            (unit.quantity, unit.kind, unit.item, unit.day),
        )


def sweep(connection: sqlite3.Connection, books: Books) -> None:
    """Lets go of every hold and authorization whose time is over; every write begins with it."""
    now_ms = books.now_ms()
    expired = connection.execute(
        "SELECT hold_id, offer_id FROM holds WHERE state = 'held' AND expires_ms <= ?", (now_ms,)
    ).fetchall()
    for hold in expired:
        give_back(connection, offer_by_id(books.seed, hold["offer_id"]))
        connection.execute("UPDATE holds SET state = 'expired' WHERE hold_id = ?", (hold["hold_id"],))
    connection.execute(
        "UPDATE authorizations SET state = 'expired' WHERE state = 'authorized' AND expires_ms <= ?", (now_ms,)
    )


def sweep_if_due(books: Books) -> None:
    """The same before a read, and only when there is something to let go."""
    with books.reading() as connection:
        due = connection.execute(
            "SELECT 1 FROM holds WHERE state = 'held' AND expires_ms <= ? LIMIT 1", (books.now_ms(),)
        ).fetchone()
    if due is not None:
        with books.writing() as connection:
            sweep(connection, books)


def set_capacity(books: Books, kind: Kind, item: str, day: date, capacity: int) -> None:
    """Says how much there is of an item on a day, whatever the made-up world had."""
    with books.writing() as connection:
        _set_capacity(connection, kind, item, day, capacity)


def set_price_percent(books: Books, offer_id: str, percent: int) -> None:
    """Makes everything in an offer dearer or cheaper (100: as it was), also for those who have seen the old price."""
    with books.writing() as connection:
        for unit in offer_by_id(books.seed, offer_id).units:
            connection.execute(_ADD, (unit.kind, unit.item, unit.day, unit.capacity))
            connection.execute(
                "UPDATE stock SET price_percent = ? WHERE kind = ? AND item = ? AND day = ?",
                (percent, unit.kind, unit.item, unit.day),
            )


def last_seats(books: Books, origin: str, destination: str, day: date, seats: int = 1) -> str:
    """Leaves so many seats on the cheapest flight of a route and day, none on the others; returns its number.

    Raises `ValueError` when there is no such route.
    """
    flights = flights_between(books.seed, origin, destination)
    if not flights:
        raise ValueError(f"there are no flights from {origin} to {destination}")
    offers = list(flight_offers(books.seed, origin, destination, (day, None), 1, "economy", "USD"))
    cheapest = min(range(len(flights)), key=lambda index: offers[index].units[0].each)
    with books.writing() as connection:
        for index, flight in enumerate(flights):
            _set_capacity(connection, "flight", flight_item(flight), day, seats if index == cheapest else 0)
    return flights[cheapest].number


def _set_capacity(connection: sqlite3.Connection, kind: Kind, item: str, day: date, capacity: int) -> None:
    connection.execute(_ADD, (kind, item, day.isoformat(), capacity))
    connection.execute(
        "UPDATE stock SET capacity = ? WHERE kind = ? AND item = ? AND day = ?", (capacity, kind, item, day.isoformat())
    )


def _left(connection: sqlite3.Connection, unit: Unit) -> int:
    row = _row(connection, unit)
    return unit.capacity if row is None else max(0, row["capacity"] - row["taken"])


def _row(connection: sqlite3.Connection, unit: Unit) -> sqlite3.Row | None:
    found: sqlite3.Row | None = connection.execute(
        "SELECT capacity, taken, price_percent FROM stock WHERE kind = ? AND item = ? AND day = ?",
        (unit.kind, unit.item, unit.day),
    ).fetchone()
    return found
