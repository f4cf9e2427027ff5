"""What never stands in a log: secrets, card numbers, passport numbers.

Found by the names of fields and by patterns in text. It errs on the side of silence: a booking code that looks like a
passport number is hidden as well.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

HIDDEN: Final = "[hidden]"
_DEPTH_MAX: Final = 8
_TEXT_CHARS_MAX: Final = 16_384
"""Longer texts are cut before they are searched: a log line is not a document."""

_SECRET_NAME: Final = re.compile(
    r"(?:^|_)(?:password|passwd|secret|api_?key|access_key|private_key|credentials?|authorization|auth_token|bearer"
    r"|session_token|cookie|token|card|card_number|pan|cvv|cvc|passport|passport_(?:no|number)|iban)$",
    re.IGNORECASE,
)
_SECRETS: Final = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{8,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:(?<=bearer )[A-Za-z0-9._~+/-]{8,}=*)"
    r"|(?i:(?<=password=)[^\s&,;]+|(?<=secret=)[^\s&,;]+|(?<=api_key=)[^\s&,;]+)"
)
_NAMED: Final = re.compile(
    r"((?:\b|_)(?:password|passwd|secret|api_?key|access_key|private_key|session_token|auth_token|card_?number|cvv|cvc|iban"
    r"|passport(?:_?(?:no|number))?)[\"']?\s*[:=]\s*)"
    r"(?:\"[^\"]*\"|'[^']*'|[\[{][^\]}]*[\]}]?|[^\s,;&}\])]+)",
    re.IGNORECASE,
)
"""A name and its value inside a text, as JSON, Python and people write them."""
_STEMS: Final = ("passw", "secret", "api", "_key", "_token", "card", "cvv", "cvc", "iban", "passport")
"""One of them is in each of those names: looked for first, which costs a thirtieth of the pattern."""
_CARD: Final = re.compile(r"(?<![\d.-])[2-6]\d(?:[ -]?\d){11,17}(?![\d])")
"""13 to 19 digits as payment cards have them (ISO/IEC 7812); the check digit decides."""
_PASSPORT: Final = re.compile(
    r"\b[A-Z]{1,2}\d{7,8}\b"  # most countries: one or two letters and seven or eight digits
    r"|\bP[A-Z<][A-Z]{3}[A-Z<]{20,}[A-Z0-9<]*"  # the machine-readable zone (ICAO 9303)
    r"|(?i:(?<=passport )|(?<=passport: )|(?<=passport no )|(?<=passport no\. )|(?<=passport number ))[A-Z0-9]{6,12}\b"
)


def redacted(value: object, *, depth: int = 0) -> Any:  # noqa: ANN401 - whatever a log field holds
    """Return a copy of a log field's value without what must not be logged."""
    if isinstance(value, str):
        return redacted_text(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int | float):
        return HIDDEN if isinstance(value, int) and redacted_text(str(value)) != str(value) else value
    if depth >= _DEPTH_MAX:
        return "..."
    if isinstance(value, Mapping):
        return {str(name): redacted_field(str(name), inner, depth=depth + 1) for name, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(inner, depth=depth + 1) for inner in value]
    return redacted_text(str(value))


def redacted_field(name: str, value: object, *, depth: int = 0) -> Any:  # noqa: ANN401
    """Return a field's value, or `HIDDEN` when its name says that it is a secret."""
    if value is not None and _SECRET_NAME.search(name):
        return HIDDEN
    return redacted(value, depth=depth)


def redacted_text(text: str) -> str:
    """Return a text without the secrets and numbers in it."""
    if len(text) > _TEXT_CHARS_MAX:
        text = text[:_TEXT_CHARS_MAX] + f"... ({len(text)} characters)"
    text = _SECRETS.sub(HIDDEN, text)
    lowered = text.lower()
    if any(stem in lowered for stem in _STEMS):
        text = _NAMED.sub(rf"\1{HIDDEN}", text)
    text = _CARD.sub(_hide_card, text)
    return _PASSPORT.sub(HIDDEN, text)


def _hide_card(match: re.Match[str]) -> str:
    digits = [int(character) for character in match.group() if character.isdigit()]
    return HIDDEN if _check_digit_fits(digits) else match.group()


def _check_digit_fits(digits: list[int]) -> bool:
    """Tell whether the last digit is the check digit of the others (Luhn, ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = digit * 2 if place % 2 else digit
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
