"""Clauses that decide on a part of a booking: a car only under a price, and another offer where the first is gone.

Only these become a condition or an alternative of the plan. Every other condition is asked about, because a stand-in
without understanding must not guess what it depends on.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from jada_orchestrator.sandbox.model.reading.amounts import Budget, read_budget

_CAR_BELOW = re.compile(
    r"(?<=\bcar)\s*,?\s*(?:but\s+)?(?:only\s+)?if\s+the\s+(?:hotel|room)\s+(?:is|costs|stays)\s+"
    r"(?P<limit>(?:under|below|less than|cheaper than)\s+[^,.;\s]+(?:\s+(?:usd|eur|gbp|dollars|euros|pounds)\b)?)",
    re.IGNORECASE,
)
_GONE = r"if\s+(?:it|that|the first(?: one)?)(?:'s|\s+is)\s+(?:sold out|gone|taken|fully booked)"
_THING = r"(?:any other|another|the next)(?:\s+(?:best|cheapest))?(?:\s+(?:one|offer|hotel|room|flight|car))?"
_ANOTHER = re.compile(
    rf"[,;]?\s*\b(?:or|otherwise|or else)\s+{_THING}\s+{_GONE}\b"
    rf"|[,;.]?\s*\b{_GONE},?\s+(?:then\s+)?(?:take|book|get)?\s*{_THING}\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Clauses:
    """What decides on parts of a booking."""

    car_below: Budget | None = None
    """A car is wanted only where the hotel costs less than this in all."""
    another: bool = False
    """Where an offer is gone when it is held, the next one is wanted."""


def split_clauses(text: str) -> tuple[str, Clauses]:
    """Return the text without the clauses that are understood, and those."""
    limit = _CAR_BELOW.search(text)
    below = read_budget(limit["limit"]) if limit is not None else None
    rest = _CAR_BELOW.sub(" ", text) if below is not None else text
    without = _ANOTHER.sub(" ", rest)
    return without, Clauses(below, another=without != rest)
