"""The made-up world that the reference agents sell: cities, their airports, neighbourhoods and hotels.

The places are real, everything sold in them is invented. Offsets from UTC are those of winter: this world has no
summer time.
"""

from __future__ import annotations

import hashlib
import math
import unicodedata
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Airport:
    """An airport; `code` is IATA's."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class City:
    """A city that can be flown to and slept in. `price_level` is in percent of an average city."""

    code: str
    name: str
    country: str
    country_code: str
    currency: str
    timezone: str
    utc_offset_h: float
    latitude: float
    longitude: float
    price_level: int
    airports: tuple[Airport, ...]
    neighbourhoods: tuple[str, ...]
    also: tuple[str, ...] = ()


def _airports(*pairs: tuple[str, str]) -> tuple[Airport, ...]:
    return tuple(Airport(code, name) for code, name in pairs)


# fmt: off
CITIES: Final[tuple[City, ...]] = (
    City("BOS", "Boston", "United States", "US", "USD", "America/New_York", -5, 42.36, -71.01, 130,
         _airports(("BOS", "Logan International")), ("Back Bay", "Beacon Hill", "North End", "Seaport")),
    City("NYC", "New York", "United States", "US", "USD", "America/New_York", -5, 40.64, -73.78, 150,
         _airports(("JFK", "John F. Kennedy International"), ("EWR", "Newark Liberty"), ("LGA", "LaGuardia")),
         ("Midtown", "SoHo", "Brooklyn Heights", "Chelsea"), ("new york city", "manhattan")),
    City("SFO", "San Francisco", "United States", "US", "USD", "America/Los_Angeles", -8, 37.62, -122.38, 140,
         _airports(("SFO", "San Francisco International")), ("Mission", "Nob Hill", "Embarcadero", "Marina")),
    City("CHI", "Chicago", "United States", "US", "USD", "America/Chicago", -6, 41.97, -87.91, 115,
         _airports(("ORD", "O'Hare International"), ("MDW", "Midway")), ("Loop", "River North", "Wicker Park")),
    City("LIS", "Lisbon", "Portugal", "PT", "EUR", "Europe/Lisbon", 0, 38.77, -9.13, 85,
         _airports(("LIS", "Humberto Delgado")), ("Alfama", "Baixa", "Chiado", "Bairro Alto", "Belém"), ("lisboa",)),
    City("OPO", "Porto", "Portugal", "PT", "EUR", "Europe/Lisbon", 0, 41.25, -8.68, 75,
         _airports(("OPO", "Francisco Sá Carneiro")), ("Ribeira", "Baixa", "Foz do Douro")),
    City("LON", "London", "United Kingdom", "GB", "GBP", "Europe/London", 0, 51.47, -0.45, 150,
         _airports(("LHR", "Heathrow"), ("LGW", "Gatwick"), ("LCY", "London City")),
         ("Soho", "Kensington", "Shoreditch", "Covent Garden", "South Bank")),
    City("PAR", "Paris", "France", "FR", "EUR", "Europe/Paris", 1, 49.01, 2.55, 140,
         _airports(("CDG", "Charles de Gaulle"), ("ORY", "Orly")),
         ("Le Marais", "Montmartre", "Saint-Germain", "Latin Quarter", "Bastille")),
    City("BER", "Berlin", "Germany", "DE", "EUR", "Europe/Berlin", 1, 52.36, 13.50, 95,
         _airports(("BER", "Brandenburg")), ("Mitte", "Kreuzberg", "Prenzlauer Berg", "Charlottenburg")),
    City("MUC", "Munich", "Germany", "DE", "EUR", "Europe/Berlin", 1, 48.35, 11.79, 115,
         _airports(("MUC", "Franz Josef Strauss")), ("Altstadt", "Schwabing", "Haidhausen"), ("münchen",)),
    City("FRA", "Frankfurt", "Germany", "DE", "EUR", "Europe/Berlin", 1, 50.03, 8.57, 105,
         _airports(("FRA", "Frankfurt am Main")), ("Altstadt", "Sachsenhausen", "Westend")),
    City("MAD", "Madrid", "Spain", "ES", "EUR", "Europe/Madrid", 1, 40.49, -3.57, 90,
         _airports(("MAD", "Barajas")), ("Sol", "Malasaña", "La Latina", "Salamanca")),
    City("BCN", "Barcelona", "Spain", "ES", "EUR", "Europe/Madrid", 1, 41.30, 2.08, 100,
         _airports(("BCN", "El Prat")), ("Gothic Quarter", "Eixample", "Gràcia", "El Born")),
    City("ROM", "Rome", "Italy", "IT", "EUR", "Europe/Rome", 1, 41.80, 12.24, 105,
         _airports(("FCO", "Fiumicino"), ("CIA", "Ciampino")), ("Trastevere", "Monti", "Centro Storico", "Prati"),
         ("roma",)),
    City("MIL", "Milan", "Italy", "IT", "EUR", "Europe/Rome", 1, 45.63, 8.72, 115,
         _airports(("MXP", "Malpensa"), ("LIN", "Linate")), ("Brera", "Navigli", "Duomo"), ("milano",)),
    City("AMS", "Amsterdam", "Netherlands", "NL", "EUR", "Europe/Amsterdam", 1, 52.31, 4.76, 125,
         _airports(("AMS", "Schiphol")), ("Jordaan", "De Pijp", "Centrum")),
    City("VIE", "Vienna", "Austria", "AT", "EUR", "Europe/Vienna", 1, 48.11, 16.57, 100,
         _airports(("VIE", "Schwechat")), ("Innere Stadt", "Leopoldstadt", "Neubau"), ("wien",)),
    City("ZRH", "Zurich", "Switzerland", "CH", "CHF", "Europe/Zurich", 1, 47.46, 8.55, 165,
         _airports(("ZRH", "Kloten")), ("Altstadt", "Seefeld", "Zurich West"), ("zürich",)),
    City("CPH", "Copenhagen", "Denmark", "DK", "DKK", "Europe/Copenhagen", 1, 55.62, 12.66, 125,
         _airports(("CPH", "Kastrup")), ("Indre By", "Vesterbro", "Nyhavn"), ("københavn",)),
    City("DUB", "Dublin", "Ireland", "IE", "EUR", "Europe/Dublin", 0, 53.42, -6.27, 120,
         _airports(("DUB", "Dublin Airport")), ("Temple Bar", "Docklands", "Ballsbridge")),
    City("IST", "Istanbul", "Türkiye", "TR", "TRY", "Europe/Istanbul", 3, 41.26, 28.74, 70,
         _airports(("IST", "Istanbul Airport")), ("Sultanahmet", "Beyoglu", "Moda")),
    City("TYO", "Tokyo", "Japan", "JP", "JPY", "Asia/Tokyo", 9, 35.55, 139.78, 120,
         _airports(("HND", "Haneda"), ("NRT", "Narita")), ("Shinjuku", "Shibuya", "Asakusa", "Ginza")),
    City("SIN", "Singapore", "Singapore", "SG", "SGD", "Asia/Singapore", 8, 1.36, 103.99, 130,
         _airports(("SIN", "Changi")), ("Marina Bay", "Chinatown", "Kampong Glam")),
    City("SYD", "Sydney", "Australia", "AU", "AUD", "Australia/Sydney", 10, -33.95, 151.18, 120,
         _airports(("SYD", "Kingsford Smith")), ("The Rocks", "Surry Hills", "Bondi")),
)
# fmt: on

_CARRIERS: Final = {
    "US": ("DL", "UA", "B6"),
    "PT": ("TP",),
    "GB": ("BA",),
    "FR": ("AF",),
    "DE": ("LH",),
    "ES": ("IB",),
    "IT": ("AZ",),
    "NL": ("KL",),
    "AT": ("OS",),
    "CH": ("LX",),
    "DK": ("SK",),
    "IE": ("EI",),
    "TR": ("TK",),
    "JP": ("NH", "JL"),
    "SG": ("SQ",),
    "AU": ("QF",),
}
_HOUSES: Final = ("Grand Hotel", "Casa", "Residence", "Hotel", "Boutique Hotel", "The", "Palace", "Garden Inn")

_BY_AIRPORT: Final = {airport.code: city for city in CITIES for airport in city.airports}


def city_of_airport(code: str) -> City | None:
    """The city that an IATA airport code belongs to."""
    return _BY_AIRPORT.get(code)


def find_city(text: str) -> City | None:
    """A city by its name, another name, its code, or the code or name of an airport; accents and case do not matter."""
    wanted = _plain(text.partition(",")[0])
    upper = text.strip().upper()
    for city in CITIES:
        if upper == city.code or wanted in (_plain(city.name), *map(_plain, city.also)):
            return city
    if upper in _BY_AIRPORT:
        return _BY_AIRPORT[upper]
    for city in CITIES:
        if any(wanted in _plain(airport.name) for airport in city.airports) or _plain(city.name) in wanted:
            return city
    return None


def same_place(one: str, other: str) -> bool:
    """Whether two names of a neighbourhood mean the same, as travellers write them."""
    first, second = _plain(one), _plain(other)
    return first in second or second in first


def carriers(origin: City, destination: City) -> tuple[str, ...]:
    """Who flies between two cities: the airlines of both countries."""
    return tuple(dict.fromkeys(_CARRIERS[origin.country_code] + _CARRIERS[destination.country_code]))


def house_name(seed: str, city: City, index: int) -> str:
    """The name of a city's hotel number `index`."""
    return f"{_HOUSES[dice(seed, 'house', city.code, index) % len(_HOUSES)]} {neighbourhood(city, index)}"


def neighbourhood(city: City, index: int) -> str:
    """Where a city's hotel number `index` stands: they take turns, so every neighbourhood has some."""
    return city.neighbourhoods[index % len(city.neighbourhoods)]


def kilometres(one: City, other: City) -> int:
    """Great-circle distance (the haversine formula)."""
    lat1, lat2 = math.radians(one.latitude), math.radians(other.latitude)
    across = math.radians(other.longitude - one.longitude)
    chord = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(across / 2) ** 2
    return round(2 * 6371 * math.asin(math.sqrt(chord)))


def dice(seed: str, *what: object) -> int:
    """A number that is always the same for the same seed and words: the only chance in this world."""
    text = "\x1f".join((seed, *map(str, what)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6])


def _plain(text: str) -> str:
    """Lower case without accents."""
    spelled = unicodedata.normalize("NFKD", text.strip().lower())
    return "".join(letter for letter in spelled if not unicodedata.combining(letter))
