"""Instants: whole milliseconds since 1970 in UTC inside, RFC 3339 outside.

The module converts; it never asks what time it is.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, NewType

UtcMs = NewType("UtcMs", int)
"""Milliseconds since 1970-01-01T00:00:00Z."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_RFC3339: Final = re.compile(r"\A\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})\Z")
_DURATION: Final = re.compile(r"\A(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\Z")
_UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_instant(text: str) -> UtcMs:
    """Return the instant that an RFC 3339 date-time with an offset names, rounded down to a millisecond.

    Raises:
        ValueError: the text is not an RFC 3339 date-time, has no offset, or is outside the years 1 to 9999 of UTC.
    """
    if not _RFC3339.match(text):
        msg = f"{text!r} is not an RFC 3339 instant such as 2027-04-01T12:00:00Z"
        raise ValueError(msg)
    moment = datetime.fromisoformat(text.upper().replace(" ", "T"))
    instant = UtcMs((moment - _EPOCH) // timedelta(milliseconds=1))
    if not _FIRST <= instant <= _LAST:
        msg = f"{text!r} is no instant of the years 1 to 9999 in UTC"
        raise ValueError(msg)
    return instant


def format_instant(instant: UtcMs) -> str:
    """Return the instant as RFC 3339 in UTC, with milliseconds and ``Z``."""
    moment = _EPOCH + timedelta(milliseconds=instant)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def format_date(instant: UtcMs) -> str:
    """Return the UTC date of an instant, ``YYYY-MM-DD``."""
    return (_EPOCH + timedelta(milliseconds=instant)).date().isoformat()


def parse_duration_ms(text: str) -> int:
    """Return the milliseconds in a duration such as ``200ms``, ``20s``, ``1.5m``, ``2h`` or ``1d``.

    Raises:
        ValueError: the text is not of that form.
    """
    match = _DURATION.match(text.strip())
    if match is None:
        msg = f"{text!r} is not a duration such as 200ms, 20s, 5m, 2h or 1d"
        raise ValueError(msg)
    return int(float(match.group(1)) * _UNIT_MS[match.group(2)])


def format_duration(duration_ms: int) -> str:
    """Return a duration for people: ``340 ms``, ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if duration_ms < 1_000:
        return f"{duration_ms} ms"
    if duration_ms < 60_000:
        return f"{duration_ms / 1_000:.1f} s"
    minutes, rest_ms = divmod(duration_ms, 60_000)
    if minutes < 60:
        return f"{minutes} min {rest_ms // 1_000} s"
    return f"{minutes // 60} h {minutes % 60} min"
