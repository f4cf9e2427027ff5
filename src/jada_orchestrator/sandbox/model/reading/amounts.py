"""Numbers in text: how many travel, for how many nights, for how much money, in what class."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_NUMBERS = {
    "a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "both": 2,
}  # fmt: skip
_N = r"(?:\d{1,3}|" + "|".join(_NUMBERS) + r")"
_HEADS = (
    r"(?:adults?|children|child|kids?|infants?|people|persons?|travell?ers?|passengers?|guests?|pax|seats|tickets"
    r"|friends|colleagues)"
)
_COUNTED = re.compile(rf"\b({_N})\s+(?:of\s+my\s+)?(?:small\s+|young\s+)?{_HEADS}\b", re.IGNORECASE)
_GROUPS = (
    re.compile(rf"\b({_N})\s+of\s+us\b", re.IGNORECASE),
    re.compile(rf"\b(?:family|group|party|team)\s+of\s+({_N})\b", re.IGNORECASE),
    re.compile(rf"\bwe\s+are\s+({_N})\b", re.IGNORECASE),
    re.compile(rf"\b(?:travell?ers|passengers|guests|pax)\s*[:=]\s*({_N})\b", re.IGNORECASE),
    re.compile(rf"\bfor\s+({_N})(?!\s*(?:%|nights?|days?|weeks?|hours?|months?|a\.?m|p\.?m|[-\u2013]?\s*star|\d|usd|eur|gbp|dollars|euros"
               r"|pounds|single|double))(?=\s|[,.;:!?)]|$)", re.IGNORECASE),
)  # fmt: skip
_KIN = r"(?:wife|husband|partner|girlfriend|boyfriend|friend|mother|father|son|daughter|boss|colleague)"
_COUPLE = re.compile(
    rf"\bmy\s+{_KIN}\s+and\s+(?:I|me|myself)\b|\b(?:me|myself)\s+and\s+my\s+{_KIN}\b|\b(?:as|for) a couple\b",
    re.IGNORECASE,
)
_ALONE = re.compile(
    r"\b(?:just|only|for) (?:me|myself)\b|\bmyself\b|\balone\b|\bsolo\b|\bone person\b"
    r"|\b(?:book|fly|get|find|take) me\b"
    r"|\bI(?:'m| am) (?:flying|travell?ing|going)\b",
    re.IGNORECASE,
)
_STAY = re.compile(rf"\b({_N})\s+(nights?|days?|weeks?)\b", re.IGNORECASE)
_STARS = re.compile(r"\b([1-5]|one|two|three|four|five)[ -]?stars?\b", re.IGNORECASE)

_SIGNS = {"$": "USD", "us$": "USD", "usd": "USD", "dollars": "USD", "dollar": "USD", "€": "EUR", "eur": "EUR",
          "euros": "EUR", "euro": "EUR", "£": "GBP", "gbp": "GBP", "pounds": "GBP"}  # fmt: skip
CURRENCIES = ("USD", "EUR", "GBP")
_SIGN = r"(?:us\$|\$|€|£|usd|eur|gbp)"
_WORD = r"(?:usd|eur|gbp|dollars?|euros?|pounds|€|£|\$)"
_AMOUNT = r"(?P<amount>\d{1,3}(?:[,' ]\d{3})+(?:\.\d{1,2})?|\d+(?:\.\d{1,2})?)(?P<kilo>\s?k\b)?"
_LIMIT = (
    r"\b(?:under|below|less than|max(?:imum)?(?: of)?|at most|up to|no more than|not more than|budget(?: of| is|:)?"
    r"|within|cheaper than|spend)\s+(?:about\s+)?"
)
_WHOLE = r"\s*(?:all in|in total|total|altogether|budget|max|maximum|or less|limit)"
_BUDGETS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_LIMIT}(?P<sign>{_SIGN})?\s?{_AMOUNT}\s?(?P<word>{_WORD})?",
        rf"(?P<sign>{_SIGN})\s?{_AMOUNT}(?P<word>){_WHOLE}",
        rf"(?P<sign>){_AMOUNT}\s?(?P<word>{_WORD}){_WHOLE}",
    )
)
_FOREIGN = re.compile(
    r"\b(?:yen|jpy|chf|francs?|rupees?|inr|yuan|cny|krone[rn]?|dkk|sek|nok|zloty|pln|aud|cad)\b|¥", re.IGNORECASE
)
_EACH = re.compile(
    r"\s*(?:(?:per|a|an|each|every|/)\s*(?:night|day|person|head|traveller|traveler)|each\b|pp\b|p\.p\.)", re.IGNORECASE
)
_NO_MONEY = re.compile(
    r"\s*(?:nights?|days?|weeks?|people|persons?|travell?ers|guests|stars?|hours?|stops?)\b", re.IGNORECASE
)
_AFTER = re.compile(
    r"\b(?:leav\w+|depart\w*|flights?|fly|flying)\s+after\s+(\d{1,2})(?::(\d\d))?\s*(am|pm)?\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Budget:
    """A sum that must not be exceeded; the amount as the decimal string of the contract."""

    amount: str
    currency: str

    def as_json(self) -> dict[str, str]:
        """Return the contract's money object."""
        return {"amount": self.amount, "currency": self.currency}


def read_number(word: str) -> int | None:
    """Return the number that a word or numeral says."""
    return int(word) if word.isdigit() else _NUMBERS.get(word.lower())


def read_travellers(text: str) -> int | None:
    """Return how many travel, from numerals or words; None when the text does not say it."""
    for pattern in _GROUPS[:4]:
        match = pattern.search(text)
        if match is not None:
            return read_number(match.group(1))
    counted = [read_number(match.group(1)) or 0 for match in _COUNTED.finditer(text)]
    if counted:
        return sum(counted)
    if _COUPLE.search(text):
        return 2
    match = _GROUPS[4].search(text)
    if match is not None and match.group(1).lower() != "a":
        return read_number(match.group(1))
    if _ALONE.search(text) and not re.search(r"\b(?:we|us|our)\b", text, re.IGNORECASE):
        return 1
    return None


def read_nights(text: str) -> int | None:
    """Return for how many nights; a week is seven, and "for 5 days" is read as five nights."""
    match = _STAY.search(text)
    if match is None:
        return None
    count = read_number(match.group(1)) or 0
    return count * 7 if match.group(2).lower().startswith("week") else count


def read_stars(text: str) -> int | None:
    """Return the least number of stars that was asked for."""
    match = _STARS.search(text)
    return read_number(match.group(1)) if match else None


def read_budget(text: str) -> Budget | None:
    """Return the most that the whole may cost; without a currency it is US dollars, as in the catalogue.

    Limits for each night or person, and limits in other currencies, are not limits of the whole: they are left out.
    """
    for match in (match for pattern in _BUDGETS for match in pattern.finditer(text)):
        tail = text[match.end() :]
        if any(pattern.match(tail.lstrip()) for pattern in (_EACH, _NO_MONEY, _FOREIGN)):
            continue
        value = Decimal(re.sub(r"[,' ]", "", match.group("amount"))) * (1000 if match.group("kilo") else 1)
        sign = (match.group("sign") or match.group("word") or "usd").lower()
        return Budget(f"{value:.2f}", _SIGNS[sign])
    return None


def read_limit_each(text: str) -> str | None:
    """Return the words of a limit that is meant for each night or person."""
    for match in (match for pattern in _BUDGETS for match in pattern.finditer(text)):
        each = _EACH.match(text[match.end() :])
        if each is not None:
            return f"{match.group().strip()} {each.group().strip()}"
    return None


def read_foreign_currency(text: str) -> str | None:
    """Return a currency in which nothing can be quoted."""
    match = _FOREIGN.search(text)
    return match.group() if match else None


def read_cabin(text: str) -> str | None:
    """Return the cabin: economy, premium or business; `first` is reported, though nobody sells it."""
    for pattern, cabin in (
        (r"premium(?:[ -]economy)?\b", "premium"),
        (r"business(?:[ -]class)\b|\bin business\b|\bbusiness cabin\b", "business"),
        (r"\bfirst[ -]class\b", "first"),
        (r"\beconomy\b|\bcoach class\b", "economy"),
    ):
        if re.search(pattern, text, re.IGNORECASE):
            return cabin
    return None


def read_depart_after(text: str) -> str | None:
    """Return the earliest local departure time, HH:MM."""
    match = _AFTER.search(text)
    if match is None:
        return None
    hour = int(match.group(1)) % 12 + 12 if (match.group(3) or "").lower() == "pm" else int(match.group(1))
    return f"{hour:02d}:{match.group(2) or '00'}" if hour < 24 else None
