"""Offers: what can be sold on a day, at which price, worked out afresh from the seed whenever it is asked for.

An offer's id says all of it (`FL-TP214-BOSLIS-270503-TP215-270510-2Y-USD`), so that offers need no table and any date
within two years has some. Only what has been taken, or set by hand, is in the table `stock`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any, Final, Literal, TypeAlias

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory import world
from jada_orchestrator.sandbox.inventory.money import CURRENCIES
from jada_orchestrator.sandbox.inventory.world import City, dice

Kind: TypeAlias = Literal["flight", "room", "car"]

DAYS_AHEAD_MAX: Final = 760
"""A little over two years: how far ahead anything is sold."""

CABINS: Final = {"economy": ("Y", 100), "premium": ("W", 165), "business": ("C", 340)}
_CABIN_OF_LETTER: Final = {letter: name for name, (letter, _) in CABINS.items()}
HOTELS_A_CITY: Final = 10
ROOM_SLEEPS: Final = 2
CATEGORIES: Final = {
    "economy": (4, 3400),
    "compact": (5, 4200),
    "estate": (5, 5600),
    "suv": (5, 7800),
    "van": (9, 9900),
}
COMPANIES: Final = ("Atlas", "Comet", "Meridian")


@dataclass(frozen=True, slots=True)
class Unit:
    """So many of one item on one day: seats of a flight, rooms for a night, a car for a day. `each` in US cents."""

    kind: Kind
    item: str
    day: str
    quantity: int
    each: int
    capacity: int
    """What the made-up world has of it; the table `stock` may say otherwise."""


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that can be held and booked as a whole."""

    offer_id: str
    kind: Kind
    units: tuple[Unit, ...]
    currency: str
    travellers: int
    starts: date
    facts: dict[str, Any]
    """What a search shows of it, apart from price and availability."""


@dataclass(frozen=True, slots=True)
class Flight:
    """One flight that goes every day."""

    number: str
    origin: str
    destination: str
    departs_minute: int
    minutes: int
    index: int


def offer_by_id(seed: str, offer_id: str) -> Offer:
    """The offer that an id describes; raises `AgentError` NOT_FOUND for an id that this inventory never gave out."""
    for pattern, build in ((_FLIGHT_ID, _flight_from_id), (_ROOM_ID, _room_from_id), (_CAR_ID, _car_from_id)):
        found = pattern.fullmatch(offer_id)
        if found is None:
            continue
        try:
            offer = build(seed, found)
        except ValueError:  # a date such as 270231
            offer = None
        if offer is not None:
            return offer
    raise AgentError("NOT_FOUND", f"there is no offer {offer_id}")


# ---------------------------------------------------------------------------------------------------------- flights

_FLIGHT_ID: Final = re.compile(
    r"FL-(?P<out>[A-Z0-9]{4,7})-(?P<origin>[A-Z]{3})(?P<destination>[A-Z]{3})-(?P<day>\d{6})"
    r"(?:-(?P<back>[A-Z0-9]{4,7})-(?P<back_day>\d{6}))?-(?P<travellers>[1-9])(?P<cabin>[YWC])-(?P<currency>[A-Z]{3})"
)


def flights_between(seed: str, origin: str, destination: str) -> list[Flight]:
    """The three to five flights a day from one airport to another; empty when there is no such route."""
    start, end = world.city_of_airport(origin), world.city_of_airport(destination)
    if start is None or end is None or start is end:
        return []
    airlines = world.carriers(start, end)
    minutes = 40 + world.kilometres(start, end) * 60 // 830
    found = []
    for index in range(3 + dice(seed, "flights", origin, destination) % 3):
        throw = dice(seed, "flight", origin, destination, index)
        number = f"{airlines[throw % len(airlines)]}{100 + (throw // 7) % 180 * 5 + index}"
        departs = 6 * 60 + (index * 210 + throw // 1009 % 120) // 5 * 5
        found.append(Flight(number, origin, destination, departs, minutes + throw // 31 % 25, index))
    return found


def flight_offers(  # the words of flights.search
    seed: str, origin: str, destination: str, days: tuple[date, date | None], travellers: int, cabin: str, currency: str
) -> Iterator[Offer]:
    """Every offer for a search: each flight out, with each flight back when there is a second day."""
    out_day, back_day = days
    for out in flights_between(seed, origin, destination):
        if back_day is None:
            yield _flight_offer(seed, ((out, out_day),), travellers, cabin, currency)
            continue
        for back in flights_between(seed, destination, origin):
            yield _flight_offer(seed, ((out, out_day), (back, back_day)), travellers, cabin, currency)


def _flight_offer(
    seed: str, legs: tuple[tuple[Flight, date], ...], travellers: int, cabin: str, currency: str
) -> Offer:
    out, out_day = legs[0]
    letter, percent = CABINS[cabin]
    way_back = "".join(f"-{flight.number}-{day:%y%m%d}" for flight, day in legs[1:])
    offer_id = (
        f"FL-{out.number}-{out.origin}{out.destination}-{out_day:%y%m%d}{way_back}-{travellers}{letter}-{currency}"
    )
    facts: dict[str, Any] = {"cabin": cabin, "outbound": _leg(out, out_day)}
    if legs[1:]:
        facts["inbound"] = _leg(*legs[1])
    units = tuple(
        Unit(
            "flight",
            flight_item(flight),
            day.isoformat(),
            travellers,
            _fare(seed, flight, day) * percent // 100,
            12 + dice(seed, "seats", flight.number, flight.origin, flight.destination, day) % 30,
        )
        for flight, day in legs
    )
    return Offer(offer_id, "flight", units, currency, travellers, out_day, facts)


def flight_item(flight: Flight) -> str:
    """The name of a flight's seats in the table `stock`."""
    return f"{flight.number}-{flight.origin}{flight.destination}"


def _fare(seed: str, flight: Flight, day: date) -> int:
    """Economy, one traveller, US cents: by distance, dearer in summer and at weekends, with some chance."""
    start, end = world.city_of_airport(flight.origin), world.city_of_airport(flight.destination)
    assert start is not None
    assert end is not None
    base = 4500 + world.kilometres(start, end) * 5
    season = 125 if day.month in (6, 7, 8, 12) else 100
    weekend = 110 if day.weekday() >= 4 else 100
    chance = 85 + dice(seed, "fare", flight.number, flight.origin, flight.destination, day) % 40
    return base * season * weekend * chance // 1_000_000


def _leg(flight: Flight, day: date) -> dict[str, Any]:
    start, end = world.city_of_airport(flight.origin), world.city_of_airport(flight.destination)
    assert start is not None
    assert end is not None
    departs = datetime(day.year, day.month, day.day, tzinfo=timezone(timedelta(hours=start.utc_offset_h))) + timedelta(
        minutes=flight.departs_minute
    )
    arrives = (departs + timedelta(minutes=flight.minutes)).astimezone(timezone(timedelta(hours=end.utc_offset_h)))
    return {
        "flight": flight.number,
        "carrier": flight.number[:2],
        "origin": flight.origin,
        "destination": flight.destination,
        "departs_at": departs.isoformat(timespec="minutes"),
        "arrives_at": arrives.isoformat(timespec="minutes"),
        "minutes": flight.minutes,
    }


def _flight_from_id(seed: str, found: re.Match[str]) -> Offer | None:
    origin, destination = found["origin"], found["destination"]
    out = _numbered(seed, origin, destination, found["out"])
    if out is None or found["currency"] not in CURRENCIES:
        return None
    legs = [(out, _day(found["day"]))]
    if found["back"] is not None:
        back = _numbered(seed, destination, origin, found["back"])
        if back is None:
            return None
        legs.append((back, _day(found["back_day"])))
    cabin = _CABIN_OF_LETTER[found["cabin"]]
    return _flight_offer(seed, tuple(legs), int(found["travellers"]), cabin, found["currency"])


def _numbered(seed: str, origin: str, destination: str, number: str) -> Flight | None:
    return next((flight for flight in flights_between(seed, origin, destination) if flight.number == number), None)


# ------------------------------------------------------------------------------------------------------------ rooms

_ROOM_ID: Final = re.compile(
    r"HT-(?P<city>[A-Z]{3})(?P<index>\d{2})-(?P<check_in>\d{6})-(?P<check_out>\d{6})-(?P<guests>[1-9])-(?P<currency>[A-Z]{3})"
)


def room_offers(seed: str, city: City, nights: tuple[date, date], guests: int, currency: str) -> Iterator[Offer]:
    """An offer of each hotel of a city, for all guests in rooms of two."""
    for index in range(HOTELS_A_CITY):
        yield _room_offer(seed, city, index, nights, guests, currency)


def _room_offer(seed: str, city: City, index: int, nights: tuple[date, date], guests: int, currency: str) -> Offer:
    check_in, check_out = nights
    rooms = -(-guests // ROOM_SLEEPS)
    stars = 2 + dice(seed, "stars", city.code, index) % 4
    item = f"{city.code}{index:02d}"
    units = []
    for number in range((check_out - check_in).days):
        day = check_in + timedelta(days=number)
        chance = 85 + dice(seed, "night", item, day) % 35
        each = (3200 + stars * 2300) * city.price_level * chance // 10_000
        units.append(Unit("room", item, day.isoformat(), rooms, each, 4 + dice(seed, "rooms", item) % 12))
    facts = {
        "hotel": world.house_name(seed, city, index),
        "neighbourhood": world.neighbourhood(city, index),
        "stars": stars,
        "room": "double room",
        "rooms": rooms,
        "nights": len(units),
    }
    offer_id = f"HT-{item}-{check_in:%y%m%d}-{check_out:%y%m%d}-{guests}-{currency}"
    return Offer(offer_id, "room", tuple(units), currency, guests, check_in, facts)


def _room_from_id(seed: str, found: re.Match[str]) -> Offer | None:
    city = next((city for city in world.CITIES if city.code == found["city"]), None)
    nights = (_day(found["check_in"]), _day(found["check_out"]))
    if city is None or int(found["index"]) >= HOTELS_A_CITY or nights[1] <= nights[0]:
        return None
    if found["currency"] not in CURRENCIES:
        return None
    return _room_offer(seed, city, int(found["index"]), nights, int(found["guests"]), found["currency"])


# ------------------------------------------------------------------------------------------------------------- cars

_CAR_ID: Final = re.compile(
    r"CR-(?P<city>[A-Z]{3})(?P<company>\d)-(?P<category>[A-Z]+)-(?P<pick_up>\d{6})-(?P<drop_off>\d{6})-(?P<currency>[A-Z]{3})"
)


def car_offers(seed: str, city: City, days: tuple[date, date], currency: str) -> Iterator[Offer]:
    """An offer of each company and category in a city."""
    for company in range(len(COMPANIES)):
        for category in CATEGORIES:
            yield _car_offer(seed, city, (company, category), days, currency)


def _car_offer(seed: str, city: City, car: tuple[int, str], days: tuple[date, date], currency: str) -> Offer:
    company, category = car
    pick_up, drop_off = days
    seats, base = CATEGORIES[category]
    item = f"{city.code}{company}-{category.upper()}"
    chance = 85 + dice(seed, "car", item, pick_up) % 35
    each = base * (50 + city.price_level // 2) * chance // 10_000
    count = max(1, (drop_off - pick_up).days)
    capacity = 2 + dice(seed, "cars", item) % 6
    units = tuple(
        Unit("car", item, (pick_up + timedelta(days=number)).isoformat(), 1, each, capacity) for number in range(count)
    )
    facts = {"category": category, "company": COMPANIES[company], "seats": seats, "days": count}
    offer_id = f"CR-{item}-{pick_up:%y%m%d}-{drop_off:%y%m%d}-{currency}"
    return Offer(offer_id, "car", units, currency, 1, pick_up, facts)


def _car_from_id(seed: str, found: re.Match[str]) -> Offer | None:
    city = next((city for city in world.CITIES if city.code == found["city"]), None)
    days = (_day(found["pick_up"]), _day(found["drop_off"]))
    category = found["category"].lower()
    if city is None or int(found["company"]) >= len(COMPANIES) or category not in CATEGORIES or days[1] < days[0]:
        return None
    if found["currency"] not in CURRENCIES:
        return None
    return _car_offer(seed, city, (int(found["company"]), category), days, found["currency"])


def _day(digits: str) -> date:
    """A date of this century from `yymmdd`; raises ValueError."""
    return date(2000 + int(digits[:2]), int(digits[2:4]), int(digits[4:6]))
