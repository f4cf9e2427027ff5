"""Conditions: what a `when` demands, taken apart, so that two of them can be compared without running anything.

A condition is a conjunction of demands. Two tasks exclude each other when one demands what the other denies; a task
is only wanted when another one is, when it demands everything that the other one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from jada_orchestrator.planning.inference import Inferred, infer, infer_node
from jada_orchestrator.planning.references import Node, parse
from jada_orchestrator.planning.shapes import (
    Listed,
    Made,
    Shape,
    alternatives,
    field_of,
    item_of,
    keyword_of,
    names_of,
    types_of,
)

_NEVER_BOTH: Final = {
    "eq": frozenset({"ne", "lt", "gt"}),
    "ne": frozenset({"eq"}),
    "lt": frozenset({"gte", "gt", "eq"}),
    "gte": frozenset({"lt"}),
    "gt": frozenset({"lte", "lt", "eq"}),
    "lte": frozenset({"gt"}),
}
"""By comparison: those that are certainly not true of the same two values at once."""


@dataclass(frozen=True, slots=True)
class Demand:
    """One thing that must be so, or must not: a comparison of two operands, or that one expression is true."""

    operands: str
    comparison: str = ""
    negated: bool = False

    def denies(self, other: Demand) -> bool:
        """Tell whether one of both is always so, and never both."""
        if self.operands != other.operands:
            return False
        if self.comparison == other.comparison:
            return self.negated is not other.negated
        return not (self.negated or other.negated) and {self.comparison, other.comparison} == {"eq", "ne"}

    def excludes(self, other: Demand) -> bool:
        """Tell whether both can certainly not be so at once."""
        if self.denies(other):
            return True
        compared = other.comparison in _NEVER_BOTH.get(self.comparison, frozenset())
        return compared and self.operands == other.operands and not (self.negated or other.negated)


Demands: TypeAlias = frozenset[Demand]


def demands(expression: str) -> Demands:
    """Return everything that a condition demands; nothing of an empty one.

    Raises: ReferenceFault, when it is malformed.
    """
    return frozenset(_demands(parse(expression).tree)) if expression else frozenset()


def _demands(node: Node) -> Iterator[Demand]:
    if node["type"] == "and_expression":
        for child in node["children"]:
            yield from _demands(child)
    elif node["type"] == "not_expression":
        yield replace(_demand(node["children"][0]), negated=True)
    else:
        yield _demand(node)


def _demand(node: Node) -> Demand:
    if node["type"] == "comparator":
        return Demand(repr(node["children"]), node["value"])
    return Demand(repr(node))


def exclusive(one: Demands, other: Demands) -> bool:
    """Tell whether two conditions can certainly not hold at once."""
    return any(first.excludes(second) for first in one for second in other)


def are_opposite(one: Demands, other: Demands) -> bool:
    """Tell whether of two conditions always one holds: each is one demand, and they deny each other."""
    return len(one) == len(other) == 1 and next(iter(one)).denies(next(iter(other)))


def trouble_with(expression: str, surroundings: Mapping[str, Shape]) -> str:
    """Return why an expression cannot be a condition, or nothing.

    It must yield true or false. What agents write freely may not decide what is done: a text is compared only where it
    is known which texts there are (`enum`, `const`, `format`, `pattern` of its schema; what the request says is known).
    Raises: ReferenceFault.
    """
    if "boolean" not in types_of(infer(expression, surroundings).shape):
        return "it does not yield true or false: compare something, as in find.count > `0`"
    return next(_free_texts(parse(expression).tree, Inferred(Made(surroundings), certain=True)), "")


_TEXT_TESTS: Final = frozenset({"contains", "starts_with", "ends_with"})
_SAID: Final = ("enum", "const", "format", "pattern")
_CHAINS: Final = frozenset({"subexpression", "index_expression", "pipe"})
_OVER_ITEMS: Final = frozenset({"projection", "filter_projection"})


def _free_texts(node: Node, at: Inferred) -> Iterator[str]:
    """Yield a sentence for every comparison with a text that an agent is free to choose; `at` is what the node sees."""
    kind = node["type"]
    children = [child for child in node["children"] if isinstance(child, dict) and child["type"] != "expref"]
    if kind in _CHAINS or kind in _OVER_ITEMS:
        first, *others = children
        yield from _free_texts(first, at)
        inner = infer_node(first, at)
        inner = Inferred(item_of(inner.shape).shape) if kind in _OVER_ITEMS else inner
        for child in others:
            yield from _free_texts(child, inner)
            inner = infer_node(child, inner) if kind in _CHAINS else inner
        return
    if _tests_text(node, [infer_node(child, at).shape for child in children]):
        yield (
            "it compares a text that an agent is free to choose: compare a number, true or false, or a field whose "
            "schema says which texts there are"
        )
    for child in children:
        yield from _free_texts(child, at)


def _tests_text(node: Node, sides: list[Shape]) -> bool:
    """Tell whether a node looks into a text of which nobody knows beforehand what it may be."""
    if node["type"] == "comparator":
        if all("string" in types_of(side) for side in sides) and any(map(_is_free_text, sides)):
            return True
        alike = frozenset[str].intersection(*map(types_of, sides)) & {"array", "object"}
        return bool(alike) and not any(map(_is_empty, sides)) and any(map(_holds_free_text, sides))
    is_test = node["type"] == "function_expression" and node["value"] in _TEXT_TESTS
    return is_test and any(map(_holds_free_text, sides))


def _is_free_text(shape: Shape) -> bool:
    return any(
        "string" in types_of(option) and not any(keyword_of(option, said) is not None for said in _SAID)
        for option in alternatives(shape)
    )


_LEVELS_MAX: Final = 8
"""Texts in lists in objects: what lies deeper counts as free."""


def _holds_free_text(shape: Shape, level: int = 0) -> bool:
    """Tell whether a value is a text that an agent is free to choose, or may have one anywhere inside."""
    if _is_free_text(shape) or level > _LEVELS_MAX:
        return True
    for option in alternatives(shape):
        types, names = types_of(option), names_of(option)
        if "array" in types and not _is_empty(option) and _holds_free_text(item_of(option).shape, level + 1):
            return True
        if "object" in types and not isinstance(option, Made) and not names:
            return True
        if any(_holds_free_text(field_of(option, name).shape, level + 1) for name in names):
            return True
    return False


def _is_empty(shape: Shape) -> bool:
    """Tell whether a value is an empty list or object that stands in the condition itself."""
    return (isinstance(shape, Listed) and shape.length == 0) or (isinstance(shape, Made) and not shape.fields)
