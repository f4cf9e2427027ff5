"""JSON as Python sees it, its canonical text, and its digest."""

from __future__ import annotations

import hashlib
import json
import json.encoder
import math
from typing import Any, Final, TypeAlias

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
    value: JsonObject = _read(text.decode())[0]
    return value


def packed(value: JsonObject) -> Packed:
    """Return a JSON object as its text.

    A number that is none, or has no end, is null there: JSON knows neither.
    Raises: TypeError, RecursionError, when it holds what JSON cannot say.
    """
    if not value:
        return _NOTHING_SAID
    try:
        return Packed(_write(value).encode())
    except UnicodeEncodeError:  # lone surrogates: a message may be anybody's
        return Packed(_write_escaped(value).encode())
    except ValueError:
        return packed(_finite(value))


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
_read: Final = json.JSONDecoder().raw_decode
"""Rather than `decode`, which spends a third of the time on looking for space around the object: there is none."""
_HOW: Final[dict[str, Any]] = {"allow_nan": False, "check_circular": False, "separators": (",", ":")}
_make_encoder: Any = json.encoder.c_make_encoder  # type: ignore[attr-defined] # which its stub leaves out
_UNSORTED = _ALL_NAMES = _FINITE = False
_chunks: Final = _make_encoder(
    None, json.JSONEncoder().default, json.encoder.encode_basestring, None, ":", ",", _UNSORTED, _ALL_NAMES, _FINITE
)
"""What `json.JSONEncoder` makes anew for each object, which takes as long as writing a small one."""


def _write(value: Json) -> str:
    return "".join(_chunks(value, 0))


_write_escaped: Final = json.JSONEncoder(**_HOW).encode


def canonical_json(value: Json) -> str:
    """Return the one text of a JSON value: sorted keys, no spaces, no escapes beyond what JSON demands."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Json) -> str:
    """Return the SHA-256 of a JSON value's canonical text, in hexadecimal."""
    return digest_of_text(canonical_json(value))


def digest_of_text(text: str) -> str:
    """Return the SHA-256 of a text, in hexadecimal (lone surrogates are allowed: the text may be anybody's)."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
