"""The service's rate limits, as the headers of every answer tell them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from jada_orchestrator.domain.usage import RateKind, RateLimit

_PREFIX: Final = "anthropic-ratelimit-"
_NAMES: Final[Mapping[RateKind, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "input_tokens": "input-tokens",
    "output_tokens": "output-tokens",
}


def limits_of(headers: Mapping[str, str]) -> tuple[RateLimit, ...]:
    """Return the limits that an answer's headers tell; a header that cannot be read tells nothing.

    Resets are instants (RFC 3339); they are compared with the answer's own `date`, so that this host's clock does not
    matter.
    """
    date = _date_of(headers.get("date"))
    found = []
    for kind, name in _NAMES.items():
        limit, remaining = (
            _count(headers.get(f"{_PREFIX}{name}-limit")),
            _count(headers.get(f"{_PREFIX}{name}-remaining")),
        )
        if limit is not None and remaining is not None:
            found.append(RateLimit(kind, limit, remaining, _reset_ms(headers.get(f"{_PREFIX}{name}-reset"), date)))
    return tuple(found)


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None


def _date_of(text: str | None) -> datetime:
    try:
        told = parsedate_to_datetime(text) if text else None
    except ValueError:
        told = None
    return told if told is not None and told.tzinfo is not None else datetime.now(UTC)


def _reset_ms(text: str | None, date: datetime) -> int | None:
    try:
        until = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    if until is None or until.tzinfo is None:
        return None
    return max(0, math.ceil((until - date).total_seconds() * 1_000))
