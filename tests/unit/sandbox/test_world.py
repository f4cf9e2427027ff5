"""The made-up world: the same for everybody, wide enough, and known by its names."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from jada_orchestrator.sandbox.inventory import Books, InventoryFromElsewhere, InventoryMissing, open_books, world
from jada_orchestrator.sandbox.inventory.money import from_dollars, in_dollars, to_cents, to_money
from jada_orchestrator.sandbox.inventory.offers import (
    car_offers,
    flight_offers,
    flights_between,
    offer_by_id,
    room_offers,
)
from tests.unit.sandbox.conftest import START

TODAY = START.date()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Boston", "BOS"),
        ("lisboa", "LIS"),
        ("Zürich", "ZRH"),
        ("zurich", "ZRH"),
        ("New York", "NYC"),
        ("JFK", "NYC"),
        ("heathrow", "LON"),
        ("Paris, France", "PAR"),
        ("Munich", "MUC"),
    ],
)
def test_cities_are_known_by_the_names_that_people_use(text: str, code: str) -> None:
    """Accents, case, countries, airports and codes all lead to the city."""
    found = world.find_city(text)
    assert found is not None
    assert found.code == code


def test_every_two_cities_are_connected_on_any_day_of_two_years() -> None:
    """Whatever two airports and day are asked for, something flies, and the numbers of a route differ."""
    airports = [airport.code for city in world.CITIES for airport in city.airports]
    for origin in airports:
        for destination in airports:
            numbers = [flight.number for flight in flights_between("jada", origin, destination)]
            assert len(numbers) == len(set(numbers))
            assert bool(numbers) == (world.city_of_airport(origin) is not world.city_of_airport(destination))


@pytest.mark.parametrize("ahead", [0, 1, 100, 400, 760])
def test_an_offer_is_found_again_by_its_id(ahead: int) -> None:
    """An id says everything: the offer that it leads to is the offer that was shown."""
    start, end, city = TODAY + timedelta(days=ahead), TODAY + timedelta(days=ahead + 5), world.CITIES[4]
    offers = [
        *flight_offers("jada", "BOS", "LIS", (start, None), 1, "economy", "USD"),
        *flight_offers("jada", "LHR", "HND", (start, end), 9, "business", "GBP"),
        *room_offers("jada", city, (start, end), 3, "EUR"),
        *car_offers("jada", city, (start, end), "USD"),
    ]
    for offer in offers:
        assert offer_by_id("jada", offer.offer_id) == offer
    assert len({offer.offer_id for offer in offers}) == len(offers)


def test_another_seed_is_another_world() -> None:
    """Prices hang on the seed alone."""
    day = (date(2027, 5, 3), None)
    one, other = (
        [offer.units[0].each for offer in flight_offers(seed, "BOS", "LIS", day, 1, "economy", "USD")]
        for seed in ("jada", "other")
    )
    assert one != other


def test_money_keeps_every_cent() -> None:
    """Decimal strings become cents and come back; exchanging rounds in favour of the limit."""
    assert [to_cents({"amount": text, "currency": "USD"}) for text in ("3", "3.5", "3.05")] == [300, 350, 305]
    assert to_money(305, "USD") == {"amount": "3.05", "currency": "USD"}
    assert in_dollars(from_dollars(1000, "EUR"), "EUR") == 1000
    assert in_dollars(1, "EUR") == 2


def test_the_file_keeps_its_seed(tmp_path: Path) -> None:
    """The seed of the first opening stays, whoever opens the books later."""
    for seed in ("first", "second"):
        books = Books(tmp_path / "inventory.db", seed=seed)
        assert books.seed == "first"
        books.close()


def test_books_of_another_version_are_not_touched(tmp_path: Path) -> None:
    """A file from elsewhere is refused."""
    books = Books(tmp_path / "inventory.db")
    books.connection().execute("PRAGMA user_version=99")
    books.close()
    with pytest.raises(InventoryFromElsewhere):
        Books(tmp_path / "inventory.db")


def test_agents_without_a_path_say_so() -> None:
    """Nobody writes into a place that nobody named."""
    with pytest.raises(InventoryMissing, match="JADA_SANDBOX_INVENTORY"):
        open_books()
