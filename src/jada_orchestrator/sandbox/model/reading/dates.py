"""Dates in text: ISO, day and month in either order, ranges of both, and a few relative ones.

A date without a year is its next occurrence on or after the date before it (at first: today). Numeric dates with
slashes are not read: 3/5 is March in one country and May in another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH_NUMBERS = {name: number for number, month in enumerate(_MONTHS, 1) for name in (month, month[:3])} | {"sept": 9}
_WORDS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "ten": 10}

_MONTH = r"(?P<{0}>" + "|".join(sorted(_MONTH_NUMBERS, key=len, reverse=True)) + r")\.?(?![a-z])"
_DAY = r"(?P<{0}>\d{{1,2}})(?:st|nd|rd|th)?(?!\d)"
_YEAR = r"(?:,?\s*(?P<{0}>20\d\d)(?!\d))?"
_TO = r"\s*(?:-|\u2013|\u2014|to|until|till|through|and)\s*(?:the\s+)?"
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?P<iso>\d{4}-\d{2}-\d{2})(?!\d)",
        # 3-10 May 2027; the day of the second date must not belong to another month.
        r"(?<!\d)" + _DAY.format("d1") + _TO + _DAY.format("d2") + r"\s+(?:of\s+)?" + _MONTH.format("m")
        + _YEAR.format("y"),
        # May 3 to 10, 2027, but not "May 3 to 10 June".
        r"\b" + _MONTH.format("m") + r"\s+(?:the\s+)?" + _DAY.format("d1") + _TO + _DAY.format("d2")
        + r"(?!\s*(?:of\s+)?(?:" + "|".join(_MONTH_NUMBERS) + r")\b)" + _YEAR.format("y"),
        r"(?<!\d)" + _DAY.format("d1") + r"\s+(?:of\s+)?" + _MONTH.format("m") + _YEAR.format("y"),
        r"\b" + _MONTH.format("m") + r"\s+(?:the\s+)?" + _DAY.format("d1") + _YEAR.format("y"),
        r"\b(?P<relative>today|tomorrow|the day after tomorrow)\b",
        r"\bin\s+(?P<count>\d{1,3}|" + "|".join(_WORDS) + r")\s+(?P<unit>days?|weeks?)\b",
        r"\b(?:on|next|this|coming)\s+(?P<weekday>" + "|".join(_WEEKDAYS) + r")\b",
    )
)  # fmt: skip
_NUMERIC = re.compile(r"(?<![\d/])\d{1,2}[/.]\d{1,2}(?:[/.]\d{2,4})?(?![\d/])")
_FAR_JUMP_DAYS = 200


@dataclass(frozen=True, slots=True)
class DateMention:
    """One date in the text; `explicit` when it named its year, `before` are the words that lead up to it."""

    start: int
    day: date
    explicit: bool
    before: str


@dataclass(frozen=True, slots=True)
class DateReading:
    """All dates of a text in their order, the text with them blanked, and what could not be read."""

    mentions: tuple[DateMention, ...]
    rest: str
    impossible: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()


def read_dates(text: str, today: date) -> DateReading:
    """Read every date of the text; dates that do not exist are named, numeric ones are ambiguous."""
    found: list[tuple[int, re.Match[str]]] = []
    rest = text
    for pattern in _PATTERNS:
        for match in list(pattern.finditer(rest)):
            if not _plausible(match):
                continue
            found.append((match.start(), match))
            rest = rest[: match.start()] + " " * (match.end() - match.start()) + rest[match.end() :]
    ambiguous = tuple(match.group() for match in _NUMERIC.finditer(rest) if "$" not in rest[: match.start()][-1:])
    mentions: list[DateMention] = []
    impossible: list[str] = []
    after = today
    for start, match in sorted(found, key=lambda entry: entry[0]):
        before = text[max(0, start - 28) : start].lower()
        try:
            for day, explicit in _days(match, after, today):
                mentions.append(DateMention(start, day, explicit, before))
                after = max(after, day)
        except ValueError:
            impossible.append(match.group().strip())
    return DateReading(tuple(mentions), rest, tuple(impossible), ambiguous)


def read_date(value: object, today: date) -> date | None:
    """Read a structured field: an ISO date (or instant), or one date in words."""
    if not isinstance(value, str):
        return None
    mentions = read_dates(value, today).mentions
    return mentions[0].day if mentions else None


def goes_backwards(earlier: date, later: DateMention) -> bool:
    """Whether the later mention can only mean a day before the earlier one.

    "10 May, back on 3 May" would be read as next year's 3 May: a jump of most of a year is a mistake, not a journey.
    """
    return later.day < earlier or (not later.explicit and (later.day - earlier).days > _FAR_JUMP_DAYS)


def _plausible(match: re.Match[str]) -> bool:
    """Keep "may" the verb out: "we may 2 ..." has no capital, and a capital or a day before it makes it the month."""
    month = match.groupdict().get("m")
    return month is None or month.lower() != "may" or month[0].isupper() or match.group()[0].isdigit()


def _days(match: re.Match[str], after: date, today: date) -> Iterator[tuple[date, bool]]:
    groups = match.groupdict()
    if groups.get("iso"):
        yield date.fromisoformat(groups["iso"]), True
    elif groups.get("relative"):
        yield today + timedelta(days={"today": 0, "tomorrow": 1}.get(groups["relative"].lower(), 2)), True
    elif groups.get("unit"):
        count = _WORDS.get(groups["count"].lower()) or int(groups["count"])
        yield today + timedelta(days=count * (7 if groups["unit"].lower().startswith("week") else 1)), True
    elif groups.get("weekday"):
        ahead = (_WEEKDAYS.index(groups["weekday"].lower()) - after.weekday() - 1) % 7 + 1
        yield after + timedelta(days=ahead), True
    else:
        month, year = _MONTH_NUMBERS[groups["m"].lower()], groups.get("y")
        for name in ("d1", "d2"):
            if groups.get(name):
                day = _resolve(int(groups[name]), month, int(year) if year else None, after)
                after = day if year else max(after, day)
                yield day, year is not None


def _resolve(day: int, month: int, year: int | None, after: date) -> date:
    if year is not None:
        return date(year, month, day)
    candidates = []
    for candidate_year in range(after.year, after.year + 9):
        try:
            candidates.append(date(candidate_year, month, day))
        except ValueError:
            if (day, month) != (29, 2):
                raise
    return next(candidate for candidate in candidates if candidate >= after)
