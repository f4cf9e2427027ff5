"""Presence: what becomes of a reference when some of the tasks that it reads were not called.

Types cannot tell: JMESPath yields null for what is not there, passes it on through fields, leaves it out of projections
and hands it to functions, few of which take it. The walk follows that, and is on the safe side where it cannot know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Final

from jada_orchestrator.planning.references import Node, parse


class Presence(IntEnum):
    """What is left of a value, from best to worst."""

    WHOLE = 0
    """It is there, as if nothing were missing."""
    ABSENT = 1
    """It is null: a field that need not be given is left out."""
    HOLED = 2
    """It is a list or an object with nulls in it."""
    BROKEN = 3
    """It may be anything, or cannot be evaluated."""


def presence(expression: str, missing: frozenset[str]) -> Presence:
    """Return what a reference yields while these roots are null.

    Raises: ReferenceFault, when it is malformed.
    """
    return _walk(parse(expression).tree, missing) if missing else Presence.WHOLE


def _walk(node: Node, missing: frozenset[str]) -> Presence:
    children = node["children"]
    match node["type"]:
        case "field":
            return Presence.ABSENT if node["value"] in missing else Presence.WHOLE
        case "subexpression" | "index_expression" | "pipe":
            return _chain(node, missing)
        case "projection" | "filter_projection" | "value_projection" | "flatten":
            return _projected(_walk(children[0], missing))
        case "multi_select_list" | "multi_select_dict":
            return _made([_walk(child, missing) for child in children])
        case "key_val_pair":
            return _walk(children[0], missing)
        case "or_expression":
            left, right = (_walk(child, missing) for child in children)
            return right if left is Presence.ABSENT else left
        case "and_expression":
            return max(_walk(child, missing) for child in children)
        case "not_expression":
            return _judged(_walk(children[0], missing))
        case "comparator":
            worst = max(_walk(child, missing) for child in children)
            return _judged(worst) if node["value"] in {"eq", "ne"} else worst
        case "function_expression":
            return _function(node, missing)
        case _:
            return Presence.WHOLE


def _chain(node: Node, missing: frozenset[str]) -> Presence:
    """Only the first link reads the surroundings; a null goes through the others, except where they make something."""
    first, *others = node["children"]
    found = _walk(first, missing)
    if found is Presence.HOLED and all(link["type"] in _LEAVING_OUT for link in others):
        return Presence.WHOLE
    if found is Presence.ABSENT and all(link["type"] in _PASSING for link in others):
        return Presence.ABSENT
    return found if found is Presence.WHOLE else Presence.BROKEN


_PROJECTIONS: Final = frozenset({"projection", "filter_projection", "value_projection", "flatten"})
_PASSING: Final = _PROJECTIONS | {
    "field", "index", "slice", "identity", "current", "subexpression", "index_expression",
}  # fmt: skip
_LEAVING_OUT: Final = frozenset({"projection", "filter_projection", "flatten"})


def _projected(left: Presence) -> Presence:
    """A projection leaves out what is null; of what is no list it makes null."""
    return Presence.WHOLE if left is Presence.HOLED else left


def _made(parts: list[Presence]) -> Presence:
    worst = max(parts, default=Presence.WHOLE)
    return Presence.HOLED if worst is Presence.ABSENT else worst


def _judged(worst: Presence) -> Presence:
    """To ask whether something is there, or is equal to something, has an answer also when it is not there."""
    return worst if worst is Presence.BROKEN else Presence.WHOLE


def _function(node: Node, missing: frozenset[str]) -> Presence:
    name = node["value"]
    given = [_walk(child, missing) for child in node["children"] if child["type"] != "expref"]
    worst = max(given, default=Presence.WHOLE)
    tolerant = _TOLERANT.get(name)
    if tolerant is not None and worst is not Presence.BROKEN:
        return tolerant(given)
    return worst if worst is Presence.WHOLE else Presence.BROKEN


_TOLERANT: Final[Mapping[str, Callable[[list[Presence]], Presence]]] = {
    "not_null": lambda given: next((each for each in given if each is not Presence.ABSENT), Presence.ABSENT),
    "type": lambda given: max(given, default=Presence.WHOLE) and Presence.WHOLE,
}
"""Functions that take null, and what they make of it."""
