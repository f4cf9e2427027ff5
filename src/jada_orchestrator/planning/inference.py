"""Inference: what a reference will yield, from the shapes of what it reads, before anything has run.

The walk follows jmespath's interpreter node by node. It raises only for what is certain to go wrong (a field that is
not there, an index into a text, a function over what it does not take); where nothing is known it says so (`ANY`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from jmespath.functions import Functions

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.planning.references import Node, ReferenceFault, parse
from jada_orchestrator.planning.shapes import (
    ANY,
    Listed,
    Looked,
    Made,
    Shape,
    article,
    enum_of,
    field_of,
    item_of,
    keyword_of,
    may_lack,
    names_of,
    of_type,
    of_value,
    one_of,
    types_of,
)


@dataclass(frozen=True, slots=True)
class Inferred:
    """What a reference yields; `certain` when it is there in every answer that keeps to its schema.

    `lacks` names a field on the way that an answer may leave out although its object is there; what only a list's
    length decides does not count.
    """

    shape: Shape
    certain: bool = False
    lacks: str = ""


def infer(expression: str, surroundings: Mapping[str, Shape]) -> Inferred:
    """Return what a reference yields over these names.

    Raises: ReferenceFault, with what was expected and what is there instead.
    """
    return _infer(parse(expression).tree, Inferred(Made(surroundings), certain=True))


def infer_node(node: Node, at: Inferred) -> Inferred:
    """Return what one node of a reference's tree yields over what it sees. Raises: ReferenceFault."""
    return _infer(node, at)


def _infer(node: Node, at: Inferred) -> Inferred:
    return _WALKS[node["type"]](node, at)


def _field(node: Node, at: Inferred) -> Inferred:
    taken = _taken(field_of(at.shape, node["value"]), at)
    return replace(taken, lacks=node["value"]) if not at.lacks and may_lack(at.shape, node["value"]) else taken


def _index(node: Node, at: Inferred) -> Inferred:
    return _taken(item_of(at.shape, node["value"]), at)


def _taken(looked: Looked, at: Inferred) -> Inferred:
    if looked.trouble:
        raise ReferenceFault(looked.trouble)
    return Inferred(looked.shape, certain=looked.certain and at.certain, lacks=at.lacks)


def _here(node: Node, at: Inferred) -> Inferred:
    del node
    return at


def _chain(node: Node, at: Inferred) -> Inferred:
    for child in node["children"]:
        at = _infer(child, at)
    return at


def _slice(node: Node, at: Inferred) -> Inferred:
    if node["children"][2] == 0:
        raise ReferenceFault("a slice cannot go in steps of 0")
    return Inferred(Listed(_items(at, "a slice")), certain=at.certain, lacks=at.lacks)


def _projection(node: Node, at: Inferred) -> Inferred:
    left = _infer(node["children"][0], at)
    item = _items(left, "[*]")
    return Inferred(Listed(_infer(node["children"][1], Inferred(item)).shape), certain=left.certain, lacks=left.lacks)


def _filter(node: Node, at: Inferred) -> Inferred:
    left = _infer(node["children"][0], at)
    item = Inferred(_items(left, "a filter"), certain=True)
    _infer(node["children"][2], item)
    return Inferred(Listed(_infer(node["children"][1], item).shape), certain=left.certain, lacks=left.lacks)


def _values(node: Node, at: Inferred) -> Inferred:
    left = _infer(node["children"][0], at)
    _demand(left, frozenset({"object"}), "`*` goes over the fields of an object")
    known = isinstance(left.shape, Made)
    item = one_of(tuple(field_of(left.shape, name).shape for name in names_of(left.shape))) if known else ANY
    return Inferred(Listed(_infer(node["children"][1], Inferred(item)).shape), certain=left.certain, lacks=left.lacks)


def _flatten(node: Node, at: Inferred) -> Inferred:
    left = _infer(node["children"][0], at)
    item = _items(left, "[]")
    types = types_of(item)
    if types == {"array"}:
        item = _items(Inferred(item), "[]")
    elif "array" in types:
        item = ANY
    return Inferred(Listed(item), certain=left.certain, lacks=left.lacks)


def _listed(node: Node, at: Inferred) -> Inferred:
    parts = [_infer(child, at) for child in node["children"]]
    shape = Listed(one_of(tuple(part.shape for part in parts)), len(parts))
    return Inferred(shape, certain=at.certain, lacks=_lacking(parts))  # an item would be null


def _made(node: Node, at: Inferred) -> Inferred:
    parts = {child["value"]: _infer(child, at) for child in node["children"]}
    shape = Made({name: part.shape for name, part in parts.items()})
    return Inferred(shape, certain=at.certain, lacks=_lacking(parts.values()))  # a field would be null


def _lacking(parts: Iterable[Inferred]) -> str:
    """Return what the first of these that may be missing lacks; empty where none may."""
    return next((part.lacks for part in parts if part.lacks), "")


def _or(node: Node, at: Inferred) -> Inferred:
    left, right = (_infer(child, at) for child in node["children"])
    lacks = left.lacks and right.lacks
    return Inferred(one_of((left.shape, right.shape)), certain=right.certain, lacks=lacks)


def _and(node: Node, at: Inferred) -> Inferred:
    left, right = (_infer(child, at) for child in node["children"])
    certain = left.certain and right.certain
    return Inferred(one_of((left.shape, right.shape)), certain=certain, lacks=left.lacks or right.lacks)


def _not(node: Node, at: Inferred) -> Inferred:
    _infer(node["children"][0], at)
    return Inferred(of_type("boolean"), certain=True)


_ORDERED: Final = frozenset({"integer", "number", "string"})


def _comparison(node: Node, at: Inferred) -> Inferred:
    left, right = (_infer(child, at) for child in node["children"])
    if node["value"] in {"eq", "ne"}:
        return Inferred(of_type("boolean"), certain=True)
    sides = [types_of(side.shape) - {"null"} for side in (left, right)]
    numbers = [side & {"integer", "number"} for side in sides]
    texts = [side & {"string"} for side in sides]
    if not all(numbers) and not all(texts):
        there = f"{article(sides[0])} with {article(sides[1])}"
        raise ReferenceFault(
            f"<, <=, > and >= compare numbers, not {there}; use to_number(...) on a text that is a number"
        )
    return Inferred(of_type("boolean", "null"), lacks=left.lacks or right.lacks)


def _unusable(node: Node, at: Inferred) -> Inferred:
    del node, at
    raise ReferenceFault("an expression (&...) is an argument of a function, not a value")


def _literal(node: Node, at: Inferred) -> Inferred:
    del at
    return Inferred(of_value(node["value"]), certain=node["value"] is not None)


def _items(at: Inferred, what: str) -> Shape:
    looked = item_of(at.shape)
    if looked.trouble:
        raise ReferenceFault(f"{what} needs a list; {looked.trouble}")
    return looked.shape


def _demand(at: Inferred, types: frozenset[str], what: str) -> None:
    there = types_of(at.shape)
    if not there & types:
        raise ReferenceFault(f"{what}, and this is {article(there)}")


# --- Functions ------------------------------------------------------------------------------------------------------

_SIGNATURES: Final = {name: entry["signature"] for name, entry in Functions.FUNCTION_TABLE.items()}
_YIELDS: Final[Mapping[str, Shape]] = {
    **dict.fromkeys(("abs", "avg", "ceil", "floor", "sum", "to_number"), of_type("number")),
    **dict.fromkeys(("contains", "ends_with", "starts_with"), of_type("boolean")),
    **dict.fromkeys(("join", "to_string", "type"), of_type("string")),
    "length": of_type("integer"),
    "keys": Listed(of_type("string")),
    "values": Listed(ANY),
    "merge": of_type("object"),
}
_MAY_YIELD_NULL: Final = frozenset({"avg", "to_number", "max", "min", "max_by", "min_by", "not_null"})


def _function(node: Node, at: Inferred) -> Inferred:
    name, children = node["value"], node["children"]
    signature = _SIGNATURES.get(name)
    if signature is None:
        raise ReferenceFault(f"there is no function {name}(); there is {', '.join(sorted(_SIGNATURES))}")
    variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if len(children) < len(signature) or (not variadic and len(children) > len(signature)):
        raise ReferenceFault(f"{name}() takes {len(signature)} arguments, and is given {len(children)}")
    given = [None if child["type"] == "expref" else _infer(child, at) for child in children]
    for place, part in enumerate(given):
        _check_argument(name, signature[min(place, len(signature) - 1)]["types"], part)
    parts = [part for part in given if part is not None]
    lacks = _lacking(parts)
    if name == "not_null" and not all(part.lacks for part in parts):
        lacks = ""
    return replace(_yield(name, children, given), lacks=lacks)


def _check_argument(name: str, types: list[str], given: Inferred | None) -> None:
    if given is None:
        if types and "expref" not in types:
            raise ReferenceFault(f"{name}() does not take an expression (&...) here")
        return
    if not types:
        return
    if types == ["expref"]:
        raise ReferenceFault(f"{name}() takes an expression here, such as &price.amount")
    wanted = frozenset(wanted for kind in types for wanted in _json_types(kind.partition("-")[0]))
    there = types_of(given.shape)
    if not there & wanted:
        raise ReferenceFault(f"{name}() takes {article(wanted)} here, and is given {article(there)}")
    inner = frozenset(wanted for kind in types for wanted in _json_types(kind.partition("-")[2]))
    if inner and there == {"array"} and not types_of(item_of(given.shape).shape) & inner:
        there = types_of(item_of(given.shape).shape)
        raise ReferenceFault(f"{name}() takes a list of {article(inner)}, and is given a list of {article(there)}")


def _json_types(kind: str) -> tuple[str, ...]:
    return ("integer", "number") if kind == "number" else (kind,) if kind and kind != "expref" else ()


def _yield(name: str, children: list[Node], given: list[Inferred | None]) -> Inferred:
    parts = [part for part in given if part is not None]
    certain = name not in _MAY_YIELD_NULL and all(part.certain for part in parts)
    if name in _YIELDS:
        return Inferred(_YIELDS[name], certain=certain)
    shapes = tuple(part.shape for part in parts)
    match name:
        case "not_null":
            return Inferred(one_of(shapes), certain=any(part.certain for part in parts))
        case "max" | "min":
            return Inferred(item_of(shapes[0]).shape)
        case "max_by" | "min_by" | "sort_by":
            item = item_of(shapes[0]).shape
            _sorting_key(name, children[1]["children"][0], item)
            return Inferred(item) if name != "sort_by" else Inferred(Listed(item), certain=certain)
        case "map":
            return Inferred(Listed(_infer(children[0]["children"][0], Inferred(item_of(shapes[0]).shape)).shape))
        case "reverse" | "sort":
            return Inferred(shapes[0], certain=certain)
        case "to_array":
            is_list = types_of(shapes[0]) == {"array"}
            return Inferred(shapes[0] if is_list else ANY, certain=certain)
        case _:
            return Inferred(ANY)


def _sorting_key(name: str, key: Node, item: Shape) -> None:
    there = types_of(_infer(key, Inferred(item)).shape)
    if not there & _ORDERED:
        raise ReferenceFault(f"{name}() compares numbers or texts, and its key is {article(there)}")


_WALKS: Final[Mapping[str, Callable[[Node, Inferred], Inferred]]] = {
    "field": _field,
    "index": _index,
    "identity": _here,
    "current": _here,
    "subexpression": _chain,
    "index_expression": _chain,
    "pipe": _chain,
    "key_val_pair": _chain,
    "slice": _slice,
    "projection": _projection,
    "filter_projection": _filter,
    "value_projection": _values,
    "flatten": _flatten,
    "multi_select_list": _listed,
    "multi_select_dict": _made,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparison,
    "literal": _literal,
    "function_expression": _function,
    "expref": _unusable,
}


# --- What a consumer makes of it --------------------------------------------------------------------------------------


_LEVELS_COMPARED_MAX: Final = 8
"""Fields of fields of fields: a schema that contains itself would go on for ever."""


def mismatch(there: Shape, wanted: Shape, level: int = 0) -> str:
    """Return why no value of one shape can be of another, or an empty text when it may be."""
    from_types, to_types = types_of(there) - {"null"}, types_of(wanted)
    if level > _LEVELS_COMPARED_MAX or not from_types:
        return ""
    if not from_types & _accepting(to_types):
        return f"it takes {article(to_types)}, and this is {article(from_types)}"
    values, allowed = enum_of(there), enum_of(wanted)
    if values is not None and allowed is not None and not any(value in allowed for value in values):
        return f"it takes one of {_listing(allowed)}, and this is one of {_listing(values)}"
    formats = keyword_of(there, "format"), keyword_of(wanted, "format")
    if from_types == {"string"} and all(formats) and formats[0] != formats[1]:
        return f"it takes a {formats[1]}, and this is a {formats[0]}"
    if from_types == {"array"} and to_types == {"array"}:
        return _mismatch_of_items(there, wanted, level)
    if from_types == {"object"} and to_types == {"object"}:
        return _mismatch_of_fields(there, wanted, level)
    return ""


def _listing(values: tuple[Json, ...]) -> str:
    return ", ".join(str(value)[:40] for value in values[:12])


def _accepting(types: frozenset[str]) -> frozenset[str]:
    """A field of type integer takes a number that happens to be whole."""
    return types | {"number"} if "integer" in types else types


def _mismatch_of_items(there: Shape, wanted: Shape, level: int) -> str:
    at_least, at_most = keyword_of(wanted, "minItems"), keyword_of(wanted, "maxItems")
    if isinstance(there, Listed) and there.length is not None:
        if isinstance(at_least, int) and there.length < at_least:
            return f"it takes at least {at_least} items, and this has {there.length}"
        if isinstance(at_most, int) and there.length > at_most:
            return f"it takes at most {at_most} items, and this has {there.length}"
        if there.length == 0:
            return ""
    found, needed = item_of(there), item_of(wanted)
    if found.trouble or needed.trouble:
        return ""
    why = mismatch(found.shape, needed.shape, level + 1)
    return f"of each item, {why}" if why else ""


def _mismatch_of_fields(there: Shape, wanted: Shape, level: int) -> str:
    required = keyword_of(wanted, "required")
    for name in required if isinstance(required, list) else ():
        looked = field_of(there, name)
        if looked.trouble:
            return f"it needs the field `{name}`: {looked.trouble}"
    for name in names_of(wanted):
        found, needed = field_of(there, name), field_of(wanted, name)
        if found.trouble or needed.trouble:
            continue
        why = mismatch(found.shape, needed.shape, level + 1)
        if why and (found.certain or name in (required or ())):
            return f"of its field `{name}`, {why}"
    closed = keyword_of(wanted, "additionalProperties") is False
    for name in names_of(there) if closed else ():
        if field_of(there, name).certain and field_of(wanted, name).trouble:
            return f"it takes no field `{name}`"
    return ""
