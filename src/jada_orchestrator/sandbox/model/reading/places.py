"""Places in text: a dictionary of cities and airport codes, and capitalised names after "from", "to" and "in".

What is not in the dictionary but stands where a place must stand is passed on as it is written: the places agent knows
more than this list. The plan looks every place up by `places.airports`; the dictionary only helps to find the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

CITIES = (
    "Amsterdam", "Athens", "Atlanta", "Auckland", "Austin", "Bangkok", "Barcelona", "Beijing", "Berlin", "Bogotá",
    "Boston", "Brussels", "Budapest", "Buenos Aires", "Cairo", "Cape Town", "Chicago", "Copenhagen", "Dallas", "Delhi",
    "Denver", "Doha", "Dubai", "Dublin", "Edinburgh", "Frankfurt", "Geneva", "Hamburg", "Helsinki", "Hong Kong",
    "Honolulu", "Houston", "Istanbul", "Johannesburg", "Kraków", "Las Vegas", "Lima", "Lisboa", "Lisbon", "London",
    "Los Angeles", "Madrid", "Manchester", "Melbourne", "Mexico City", "Miami", "Milan", "Milano", "Montreal",
    "Mumbai", "Munich", "München", "Nairobi", "Naples", "New Orleans", "New York", "Nice", "Orlando", "Osaka", "Oslo",
    "Paris", "Philadelphia", "Porto", "Prague", "Reykjavik", "Riga", "Rio de Janeiro", "Roma", "Rome", "San Diego",
    "San Francisco", "Santiago", "Seattle", "Seoul", "Seville", "Shanghai", "Singapore", "Split", "Stockholm",
    "Stuttgart", "Sydney", "São Paulo", "Tallinn", "Tokyo", "Toronto", "Vancouver", "Venice", "Vienna", "Warsaw",
    "Washington", "Wien", "Zurich", "Zürich", "København", "Heathrow", "Gatwick", "Schiphol", "Charles de Gaulle",
)  # fmt: skip
CODES = (
    "AMS", "ATH", "ATL", "AUS", "BCN", "BER", "BOS", "BRU", "BUD", "CDG", "CHI", "CIA", "CPH", "DCA", "DEN",
    "DFW", "DOH", "DUB", "DXB", "EDI", "EWR", "FCO", "FRA", "GVA", "HAM", "HEL", "HKG", "HND", "IAD", "IAH",
    "IST", "JFK", "LAS", "LAX", "LCY", "LGA", "LGW", "LHR", "LIN", "LIS", "LON", "MAD", "MAN", "MDW", "MEX",
    "MIA", "MIL", "MUC", "MXP", "NAP", "NCE", "NRT", "NYC", "OPO", "ORD", "ORY", "OSL", "PAR", "PHL", "PRG",
    "ROM", "SAN", "SEA", "SFO", "SIN", "STO", "SYD", "TYO", "VCE", "VIE", "WAW", "YUL", "YVR", "YYZ", "ZRH",
)  # fmt: skip
COUNTRIES = (
    "Portugal", "Spain", "France", "Italy", "Germany", "England", "Scotland", "Ireland", "Greece", "Japan", "China",
    "India", "Brazil", "Mexico", "Canada", "Australia", "Austria", "Switzerland", "Netherlands", "Norway", "Sweden",
    "Denmark", "Finland", "Poland", "Turkey", "Egypt", "Morocco", "Thailand", "Europe", "Asia", "Africa", "America",
    "California", "Florida", "Hawaii", "Tuscany", "the UK", "the US", "the USA",
)  # fmt: skip
NOWHERE = ("the moon", "moon", "mars", "venus", "jupiter", "outer space", "space", "atlantis", "narnia", "the sun")
"""Where no agent can book anything."""

_NOT_PLACES = frozenset({
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
    "november", "december", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "i",
    "we", "my", "our", "us", "me", "the", "a", "an", "usd", "eur", "gbp", "order", "customer", "business",
    "economy", "premium", "flight", "hotel", "car", "jan", "feb", "mar", "apr", "jun", "jul",
    "aug", "sep", "sept", "oct", "nov", "dec",
})  # fmt: skip
_CASE_MATTERS = frozenset({"Nice", "Split", "Orlando", "Lima", "Porto"})
_NAME = r"[A-ZÀ-ÖØ-Þ][\w'\u2019.]*(?:[ -](?:de |del |of |the )?[A-ZÀ-ÖØ-Þ][\w'\u2019]*){0,2}"
_UNKNOWN = re.compile(rf"\b(?:[Ff]rom|[Tt]o|[Ii]n|[Ii]nto|[Vv]ia)\s+(?P<name>{_NAME})")
_LEAD_IN = re.compile(
    r"\b(from|leaving|departing|out of|to|into|for|visit|visiting|via|in|at|near|around)\s*(?:the\s+)?$"
)
_ROLE = {
    "from": "from",
    "leaving": "from",
    "departing": "from",
    "out of": "from",
    "in": "in",
    "at": "in",
    "near": "near",
}
_NEAR = re.compile(
    rf"\b(?:near|close to|around|next to|in the (?:area|district|neighbou?rhood) of)\s+(?:the\s+)?(?P<name>{_NAME})"
)
_IN_DISTRICT = re.compile(rf"\bin\s+(?:the\s+)?(?P<name>{_NAME})\s+(?:district|area|neighbou?rhood|quarter)\b")


@dataclass(frozen=True, slots=True)
class PlaceMention:
    """One place in the text; `role` is `from`, `to` or `in` by the word before it."""

    start: int
    name: str
    role: str


def read_places(text: str) -> tuple[PlaceMention, ...]:
    """Return the places in the order of the text, without neighbourhoods ("near Alfama")."""
    blanked = _blank(text, read_near(text))
    found: dict[int, tuple[str, int]] = {}
    for match in _KNOWN.finditer(blanked):
        name = match.group()
        proper = _PROPER.get(name.lower(), name)
        if name.upper() in CODES and name.lower() not in _PROPER and not name.isupper():
            continue
        if proper in _CASE_MATTERS and name != proper:
            continue
        found[match.start()] = (proper, match.end())
    for match in _UNKNOWN.finditer(blanked):
        start, name = match.start("name"), match.group("name").rstrip(".")
        taken = any(begin < match.end("name") and start < end for begin, (_, end) in found.items())
        if not taken and name.split()[0].lower() not in _NOT_PLACES and name not in COUNTRIES:
            found[start] = (name, match.end("name"))
    return tuple(PlaceMention(start, name, _role(blanked, start)) for start, (name, _) in sorted(found.items()))


def split_district(mentions: tuple[PlaceMention, ...]) -> tuple[tuple[PlaceMention, ...], str | None]:
    """Take out a neighbourhood: "a hotel in Baixa" beside cities that are known, when nobody knows a city Baixa."""
    for mention in mentions:
        others = tuple(other for other in mentions if other is not mention)
        known = mention.name.lower() in _PROPER or mention.name in CODES
        if mention.role == "in" and not known and any(other.name.lower() in _PROPER for other in others):
            return others, mention.name
    return mentions, None


def read_near(text: str) -> str | None:
    """Return the neighbourhood or spot that a hotel shall be near, as it is written."""
    for pattern in (_NEAR, _IN_DISTRICT):
        match = pattern.search(text)
        if match is not None and match.group("name").split()[0].lower() not in _NOT_PLACES:
            return match.group("name").rstrip(".")
    return None


def read_countries(text: str) -> tuple[str, ...]:
    """Return countries and regions that stand where a city is needed."""
    pattern = r"\b(?:to|in|from|around|through)\s+(" + "|".join(map(re.escape, COUNTRIES)) + r")\b"
    return tuple(match.group(1) for match in re.finditer(pattern, text))


def read_nowhere(text: str) -> str | None:
    """Return a place to which nobody travels yet."""
    match = re.search(r"\b(?:to|on|in|from|near)\s+(" + "|".join(NOWHERE) + r")\b", text, re.IGNORECASE)
    return match.group(1) if match else None


def _role(text: str, start: int) -> str:
    match = _LEAD_IN.search(text[max(0, start - 20) : start].lower())
    return _ROLE.get(match.group(1), "to") if match else "to"


def _blank(text: str, name: str | None) -> str:
    if name is None or name in _PROPER.values():
        return text
    return text.replace(name, " " * len(name))


_PROPER = {city.lower(): city for city in CITIES}
_KNOWN = re.compile(
    r"\b(?:" + "|".join(map(re.escape, sorted((*CITIES, *CODES), key=len, reverse=True))) + r")\b", re.IGNORECASE
)
