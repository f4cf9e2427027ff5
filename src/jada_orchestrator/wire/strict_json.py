"""JSON from strangers: read strictly, with every fault named, and never an exception.

Python's own reader takes NaN, lets the last of two equal names win, turns 1e999 into infinity and gives up on deep
nesting with a RecursionError. Here each of these is a fault with a code.

Nearly every text is an object without a flaw, and nearly all of them can be read by msgspec, which takes a tenth of the
time, and seen to be flawless afterwards (`vouched_for`). Whatever cannot is read by Python's reader, with hooks.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from msgspec import Struct

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault

DEPTH_MAX: Final = 64
"""Levels of nesting: a booking has about six; whatever is deeper is an attack or a mistake."""
INTEGER_MAX: Final = 2**63 - 1
"""What every JSON reader and every database column on the way can hold."""
_DIGITS_MAX: Final = 19

NAMES: Final[dict[str, str]] = {}
"""Names of fields, each kept in memory once, since the same few come again in every message of a kind.

Not `sys.intern`: early releases of Python 3.12 (3.12.1 was measured) never let go of what was interned, and strangers
choose these names.
"""
NAMES_MAX: Final = 4_096
"""Names that are kept; with more all are forgotten, and those that are in use come again with the next message."""
_NAME_CHARS_KEPT: Final = 64
"""Longer ones are no names that come again."""

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class ReadJson(Struct, frozen=True, gc=False):
    """What a text holds. `value` is the best that could be made of it, None where it is no JSON at all."""

    value: Json
    faults: tuple[Fault, ...]


@dataclass(slots=True)
class _Notes:
    """Faults that are seen while the text is read, where no path is known yet."""

    faults: list[Fault] = field(default_factory=list)

    def pairs(self, pairs: list[tuple[str, Json]]) -> JsonObject:
        found = _object_of(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            for name in found:
                if names.count(name) > 1 and len(self.faults) < _NOTED_MAX:
                    self.note("DUPLICATE_NAME", shown(name), "the name stands twice in one object; keep one of them")
        return found

    def integer(self, digits: str) -> int:
        value = int(digits) if len(digits.lstrip("-")) <= _DIGITS_MAX else INTEGER_MAX + 1
        if abs(value) <= INTEGER_MAX:
            return value
        self.note("BAD_NUMBER", "", f"the whole number {shown(digits)} does not fit into 64 bits; send it as a string")
        return 0

    def real(self, digits: str) -> float:
        value = float(digits)
        if math.isfinite(value):
            return value
        self.note("BAD_NUMBER", "", f"the number {shown(digits)} is too large; send it as a string")
        return 0.0

    def constant(self, name: str) -> None:
        self.note("BAD_NUMBER", "", f"{name} is not JSON; leave the field out, or send null or a string")

    def note(self, code: str, where: str, message: str) -> None:
        self.faults.append(Fault(code, where, message))


_NOTED_MAX: Final = 100
"""Duplicate names that are noted; looking for more in a hostile object would take quadratic time."""


def read_json(text: str | bytes, *, mend_texts: bool = False) -> ReadJson:
    """Read a JSON text. Lone surrogates are faults, or become U+FFFD where `mend_texts` is set."""
    if isinstance(text, str) and (flawless := vouched_for(text)) is not None:
        return ReadJson(flawless, ())
    return read_with_hooks(text, mend_texts=mend_texts)


def read_with_hooks(text: str | bytes, *, mend_texts: bool = False) -> ReadJson:
    """Read a JSON text as `read_json` reads what may have a flaw: by Python's reader."""
    try:
        value, notes = _read(text)
    except RecursionError:
        return ReadJson(None, (_too_deep(),))
    except ValueError as error:
        return ReadJson(None, (Fault("NOT_JSON", "", f"the message is not JSON ({error}); send one JSON object"),))
    # What has fewer containers than levels is not that deep: with most texts nobody need go down.
    if _containers(text) > DEPTH_MAX and _is_deeper(value, DEPTH_MAX):
        return ReadJson(None, (*notes.faults, _too_deep()))
    if not _may_be_broken(text):
        return ReadJson(value, tuple(notes.faults))
    if mend_texts:
        return ReadJson(mended(value), tuple(notes.faults))
    for path in _broken_texts(value, ""):
        notes.note("BAD_TEXT", path, "the text holds half of a surrogate pair, which is not a character; mend the text")
    return ReadJson(value, tuple(notes.faults))


def vouched_for(text: str) -> JsonObject | None:
    """Return what a text holds that is certainly an object without a flaw, or None where it has to be looked at.

    msgspec takes what Python's reader takes, but for numbers without end and halves of characters, which it refuses as
    that does what is no JSON. What it lets pass is looked for here: nesting, whole numbers beyond 64 bits, and names
    that stand twice. Those get lost, and their colons with them: as long as no character is escaped, a text has one
    colon for each name that was read and those within texts, or else something that it says was lost.
    """
    if "\\" in text and "\\u" in text:
        return None
    try:
        value = _DECODE(text)
    except (ValueError, RecursionError):
        return None
    if type(value) is not dict:
        return None
    names = 0
    containers: list[Any] = []
    level: list[Any] = [value]
    for _ in range(DEPTH_MAX):
        containers += level
        inner: list[Any] = []
        for container in level:
            if type(container) is dict:
                names += len(container)
                container = container.values()  # noqa: PLW2901 - what it holds, as a list does
            for each in container:
                kind = type(each)
                if kind is str:
                    continue
                if kind is dict or kind is list:
                    inner.append(each)
                elif kind is int and not -INTEGER_MAX <= each <= INTEGER_MAX:
                    return None
        if not inner:
            colons = text.count(":")
            return value if colons == names or colons == names + _colons_within(containers) else None
        level = inner
    return None


def _colons_within(containers: list[Any]) -> int:
    """Return how many colons stand in the names and texts of containers, without those that are in them."""
    count = 0
    for container in containers:
        if type(container) is dict:
            for name in container:
                count += name.count(":")
            container = container.values()  # noqa: PLW2901 - what it holds, as a list does
        for each in container:
            if type(each) is str:
                count += each.count(":")
    return count


_DECODE: Final = msgspec.json.Decoder().decode


def _read(text: str | bytes) -> tuple[Json, _Notes]:
    """Return what a text holds, with what was noted. Raises: ValueError, RecursionError."""
    if isinstance(text, str):
        try:
            return _FLAWLESS.decode(text), _Notes()
        except ValueError:
            pass  # it is read again, and every flaw noted
    notes = _Notes()
    value = json.loads(
        text,
        object_pairs_hook=notes.pairs,
        parse_int=notes.integer,
        parse_float=notes.real,
        parse_constant=notes.constant,
    )
    return value, notes


def _object_of(pairs: list[tuple[str, Json]]) -> JsonObject:
    """Return an object with its names kept once; of two equal names the last one counts."""
    keep = NAMES.setdefault
    found = {(keep(name, name) if len(name) <= _NAME_CHARS_KEPT else name): value for name, value in pairs}
    if len(NAMES) > NAMES_MAX:
        NAMES.clear()
    return found


def _pairs(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = _object_of(pairs)
    if len(found) < len(pairs):
        raise ValueError(_FLAW)
    return found


def _integer(digits: str) -> int:
    if len(digits) >= _DIGITS_MAX:
        raise ValueError(_FLAW)  # perhaps it is none; then nothing is noted
    return int(digits)


def _real(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(_FLAW)
    return value


def _constant(name: str) -> None:
    raise ValueError(name)


_FLAW: Final = "a flaw"
_FLAWLESS: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_real, parse_constant=_constant
)
"""Reads texts without a flaw, as nearly all are: a reader made for each text is a third of the cost of reading it."""


def mended(value: Json) -> Json:
    """Return the JSON value with U+FFFD for every lone surrogate."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {mended(name): mended(each) for name, each in value.items()}
    return [mended(each) for each in value] if isinstance(value, list) else value


def shown(value: object) -> str:
    """Return a value that is short and safe enough to be quoted: cut, and without characters that are none."""
    text = value if isinstance(value, str) else repr(value)
    return repr(_SURROGATE.sub("\ufffd", text if len(text) <= 40 else text[:39] + "…"))


def kind_of(value: object) -> str:
    """Return what a JSON value is, for people; values themselves may be private and are not quoted."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"


def _too_deep() -> Fault:
    return Fault("TOO_DEEP", "", f"the message is nested more than {DEPTH_MAX} levels deep; flatten it")


def _may_be_broken(text: str | bytes) -> bool:
    """Tell whether a text may hold half of a surrogate pair: as it is or escaped; nearly none does."""
    if isinstance(text, bytes):
        return True
    return "\\u" in text or (not text.isascii() and _SURROGATE.search(text) is not None)


def _containers(text: str | bytes) -> int:
    """Return how many objects and arrays a text may hold at most."""
    return text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")


def _is_deeper(value: Json, levels: int) -> bool:
    """Go down from container to container, which are few beside what they hold."""
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        if not level:
            return False
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(level)


def _broken_texts(value: Json, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if not value.isascii() and _SURROGATE.search(value):
            yield path
    elif isinstance(value, dict):
        for name, each in value.items():
            inner = f"{path}.{_SURROGATE.sub('?', name)}".lstrip(".")
            if _SURROGATE.search(name):
                yield inner
            yield from _broken_texts(each, inner)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _broken_texts(each, f"{path}[{index}]")
