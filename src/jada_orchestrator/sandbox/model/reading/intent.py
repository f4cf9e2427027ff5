"""What is wanted: book, change or cancel; a flight, a hotel, a car; or something that nobody here can do."""

from __future__ import annotations

import re
from typing import Literal

Intent = Literal["book", "change", "cancel"]
Part = Literal["flight", "hotel", "car"]

_NEGATED = re.compile(
    r"\b(?:no|without(?: a| any)?|not? need(?: a| any)?|don't (?:need|want)(?: a| any)?|skip the|except (?:the|a))\s+"
    r"(?P<thing>flights?|hotels?|rooms?|cars?|rental(?: car)?)\b",
    re.IGNORECASE,
)
_PARTS: dict[Part, re.Pattern[str]] = {
    "flight": re.compile(
        r"\b(?:flights?|fly|flying|plane|airfares?|(?:air|plane) tickets?|fares?)\b"
        r"|\b(?:go|going|travel|travell?ing|get) to\b",
        re.IGNORECASE,
    ),
    "hotel": re.compile(
        r"\b(?:hotels?|rooms?|stay(?:ing)?|accommodation|lodging|nights?|check[ -]?in)\b", re.IGNORECASE
    ),
    "car": re.compile(r"\b(?:(?:rental|hire|rent a|hire a) cars?|cars?(?: rental| hire)?|suv|van)\b", re.IGNORECASE),
}
_CANCEL = re.compile(r"\b(?:cancel(?:led|ling)?|call off|get (?:a|my) refund|refund my)\b", re.IGNORECASE)
_CANCELLABLE = re.compile(r"\bcancell?(?:able|ation)\w*|\bfree to cancel\b|\bcan be cancelled\b", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(?:change|move|rebook|reschedule|postpone|shift|modify|amend|push back|bring forward)\b", re.IGNORECASE
)
_CHANGE_OF_PLANE = re.compile(r"\b(?:no|one|without|any) changes?\b|\bchange planes?\b", re.IGNORECASE)
_OUT_OF_SCOPE: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), thing)
    for pattern, thing in (
        (r"\b(?:poem|haiku|song|story|joke|essay|limerick)\b", "writing"),
        (r"\b(?:translate|summari[sz]e|python|source code|write (?:a|some|me) (?:program|script|code))\b", "writing"),
        (r"\b(?:weather|capital of|who (?:is|was)|what is the meaning)\b", "questions of general knowledge"),
        (r"\b(?:table (?:for|at|on)|restaurant|dinner reservation)\b", "restaurant tables"),
        (r"\b(?:concert|theatre|theater|museum|opera|football|cinema) tickets?\b", "tickets for events"),
        (r"\btickets? (?:for|to) the (?:concert|theatre|match|museum)\b", "tickets for events"),
        (r"\b(?:cruise|ferry|yacht)\b", "ships"),
        (r"\b(?:pizza|groceries|flowers)\b", "deliveries"),
        (r"\b(?:rocket|spaceship|space station)\b", "travel in space"),
    )
)  # fmt: skip
_TRAINS = re.compile(r"\b(?:trains?|rail|bus|coach ticket)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"\b(?:only if|unless|not if|as long as|provided that|depending on|if (?:the|it|there|my))\b", re.IGNORECASE
)
_MONTHS = "(?:january|february|march|april|may|june|july|august|september|october|november|december|next month)"
_VAGUE_DATES = re.compile(
    r"\b(?:flexible|some time|sometime|whenever|any (?:day|time|date)|weekend)\b"
    rf"|\b(?:(?:end|beginning) of|early(?: in)?|late(?: in)?|mid|in)[ -]{_MONTHS}\b",
    re.IGNORECASE,
)


def without_negations(text: str) -> str:
    """Return the text without "no hotel", "without a car" and the like."""
    return _NEGATED.sub(" ", text)


def read_intent(text: str) -> Intent:
    """Return what shall happen; booking when the text speaks of neither change nor cancellation."""
    if _CANCEL.search(_CANCELLABLE.sub(" ", text)):
        return "cancel"
    return "change" if _CHANGE.search(_CHANGE_OF_PLANE.sub(" ", text)) else "book"


def read_parts(text: str) -> frozenset[Part]:
    """Return what the text names of flight, hotel and car."""
    return frozenset(part for part, pattern in _PARTS.items() if pattern.search(text))


def read_out_of_scope(text: str) -> str | None:
    """Return what is asked for that is not travel which can be booked here."""
    return next((thing for pattern, thing in _OUT_OF_SCOPE if pattern.search(text)), None)


def read_trains(text: str) -> bool:
    """Whether a train or a bus is asked for."""
    return _TRAINS.search(text) is not None


def read_condition(text: str) -> str | None:
    """Return the words of a condition, which this stand-in cannot weigh."""
    match = _CONDITION.search(text)
    return match.group() if match else None


def read_vague_date(text: str) -> str | None:
    """Return words that name a time without naming a day."""
    match = _VAGUE_DATES.search(text)
    return match.group().strip() if match else None
