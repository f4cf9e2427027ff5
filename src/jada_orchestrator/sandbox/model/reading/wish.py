"""What a request asks for, gathered from its structured fields, its text and the answers to earlier questions.

Structured `booking` fields win over the text. Nothing is invented: what is not there stays None, and the rules in
`sandbox.model.itinerary` turn it into a question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeVar

from jada_orchestrator.sandbox.model.reading import amounts, places
from jada_orchestrator.sandbox.model.reading import intent as intents
from jada_orchestrator.sandbox.model.reading.clauses import Clauses, split_clauses
from jada_orchestrator.sandbox.model.reading.dates import DateReading, goes_backwards, read_date, read_dates
from jada_orchestrator.sandbox.model.reading.intent import Intent, Part

_ONE_WAY = re.compile(r"\bone[ -]?way\b|\bsingle ticket\b|\bno return\b", re.IGNORECASE)
_RETURN = re.compile(
    r"\b(?:round[ -]?trip|return(?:ing|s)?|back (?:on|home))\b"
    r"|\b(?:and|fly|flying|come|coming|get|be|then)\s+(?:back|home)\b",
    re.IGNORECASE,
)
_GOING_BACK = re.compile(r"\b(?:return\w*|back|home|until|check(?:ing)?[ -]?out)\b[^.;]{0,14}$")
_GOING_OUT = re.compile(r"\b(?:leav\w+|depart\w*|outbound|out|from|check(?:ing)?[ -]?in)\b[^.;]{0,10}$")
_CUSTOMER = re.compile(
    r"\bcustomer(?:\s+(?:id|number|no\.?))?\s*(?:is|:|=)?\s*(?P<id>[A-Za-z0-9][\w.:-]*\d[\w-]*)"
    r"|\b(?P<bare>c-\d+)\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"\b(?:order|booking|reservation)(?:\s+(?:id|number|no\.?))?\s*(?:is|:|=|#)?\s*#?"
    r"(?P<id>(?=[\w-]*\d)(?:[A-Za-z][\w-]{2,}|\d{4,}))"
    r"|\b(?P<bare>ord-[\w-]+)",
    re.IGNORECASE,
)
_LATEST = re.compile(
    r"\b(?:my|the|our)\s+(?:last|latest|most recent|newest)\s+(?:order|booking|trip|reservation)\b", re.IGNORECASE
)
_T = TypeVar("_T")
_NAME_CHARS_MAX = 80
_NIGHTS_MAX = 365
_STARS_MAX = 5
_IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
_TIME = re.compile(r"[0-2][0-9]:[0-5][0-9]")
_NO = re.compile(r"\s*(?:no|nope|don't|do not)\b", re.IGNORECASE)
_OPENINGS = {
    "From which": "from",
    "To which city": "to",
    "In which": "in",
    "Which city in": "to",
    "Prices can be": "budget",
    "Is the limit": "budget",
}
"""What a bare answer to a question that begins so has to be led in with, to be read like any other text."""


@dataclass(frozen=True, slots=True)
class Wish:
    """Everything that could be read; `path` holds the cities in travelling order, `dates` the days in order."""

    intent: Intent
    parts: frozenset[Part]
    path: tuple[str, ...] = ()
    origin: str | None = None
    only_visited: bool = False
    same_place: bool = False
    dates: tuple[date, ...] = ()
    backwards: bool = False
    one_way: bool = False
    returning: bool = False
    nights: int | None = None
    travellers: int | None = None
    customer_id: str | None = None
    order_id: str | None = None
    latest_order: bool = False
    budget: amounts.Budget | None = None
    currency: str | None = None
    cabin: str | None = None
    near: str | None = None
    min_stars: int | None = None
    depart_after: str | None = None
    clauses: Clauses = field(default_factory=Clauses)
    stays: tuple[dict[str, Any], ...] = ()
    """Hotel stays that the frontend lists, as it wrote them."""
    asked: frozenset[str] = frozenset()
    doubts: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()


def read_wish(request: dict[str, Any], today: date) -> Wish:
    """Read a request's JSON; `today` is the day by which dates without a year are understood."""
    booking = request["booking"] if isinstance(request.get("booking"), dict) else {}
    answers = _answers(request)
    text = intents.without_negations("\n".join([str(request.get("text") or ""), *map(_statement, answers)]))
    text, clauses = split_clauses(text)
    dates = read_dates(text, today)
    mentions, district = places.split_district(places.read_places(text))
    constraints = request["constraints"] if isinstance(request.get("constraints"), dict) else {}
    budget = _money(constraints.get("max_total")) or _money(booking.get("max_total")) or amounts.read_budget(dates.rest)
    told_currency = (_text(booking.get("currency")) or "").upper()
    path = _booking_path(booking) or _path(mentions)
    ordered, backwards = _ordered(dates)
    structured = _booking_dates(booking, today)
    asked = frozenset(str(question) for entry in answers for question in entry.get("questions") or [])
    return Wish(
        intent=_intent(booking, text),
        parts=_parts(booking, text),
        path=path,
        origin=_origin(booking, mentions),
        only_visited=not booking.get("destination") and all(mention.role in ("in", "near") for mention in mentions),
        same_place=_same_place(booking, mentions),
        dates=structured or ordered,
        backwards=(list(structured) != sorted(structured)) if structured else backwards,
        one_way=bool(_ONE_WAY.search(text)) or booking.get("one_way") is True,
        returning=bool(_RETURN.search(text)) or "return" in booking or "return_date" in booking,
        nights=_within(_whole(booking.get("nights")) or amounts.read_nights(dates.rest), _NIGHTS_MAX),
        travellers=_first(_whole(booking.get(name)) for name in ("travellers", "travelers", "guests", "passengers"))
        or amounts.read_travellers(dates.rest),
        customer_id=_text(booking.get("customer_id"), _IDENTIFIER) or _id(_CUSTOMER, dates.rest),
        order_id=_text(booking.get("order_id"), _IDENTIFIER) or _id(_ORDER, dates.rest),
        latest_order=bool(_LATEST.search(text)),
        budget=budget,
        currency=_currency(told_currency, budget or clauses.car_below),
        cabin=_cabin(booking, text),
        near=_near(booking) or places.read_near(text) or district,
        min_stars=_within(
            _hotel_field(booking, "stars") or _hotel_field(booking, "min_stars") or amounts.read_stars(text), _STARS_MAX
        ),
        depart_after=_text(booking.get("depart_after"), _TIME) or amounts.read_depart_after(dates.rest),
        clauses=clauses,
        stays=_stays(booking),
        asked=asked,
        doubts=tuple(
            doubt
            for doubt in (
                *_doubts(text, dates, has_dates=bool(structured or ordered)),
                *_currency_doubts(told_currency),
            )
            if doubt not in asked
        ),
        refusals=(*_refusals(text, path, dates), *_declined(answers), *_unpayable(budget)),
    )


def _answers(request: dict[str, Any]) -> list[dict[str, Any]]:
    answers = request.get("answers")
    return [entry for entry in answers if isinstance(entry, dict)] if isinstance(answers, list) else []


def _statement(entry: dict[str, Any]) -> str:
    """Turn an answer into a statement that reads alone: "Boston" to "From which city ...?" becomes "from Boston"."""
    answer = str(entry.get("answer") or "")
    questions = [str(question) for question in entry.get("questions") or []]
    pieces = [piece.strip() for piece in re.split(r"[\n;]|,\s", answer) if piece.strip()]
    if len(pieces) != len(questions):
        pieces, questions = [answer], questions[:1] if len(questions) == 1 else []
    if not questions:
        return answer
    return "\n".join(_prefixed(question, piece) for question, piece in zip(questions, pieces, strict=True))


def _prefixed(question: str, answer: str) -> str:
    words = answer.split()
    first, bare = words[0] if words else "", 0 < len(words) <= 3
    if bare and question.startswith("How many") and amounts.read_number(first) is not None:
        return f"{first} travellers"
    for opening, lead in _OPENINGS.items():
        if bare and question.startswith(opening) and not answer.lower().startswith(lead):
            return f"{lead} {answer}"
    for noun in ("customer", "order"):
        if bare and f"{noun}_id" in question and noun not in answer.lower():
            return f"{noun} {answer}"
    return answer


def _intent(booking: dict[str, Any], text: str) -> Intent:
    told = [booking.get(name) for name in ("intent", "kind", "type")]
    if "cancel" in told:
        return "cancel"
    if "change" in told:
        return "change"
    return intents.read_intent(text)


def _parts(booking: dict[str, Any], text: str) -> frozenset[Part]:
    parts: set[Part] = set(intents.read_parts(text))
    names: tuple[Part, ...] = ("flight", "hotel", "car")
    for part in names:
        if booking.get(part) or booking.get("kind") == part or booking.get("type") == part:
            parts.add(part)
        elif booking.get(part) is False:
            parts.discard(part)
    if _legs(booking) or (booking.get("origin") and booking.get("destination")):
        parts.add("flight")
    if booking.get("nights") or booking.get("check_in"):
        parts.add("hotel")
    return frozenset(parts)


def _currency(told: str, budget: amounts.Budget | None) -> str | None:
    return told if told in amounts.CURRENCIES else budget.currency if budget else None


def _stays(booking: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    stays = booking.get("stays")
    return tuple(stay for stay in stays if isinstance(stay, dict)) if isinstance(stays, list) else ()


def _legs(booking: dict[str, Any]) -> list[dict[str, Any]]:
    legs = booking.get("legs")
    return [leg for leg in legs if isinstance(leg, dict)] if isinstance(legs, list) else []


def _booking_path(booking: dict[str, Any]) -> tuple[str, ...]:
    legs = _legs(booking)
    names = [name for leg in legs for name in (leg.get("origin"), leg.get("destination"))]
    names = names or [booking.get("origin"), booking.get("destination") or booking.get("city")]
    return _without_repeats([name for name in names if isinstance(name, str) and 2 <= len(name) <= _NAME_CHARS_MAX])


def _booking_dates(booking: dict[str, Any], today: date) -> tuple[date, ...]:
    legs = _legs(booking)
    values = [leg.get("date") or leg.get("depart") for leg in legs]
    if not values:
        first = ("depart", "depart_date", "departure", "start_date", "check_in", "pick_up")
        last = ("return", "return_date", "end_date", "check_out", "drop_off")
        values = [_first(booking.get(name) for name in names) for names in (first, last)]
    return tuple(day for value in values if (day := read_date(value, today)) is not None)


def _path(mentions: tuple[places.PlaceMention, ...]) -> tuple[str, ...]:
    travelled = [mention for mention in mentions if mention.role not in ("in", "near")]
    names = {mention.name for mention in travelled}
    ordered = [mention for mention in mentions if mention in travelled or mention.name not in names]
    starts = [mention for mention in ordered if mention.role == "from"]
    if len(starts) == 1 and not any(
        mention.name == starts[0].name for mention in ordered if mention.start < starts[0].start
    ):
        # "To Lisbon from Boston": the place that is left comes first, wherever it stands.
        ordered = [starts[0], *(mention for mention in ordered if mention is not starts[0])]
    return _without_repeats([mention.name for mention in ordered])


def _origin(booking: dict[str, Any], mentions: tuple[places.PlaceMention, ...]) -> str | None:
    return _text(booking.get("origin")) or _first(mention.name for mention in mentions if mention.role == "from")


def _same_place(booking: dict[str, Any], mentions: tuple[places.PlaceMention, ...]) -> bool:
    """Whether the request leaves from where it goes to."""
    if booking.get("origin") and booking.get("destination"):
        return bool(booking["origin"] == booking["destination"])
    roles = [mention.role for mention in mentions]
    return len({mention.name for mention in mentions}) == 1 and roles[:2] == ["from", "to"]


def _ordered(reading: DateReading) -> tuple[tuple[date, ...], bool]:
    """Return the days in travelling order and whether the second can only lie before the first."""
    mentions = list(reading.mentions)
    if len(mentions) == 2:
        first, second = mentions
        if _GOING_BACK.search(first.before) and (_GOING_OUT.search(second.before) or second.day < first.day):
            mentions = [second, first]
            if not first.explicit and not second.explicit:
                return (second.day, first.day), first.day < second.day
    days: list[date] = []
    backwards = False
    for mention in mentions:
        backwards = backwards or (bool(days) and goes_backwards(days[-1], mention))
        if mention.day not in days:
            days.append(mention.day)
    return tuple(days), backwards


def _doubts(text: str, dates: DateReading, *, has_dates: bool) -> list[str]:
    """Return the questions that the wording itself raises."""
    doubts = [f"{words} is not a date. Which day is meant?" for words in dates.impossible]
    doubts += [f"Is {words} day/month or month/day? Please write it like 3 May." for words in dates.ambiguous]
    condition = intents.read_condition(text)
    if condition is not None:
        doubts.append(f'Conditions ("{condition} ...") cannot be planned. Shall it be booked without the condition?')
    foreign = amounts.read_foreign_currency(text)
    if foreign is not None:
        doubts.append(f"Prices can be limited in USD, EUR or GBP, not in {foreign}. What is the limit in one of them?")
    each = amounts.read_limit_each(dates.rest)
    if each is not None:
        doubts.append(f'Is the limit "{each}" known for the whole? What may everything together cost at most?')
    if amounts.read_cabin(text) == "first":
        doubts.append("First class is not sold here. Shall it be business class?")
    if intents.read_trains(text) and intents.read_parts(text):
        doubts.append("Trains and buses cannot be booked here. Shall the rest be booked without them?")
    vague = None if has_dates else intents.read_vague_date(text)
    if vague is not None:
        doubts.append(f'Which days exactly are meant by "{vague}"?')
    doubts += [f"Which city in {country.removeprefix('the ')} shall it be?" for country in places.read_countries(text)]
    return doubts


def _refusals(text: str, path: tuple[str, ...], dates: DateReading) -> list[str]:
    refusals = []
    nowhere = places.read_nowhere(text)
    if nowhere is not None:
        refusals.append(f"No agent can book anything in this place: {nowhere}.")
    thing = intents.read_out_of_scope(text)
    if thing is None and intents.read_trains(text) and not intents.read_parts(text):
        thing = "trains and buses"
    if thing is not None:
        what = "flights, hotels and rental cars only"
        joined = (
            " The rest of the request was not planned either; please send it alone." if path and dates.mentions else ""
        )
        refusals.append(f"This is out of scope ({thing}): {what}.{joined}")
    return refusals


def _currency_doubts(currency: str) -> list[str]:
    if not currency or currency in amounts.CURRENCIES:
        return []
    return [f"Prices can be shown in USD, EUR or GBP, not in {currency}. Shall it be USD?"]


def _unpayable(budget: amounts.Budget | None) -> list[str]:
    if budget is None or budget.currency in amounts.CURRENCIES:
        return []
    return [f"The limit is in {budget.currency}; prices are in USD, EUR or GBP only and cannot be compared with it."]


def _declined(answers: list[dict[str, Any]]) -> list[str]:
    """Return a refusal for every offer to go on without something that was answered with no."""
    offers = [(str((entry.get("questions") or [""])[0]), str(entry.get("answer", ""))) for entry in answers]
    return [
        f'Nothing to plan: "{offer}" was answered with no.'
        for offer, said in offers
        if "Shall" in offer and _NO.match(said)
    ]


def _cabin(booking: dict[str, Any], text: str) -> str | None:
    """Return the cabin; first class becomes business, which `_doubts` asks about before anything is planned."""
    told = str(booking.get("cabin") or "").lower()
    cabin = told if told in ("economy", "premium", "business", "first") else amounts.read_cabin(text)
    return "business" if cabin == "first" else cabin


def _without_repeats(names: list[str]) -> tuple[str, ...]:
    return tuple(name for index, name in enumerate(names) if index == 0 or name != names[index - 1])


def _first(values: Iterable[_T]) -> _T | None:
    return next((value for value in values if value), None)


def _whole(value: object) -> int | None:
    if isinstance(value, list):
        return len(value) or None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _within(value: int | None, most: int) -> int | None:
    """Return a number from 1 to `most`; any other is as good as not said."""
    return value if value is not None and 1 <= value <= most else None


def _text(value: object, pattern: re.Pattern[str] | None = None) -> str | None:
    if not isinstance(value, str) or not value:
        return None
    return value if pattern is None or pattern.fullmatch(value) else None


def _near(booking: dict[str, Any]) -> str | None:
    hotel = booking.get("hotel")
    named = _text(hotel) if isinstance(hotel, str) else _hotel_text(hotel)
    near = named or _text(booking.get("near")) or _text(booking.get("neighbourhood")) or ""
    return near if 2 <= len(near) <= _NAME_CHARS_MAX else None


def _hotel_text(hotel: object) -> str | None:
    if not isinstance(hotel, dict):
        return None
    return _text(hotel.get("near")) or _text(hotel.get("neighbourhood"))


def _hotel_field(booking: dict[str, Any], name: str) -> int | None:
    hotel = booking.get("hotel")
    return _whole(hotel.get(name)) if isinstance(hotel, dict) else None


def _money(value: object) -> amounts.Budget | None:
    if not isinstance(value, dict):
        return None
    amount, currency = _text(value.get("amount"), _AMOUNT), _text(value.get("currency"), re.compile("[A-Z]{3}"))
    return amounts.Budget(amount, currency) if amount and currency else None


def _id(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return _text(match.group("id") or match.group("bare"), _IDENTIFIER) if match else None
