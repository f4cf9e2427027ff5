"""Provenance: which fields a reference's value is made of, and whether a value was really told by the traveller.

An origin is a root and a path of field names; places in lists are left out: ``find.offers[0].price`` and
``min_by(find.offers, &price.amount).price`` both come from ``find``, ``offers.price``. What only chooses among values
(a filter's condition, the key of `min_by`) is no origin of them. Names that a reference gives to fields itself are
constants where they become values.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.planning.references import INDEX_ROOT, ITEM_ROOT, Node, parse


@dataclass(frozen=True, slots=True, order=True)
class Origin:
    """A field that a value is made of; the root is empty for what stands in the reference itself."""

    root: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Made:
    """An object that the reference itself builds: where each field comes from; the names are its author's."""

    fields: tuple[tuple[str, _Flow], ...]


_Flow: TypeAlias = "frozenset[Origin | _Made]"
"""Everything that a value may come from."""

_LITERAL: Final = Origin("")
_ANY_FIELD: Final = "*"
"""In a path: nobody knows which field. Allowed only where the whole object is."""


def origins(expression: str) -> frozenset[Origin]:
    """Return every field that a reference's value is made of.

    Raises: ReferenceFault, when it is malformed.
    """
    return frozenset(_flat(_walk(parse(expression).tree, None)))


def _walk(node: Node, at: _Flow | None) -> _Flow:
    """Follow a node over what it is applied to; None is the surroundings, whose fields are roots."""
    children = node["children"]
    match node["type"]:
        case "field":
            return frozenset({Origin(node["value"])}) if at is None else _field(node["value"], at)
        case "identity" | "current" | "index" | "slice":
            return at if at is not None else frozenset()
        case "literal":
            return frozenset({_LITERAL})
        case "subexpression" | "index_expression" | "pipe":
            for child in children:
                at = _walk(child, at)
            return at if at is not None else frozenset()
        case "projection" | "filter_projection":
            return _walk(children[1], _walk(children[0], at))
        case "value_projection":
            return _walk(children[1], _values(_walk(children[0], at)))
        case "multi_select_dict":
            made = _Made(tuple((child["value"], _walk(child["children"][0], at)) for child in children))
            return frozenset({made})
        case "function_expression":
            return _function(node, at)
        case _:
            return _union(_walk(child, at) for child in children if isinstance(child, dict))


def _field(name: str, at: _Flow) -> _Flow:
    return _union(
        dict(each.fields).get(name, frozenset())
        if isinstance(each, _Made)
        else frozenset({each if each == _LITERAL else Origin(each.root, (*each.path, name))})
        for each in at
    )


def _values(at: _Flow) -> _Flow:
    """Return what the fields of an object come from."""
    return _union(
        _union(flow for _, flow in each.fields) if isinstance(each, _Made) else _field(_ANY_FIELD, frozenset({each}))
        for each in at
    )


def _function(node: Node, at: _Flow | None) -> _Flow:
    children = node["children"]
    if node["value"] == "map":
        return _walk(children[0]["children"][0], _walk(children[1], at))
    given = _union(_walk(child, at) for child in children if child["type"] != "expref")
    match node["value"]:
        case "type":
            return frozenset({_LITERAL})  # one of six words, whatever it is asked of
        case "values":
            return _values(given)
        case "keys" | "to_string" if any(isinstance(each, _Made) for each in given):
            return given | {_LITERAL}  # the names are in it, which the reference itself gives
        case _:
            return given


def _union(flows: Iterable[_Flow]) -> _Flow:
    return frozenset(each for flow in flows for each in flow)


def _flat(flow: _Flow) -> Iterator[Origin]:
    for each in flow:
        if isinstance(each, _Made):
            for _, inner in each.fields:
                yield from _flat(inner)
        else:
            yield each


# --- What may be a source -------------------------------------------------------------------------------------------

USER: Final = "user"
CONST: Final = "const"
_REQUEST: Final = "request"


def sources_of(kind: str, expression: str, actions: Mapping[str, str], items: str = "") -> tuple[str, ...]:
    """Return a value's sources in the catalogue's words: ``user``, ``const``, ``agent.action.output.path``, sorted.

    `actions` has the action of each task by id. What a reference reads of the request was told by the user; what it
    reads of an ``item`` comes from where the list `items` comes from.
    Raises: ReferenceFault.
    """
    if not expression:
        return (kind,)
    return tuple(sorted({_source(each, actions) for one in origins(expression) for each in _traced(one, items)}))


def _traced(origin: Origin, items: str) -> Iterator[Origin]:
    """Follow an item to the list that it is in; its place in that list is nobody's value."""
    if not items or origin.root not in {ITEM_ROOT, INDEX_ROOT}:
        yield origin
    elif origin.root == INDEX_ROOT:
        yield _LITERAL
    else:
        for each in origins(items):
            yield each if each == _LITERAL else Origin(each.root, (*each.path, *origin.path))


def _source(origin: Origin, actions: Mapping[str, str]) -> str:
    if origin == _LITERAL:
        return CONST
    if origin.root == _REQUEST:
        return USER
    return ".".join((actions.get(origin.root, origin.root), *origin.path))


def is_allowed(source: str, allowed: Iterable[str]) -> bool:
    """Tell whether a source is among those allowed, or is a part of one of them."""
    return any(source == one or source.startswith(f"{one}.") for one in allowed)


# --- What was told --------------------------------------------------------------------------------------------------

_NUMBER: Final = re.compile(r"\d+(?:[.,]\d+)*")
_DATE: Final = re.compile(r"(\d{4})-(\d{2})-(\d{2})")
_TIME: Final = re.compile(r"(\d{2}):(\d{2})")
_MONTHS: Final = (
    ("jan", "ene", "gen"), ("feb", "fev", "fév"), ("mar", "mär", "mrz"), ("apr", "avr", "abr"),
    ("may", "mai", "mag"), ("jun", "juin", "giu"), ("jul", "juil", "lug"), ("aug", "aoû", "ago"),
    ("sep", "set"), ("oct", "okt", "ott", "out"), ("nov",), ("dec", "dez", "déc", "dic"),
)  # fmt: skip
"""The beginnings of the months' names in English, German, French, Spanish, Italian and Portuguese."""
_NUMBER_WORDS: Final = {
    word: str(number)
    for number, words in enumerate(
        (
            "zero",
            "one a an me i my single alone solo un une uno una um uma ein eine einen einer ich moi",
            "two couple both pair zwei deux dos due dois duas",
            "three drei trois tres tre três",
            "four vier quatre cuatro quattro quatro",
            "five fünf cinq cinco cinque",
            "six sechs seis sei",
            "seven sieben sept siete sette sete",
            "eight acht huit ocho otto oito",
            "nine neun neuf nueve nove",
            "ten zehn dix diez dieci dez",
        )
    )
    for word in words.split()
}
_CURRENCIES: Final = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_RELATIVE: Final = re.compile(
    r"\b(?:today|tonight|tomorrow|next|this|monday|tuesday|wednesday|thursday|friday|saturday|sunday|week|weeks|weekend|"
    r"nights?|days?|heute|morgen|demain|mañana|oggi|domani)\b"
)


_BEFORE: Final = r"(?<![\w-])(?<!\w[.:@+])"
_AFTER: Final = r"(?![\w-]|[.:@+]\w)"
"""A value stands for itself: ``c-1`` is not told by ``c-118``, nor ``x@a.org`` by ``x@a.org.example``."""


class Told:
    """Everything that the traveller and the frontend told, made comparable."""

    def __init__(self, texts: Iterable[str], document: Json = None) -> None:
        """Take the texts (the request's, and answers to questions) and the request's document."""
        values = list(_leaves(document))
        self._text = _plain(" ".join([*texts, *values]))
        self._words = set(re.findall(r"[^\W_]+", self._text))
        self._tokens = {token.strip(".,:;!?()\"'") for token in self._text.split()}
        self._numbers = {_number(found) for found in _NUMBER.findall(self._text)}
        self._numbers |= {_NUMBER_WORDS[word] for word in self._words & set(_NUMBER_WORDS)}

    def has(self, value: Json) -> bool:
        """Tell whether a value was told, as far as can be seen: every part of it, in whatever form it is usual.

        Generous where language is: a date counts when its day and month were told, or when days are spoken of
        relative to others; yes and no are taken from the sense.
        """
        match value:
            case None | bool():
                return True
            case int() | float():
                return _number(str(value)) in self._numbers
            case str():
                return self._has_text(value)
            case list():
                return all(self.has(item) for item in value)
            case dict():
                return all(self.has(item) for item in value.values())
            case _:
                return False

    def _has_text(self, text: str) -> bool:
        plain = _plain(text)
        if not plain or re.search(_BEFORE + re.escape(plain) + _AFTER, self._text):
            return True
        date = _DATE.fullmatch(plain)
        if date:
            return self._has_date(date)
        time = _TIME.fullmatch(plain)
        if time:
            return str(int(time[1])) in self._numbers or str((int(time[1]) + 11) % 12 + 1) in self._numbers
        if _NUMBER.fullmatch(plain):
            return _number(plain) in self._numbers
        if text in _CURRENCIES and _CURRENCIES[text] in self._text:
            return True
        return all(word.isalpha() and word in self._tokens for word in plain.split())

    def _has_date(self, date: re.Match[str]) -> bool:
        day, month = str(int(date[3])), int(date[2])
        if not 1 <= month <= len(_MONTHS):
            return False
        if _RELATIVE.search(self._text):
            return True
        named = any(word.startswith(_MONTHS[month - 1]) for word in self._words)
        days = self._numbers | {found for word in self._words for found in re.findall(r"^(\d+)(?:st|nd|rd|th)$", word)}
        return day in days and (named or str(month) in self._numbers)


def _plain(text: str) -> str:
    """Return a text in lower case with one blank between words; accents stay, compatibility forms do not."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def _number(text: str) -> str:
    """Return a number's digits in one form: ``3,000.00``, ``3.000,00``, ``3000`` and ``03000`` are the same.

    The last sign parts the decimals, unless it occurs twice or three digits follow: then it only groups.
    """
    place = max(text.rfind("."), text.rfind(","))
    groups = place < 0 or text.count(text[place]) > 1 or len(text) - place == 4
    whole, decimals = (text, "") if groups else (text[:place], text[place + 1 :].rstrip("0"))
    digits = whole.replace(",", "").replace(".", "").lstrip("0") or "0"
    return f"{digits}.{decimals}" if decimals else digits


def _leaves(value: Json) -> Iterable[str]:
    """Yield every value below as text."""
    stack: list[Json] = [value]
    while stack:
        item = stack.pop()
        match item:
            case dict():
                stack.extend(item.values())
            case list():
                stack.extend(item)
            case None | bool():
                pass
            case _:
                yield str(item)


NOTHING_TOLD: Final = Told(())
"""For plans none of whose actions asks where a value comes from."""
