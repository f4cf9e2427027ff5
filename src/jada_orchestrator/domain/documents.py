"""JSON as Python sees it, its canonical text, and its digest."""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, Final, TypeAlias

import msgspec

Json: TypeAlias = Any
"""A JSON value. `Any`, because Python's types cannot say "JSON" without a cast at every step."""
JsonObject: TypeAlias = dict[str, Any]


class Packed:
    """A JSON object kept as its text, and read each time that somebody looks into it.

    Most of what tasks were told and what they answered is looked into once or never again, and takes three to five
    times as much memory read as it does unread. Two are equal that say the same, and one equals the object that it
    says; whoever looks gets an object of their own.
    """

    __slots__ = ("text",)

    def __init__(self, text: bytes) -> None:
        """Take the text of one JSON object, in UTF-8; it is not checked."""
        self.text: Final = text

    def opened(self) -> JsonObject:
        """Return what it says. Raises: ValueError, if the text is no JSON."""
        return opened(self.text)

    def may_say(self, name: str) -> bool:
        """Tell whether a name of plain letters can occur in it at all; cheaper than looking."""
        return name.encode() in self.text or b"\\" in self.text

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Packed):
            return self.text == other.text or self.opened() == other.opened()
        return self.opened() == other if isinstance(other, dict) else NotImplemented

    __hash__ = None  # type: ignore[assignment] # as objects have none

    def __repr__(self) -> str:
        return f"Packed({self.text!r})"


def opened(text: bytes) -> JsonObject:
    """Return what the text of a JSON object says. Raises: ValueError, if it is no JSON."""
    value: JsonObject
    try:
        value = _read(text)
    except ValueError:
        value = json.loads(text)  # halves of characters, which only the standard library reads
    return value


def packed(value: JsonObject) -> Packed:
    """Return a JSON object as its text.

    A number that is none, or has no end, is null there: JSON knows neither.
    Raises: TypeError, RecursionError, when it holds what JSON cannot say.
    """
    if not value:
        return _NOTHING_SAID
    try:
        return Packed(bytes(memoryview(_write(value))))  # a copy: what msgspec writes keeps more room than it needs
    except UnicodeEncodeError:  # lone surrogates: a message may be anybody's
        return Packed(json.dumps(_finite(value), check_circular=False, separators=(",", ":")).encode())


def _finite(value: Json) -> Json:
    match value:
        case dict():
            return {name: _finite(part) for name, part in value.items()}
        case list() | tuple():
            return [_finite(part) for part in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


_NOTHING_SAID: Final = Packed(b"{}")
_read: Final = msgspec.json.Decoder().decode
_write: Final = msgspec.json.Encoder().encode


def canonical_json(value: Json) -> str:
    """Return the one text of a JSON value: sorted keys, no spaces, no escapes beyond what JSON demands."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Json) -> str:
    """Return the SHA-256 of a JSON value's canonical text, in hexadecimal."""
    return digest_of_text(canonical_json(value))


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal (lone surrogates are allowed: the text may be anybody's)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
