"""The places agent (Lambda `jada-places`)."""

from __future__ import annotations

import sqlite3
from typing import Any

from jada_orchestrator.sandbox.agents import searching
from jada_orchestrator.sandbox.agents.desk import Desk
from jada_orchestrator.sandbox.inventory.books import Books

desk = Desk("places")
app = desk.app
handler = app.lambda_handler


@desk.reads("places.airports", pace_ms=40)
def airports(_books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """The airports of a city; the one that was asked for by its code comes first."""
    city, wanted = searching.city(given["query"]), given["query"].strip().upper()
    ordered = sorted(city.airports, key=lambda airport: airport.code != wanted)
    return {
        "code": ordered[0].code,
        "city": city.name,
        "country_code": city.country_code,
        "airports": [
            {
                "code": airport.code,
                "name": airport.name,
                "city": city.name,
                "country_code": city.country_code,
                "timezone": city.timezone,
            }
            for airport in ordered
        ],
    }


@desk.reads("places.destinations", pace_ms=40)
def destinations(_books: Books, _connection: sqlite3.Connection, given: dict[str, Any]) -> dict[str, Any]:
    """What is known of a city."""
    city = searching.city(given["query"])
    return {
        "city": city.name,
        "city_code": city.code,
        "country": city.country,
        "country_code": city.country_code,
        "airport_code": city.airports[0].code,
        "currency": city.currency,
        "timezone": city.timezone,
        "neighbourhoods": list(city.neighbourhoods),
    }
