"""References: JMESPath expressions whose free names are task ids or ``request`` (``item`` and ``index`` in some).

A reference is written by a model, so it is bounded in length and nesting before anything recursive looks at it. It is
evaluated over ``{task_id: output, ..., "request": {...}}``; a name that is not there is null, as JMESPath has it.
https://jmespath.org/specification.html
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.lexer import Lexer
from jmespath.parser import ParsedResult

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.limits import (
    COMPILED_CACHE_MAX,
    REFERENCE_CHARS_MAX,
    REFERENCE_COPIES_MAX,
    REFERENCE_NESTING_MAX,
    VALUE_PARTS_MAX,
)

REQUEST_ROOT: Final = "request"
"""The reserved root that stands for the booking request."""
ITEM_ROOT: Final = "item"
INDEX_ROOT: Final = "index"
"""The reserved roots that stand for an item and its place, from 0, in a task that is called for each item of a list."""
RESERVED_ROOTS: Final = frozenset({REQUEST_ROOT, ITEM_ROOT, INDEX_ROOT})

Node: TypeAlias = Any
"""A node of jmespath's syntax tree: ``{"type", "children", "value"?}``; a slice's children are numbers and None."""

_QUOTED: Final = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|`((?:\\.|[^`\\])*)`""", re.DOTALL)
_OPENERS: Final = re.compile(r"[(\[{!&*|<>=?]")
_SAME_SCOPE: Final = frozenset(
    {
        "multi_select_list",
        "multi_select_dict",
        "key_val_pair",
        "or_expression",
        "and_expression",
        "not_expression",
        "comparator",
        "function_expression",
        "flatten",
    }
)
"""Nodes whose children all see what the node itself sees."""
_FIRST_ONLY: Final = frozenset(
    {"subexpression", "index_expression", "pipe", "projection", "value_projection", "filter_projection"}
)
"""Nodes whose first child sees what the node sees; the others see what comes out of it."""


class ReferenceFault(ValueError):
    """A reference is malformed, or cannot be evaluated over the values that are there.

    Raised by `parse`, `roots`, `evaluate` and the inference. Callers turn it into a `Fault` with its place, so the
    operator sees a fault of a plan, never this exception. The message tells its author what to write instead.
    """


@dataclass(frozen=True, slots=True)
class Reference:
    """A parsed reference: its syntax tree and the names that it reads from its surroundings."""

    text: str
    tree: Node
    roots: frozenset[str]
    program: ParsedResult
    path: tuple[str, ...]
    """The names on the way when it is nothing but ``task.field.field``, as most are; else empty."""


def parse(expression: str) -> Reference:
    """Return the parsed reference, from a bounded cache.

    Raises: ReferenceFault.
    """
    if len(expression) > REFERENCE_CHARS_MAX:
        raise ReferenceFault(
            f"a reference has at most {REFERENCE_CHARS_MAX} characters; this one has {len(expression)}"
        )
    return _parse(expression)


def roots(expression: str) -> frozenset[str]:
    """Return the names that a reference reads: task ids, and ``request``.

    Raises: ReferenceFault, also when it reads none, or reads everything (``@``, ``*`` at its beginning).
    """
    return parse(expression).roots


def roots_of(expression: str) -> frozenset[str]:
    """Return the names that a reference of an adopted plan reads; none for an empty one."""
    return parse(expression).roots if expression else frozenset()


def evaluate(expression: str, environment: Mapping[str, Json]) -> Json:
    """Return the value of a reference; null where something on the way is not there.

    The value may share parts with the environment: neither may be changed afterwards.
    Raises: ReferenceFault, when it is malformed, applies a function to what it does not take, or yields no JSON.
    """
    reference = parse(expression)
    if reference.path:
        root, *names = reference.path
        value: Json = environment.get(root)
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
    else:
        value = _run(reference.program, dict(environment), expression)
    if value is not None and not isinstance(value, str):
        _demand_json(value, expression)
    return value


def rename_roots(expression: str, names: Mapping[str, str]) -> str:
    """Return the reference with free names replaced, e.g. ``{"Search": "search"}``; unchanged where none occurs.

    Only a rewriting that provably means the same is returned: the new text's tree is compared with the old tree,
    renamed. Raises: ReferenceFault, when the text is malformed or cannot be rewritten so.
    """
    reference = parse(expression)
    wanted = {old: new for old, new in names.items() if old in reference.roots and old != new}
    if not wanted:
        return expression
    pieces: list[str] = []
    position = 0
    before = ""
    for token in Lexer().tokenize(expression):
        if token["type"] == "unquoted_identifier" and token["value"] in wanted and before != "dot":
            pieces += [expression[position : token["start"]], wanted[token["value"]]]
            position = token["start"] + len(token["value"])
        before = token["type"]
    renamed = "".join([*pieces, expression[position:]])
    if parse(renamed).tree != _renamed(reference.tree, wanted):
        raise ReferenceFault(f"`{expression}` must name tasks by their ids, in lower case")
    return renamed


@lru_cache(maxsize=COMPILED_CACHE_MAX)
def _parse(expression: str) -> Reference:
    tree, program = _compiled(expression)
    found = frozenset(_free_names(tree))
    if not found:
        raise ReferenceFault(
            f"`{expression}` names no task; write task_id.field, or give a constant (kind const) instead of a reference"
        )
    return Reference(expression, tree, found, program, _path(tree))


@lru_cache(maxsize=COMPILED_CACHE_MAX)
def _compiled(expression: str) -> tuple[Node, ParsedResult]:
    _refuse_what_cannot_be_parsed(expression)
    try:
        program = jmespath.compile(expression)
    except Exception as error:  # somebody else's parser, fed with a model's text: IndexError and ValueError occur too
        message = " ".join(str(error).split())[:200]
        raise ReferenceFault(f"`{expression}` is no JMESPath expression: {message}") from error
    tree: Node = program.parsed
    if _depth(tree) > REFERENCE_NESTING_MAX:
        raise ReferenceFault(f"`{expression}` is nested more than {REFERENCE_NESTING_MAX} deep; name a field")
    if _copies(tree) > REFERENCE_COPIES_MAX:
        raise ReferenceFault(f"`{expression}` repeats what it reads more than {REFERENCE_COPIES_MAX} times")
    return tree, program


def _refuse_what_cannot_be_parsed(expression: str) -> None:
    """Bound the parser's recursion, and refuse literals for which it would only warn."""
    if not expression.strip():
        raise ReferenceFault("an empty reference; write task_id.field")
    if any("\ud800" <= char <= "\udfff" for char in expression):
        raise ReferenceFault("a reference holds half a character (a lone surrogate)")
    for match in _QUOTED.finditer(expression):
        literal = match.group(1)
        if literal is None:
            continue
        try:
            json.loads(literal.replace("\\`", "`"), parse_constant=_no_such_number)
        except (ValueError, RecursionError) as error:
            raise ReferenceFault(f"`{literal}` between backquotes is no JSON; write text as 'text'") from error
    if len(_OPENERS.findall(_QUOTED.sub("", expression))) > 2 * REFERENCE_NESTING_MAX:
        raise ReferenceFault("the reference is too intricate; compute in an agent, and name its field here")


def _no_such_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _run(program: ParsedResult, value: Json, expression: str) -> Json:
    try:
        return program.search(value)
    except JMESPathError as error:
        message = " ".join(str(error).split())[:200]
        raise ReferenceFault(f"`{expression}` cannot be evaluated: {message}") from error
    except (TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        # jmespath compares "a" < 1 and slices by 0 without looking first
        raise ReferenceFault(
            f"`{expression}` cannot be evaluated over these values ({type(error).__name__})"
        ) from error


def _demand_json(value: Json, expression: str) -> None:
    """Refuse what is no JSON although it came out of it: infinities by to_number, an expression as a value.

    And what is too large for anybody: a reference may name a part of an output many times over.
    """
    stack, parts = [value], 0
    while stack:
        item = stack.pop()
        parts += 1
        if parts + len(stack) > VALUE_PARTS_MAX:
            raise ReferenceFault(f"`{expression}` yields more than {VALUE_PARTS_MAX} values")
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise ReferenceFault(f"`{expression}` yields a number that is not finite")
        elif item is not None and not isinstance(item, str | bool | int):
            raise ReferenceFault(f"`{expression}` yields an expression, not a value")


def _path(tree: Node) -> tuple[str, ...]:
    """Return the names of a tree that only goes from field to field; empty for any other."""
    names: list[str] = []
    while tree["type"] == "subexpression" and len(tree["children"]) == 2:
        before, last = tree["children"]
        if last["type"] != "field":
            return ()
        names.append(last["value"])
        tree = before
    return (tree["value"], *reversed(names)) if tree["type"] == "field" else ()


def _free_names(tree: Node) -> Iterator[str]:
    """Yield the fields that are looked up in the surroundings; an explicit stack, since trees come from outside."""
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        kind, children = node["type"], node["children"]
        if kind == "field":
            yield node["value"]
        elif kind in {"current", "identity"}:
            raise ReferenceFault("a reference begins with a task id; `@`, `*` and `[...]` over everything do not")
        elif kind in _SAME_SCOPE:
            stack.extend(children)
        elif kind in _FIRST_ONLY:
            stack.append(children[0])
        elif kind not in {"literal", "expref"}:
            raise ReferenceFault(f"a reference begins with a task id, not with a {kind.replace('_', ' ')}")


def _renamed(node: Node, names: Mapping[str, str], *, free: bool = True) -> Node:
    """Return a tree with its free fields renamed; recursion is bounded by the nesting limit of a parsed tree."""
    if not isinstance(node, dict):
        return node
    kind = node["type"]
    if kind == "field":
        return {**node, "value": names.get(node["value"], node["value"])} if free else node
    children = [
        _renamed(child, names, free=free and (kind in _SAME_SCOPE or (kind in _FIRST_ONLY and place == 0)))
        for place, child in enumerate(node["children"])
    ]
    return {**node, "children": children}


def _copies(node: Node) -> int:
    """Return how often a value that a node sees may occur in what it yields, or on the way there, at most.

    Recursion is bounded by the nesting limit of a parsed tree.
    """
    kind = node["type"]
    parts = [_copies(child) for child in node["children"] if isinstance(child, dict)]
    if kind in _FIRST_ONLY or (kind == "function_expression" and node["value"] == "map"):
        return math.prod(parts)
    if kind in {"or_expression", "and_expression"}:
        return max(parts)  # one of them comes out of it
    return sum(parts) or 1


def _depth(tree: Node) -> int:
    deepest = 0
    stack: list[tuple[Node, int]] = [(tree, 1)]
    while stack:
        node, level = stack.pop()
        if isinstance(node, dict) and "children" in node:
            deepest = max(deepest, level)
            stack.extend((child, level + 1) for child in node["children"])
    return deepest
