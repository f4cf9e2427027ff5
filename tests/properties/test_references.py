"""References: what is read is found, what is inferred is what comes out, and nothing raises but a fault."""

from __future__ import annotations

from typing import Any, Final

import hypothesis.strategies as st
from hypothesis import given, settings

from jada_orchestrator.planning.inference import Inferred, infer
from jada_orchestrator.planning.references import ReferenceFault, evaluate, rename_roots, roots
from jada_orchestrator.planning.shapes import described, type_names, types_of

SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["offers", "count", "name"],
    "properties": {
        "offers": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/offer"}},
        "count": {"type": "integer"},
        "name": {"type": "string"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
    },
    "$defs": {
        "offer": {
            "type": "object",
            "required": ["id", "price"],
            "properties": {
                "id": {"type": "string"},
                "price": {"type": "number"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
        }
    },
}
SHAPES: Final = {"a": described(SCHEMA, SCHEMA), "b": described(SCHEMA, SCHEMA)}

offers = st.fixed_dictionaries(
    {"id": st.text(max_size=3), "price": st.integers(0, 9) | st.floats(0, 9)},
    optional={"tags": st.lists(st.text(max_size=2), max_size=2)},
)
outputs = st.fixed_dictionaries(
    {"offers": st.lists(offers, min_size=1, max_size=3), "count": st.integers(0, 9), "name": st.text(max_size=3)},
    optional={"note": st.none() | st.text(max_size=3)},
)

atoms = st.sampled_from(
    ["a", "b", "a.offers", "b.offers", "a.count", "b.name", "a.note", "`1`", "'x'", "`[]`", "`null`"]
)
steps = st.sampled_from(
    [
        ".offers",
        ".id",
        ".price",
        ".tags",
        ".missing",
        "[0]",
        "[-1]",
        "[7]",
        "[*]",
        "[]",
        "[?price > `2`]",
        "[?id == 'x']",
        "[:1]",
        "[::0]",
        ".*",
        " | [0]",
        ".[id, price]",
        ".{x: id}",
        " | @",
    ]
)
chains = st.tuples(atoms, st.lists(steps, max_size=4)).map(lambda parts: parts[0] + "".join(parts[1]))
functions = st.sampled_from(
    [
        "length(X)",
        "min_by(X, &price)",
        "sort_by(X, &id)",
        "map(&id, X)",
        "to_number(X)",
        "to_string(X)",
        "join(',', X)",
        "sum(X)",
        "keys(X)",
        "not_null(X, Y)",
        "X || Y",
        "X && Y",
        "!X",
        "X == Y",
        "X < Y",
        "[X, Y]",
        "{p: X, q: Y}",
        "reverse(X)",
        "max(X)",
        "to_array(X)",
        "merge(X, Y)",
        "contains(X, Y)",
        "unknown(X)",
        "type(X)",
        "values(X)",
        "starts_with(X, Y)",
    ]
)
expressions = st.one_of(
    chains,
    st.tuples(functions, chains, chains).map(
        lambda parts: parts[0].replace("X", f"({parts[1]})").replace("Y", f"({parts[2]})")
    ),
)


def attempt(expression: str) -> Inferred | None:
    """What is inferred, or None for a fault."""
    try:
        return infer(expression, SHAPES)
    except ReferenceFault:
        return None


@given(st.text(max_size=40) | st.text(alphabet="ab.[]()&@*`'\"{}:,|!<>=?-0 1", max_size=60))
def test_any_text_is_a_reference_or_a_fault(text: str) -> None:
    """Whatever the text, its roots are found or a ReferenceFault is raised; likewise its value."""
    for ask in (roots, lambda one: evaluate(one, {"a": {"b": [1, "x"]}})):
        try:
            ask(text)
        except ReferenceFault:
            continue


@settings(max_examples=600)
@given(expressions, outputs, outputs)
def test_what_comes_out_is_what_was_inferred(expression: str, a: dict[str, Any], b: dict[str, Any]) -> None:
    """An inferred reference yields a value of the inferred types, or null; never null where it is certain."""
    inferred = attempt(expression)
    if inferred is None:
        return
    try:
        value = evaluate(expression, {"a": a, "b": b})
    except ReferenceFault:
        return  # what is only possible may go wrong
    if value is None:
        assert not inferred.certain, expression
    else:
        assert type_names(value) & types_of(inferred.shape), expression


@settings(max_examples=600)
@given(expressions, outputs, outputs)
def test_only_the_roots_are_read(expression: str, a: dict[str, Any], b: dict[str, Any]) -> None:
    """What is not among the roots of a reference has no influence on its value."""
    try:
        read = roots(expression)
        everything = evaluate(expression, {"a": a, "b": b, "c": 1})
    except ReferenceFault:
        return
    available = {name: output for name, output in (("a", a), ("b", b)) if name in read}
    assert evaluate(expression, available) == everything


@given(expressions, outputs, outputs)
def test_renaming_roots_means_the_same(expression: str, a: dict[str, Any], b: dict[str, Any]) -> None:
    """A reference with its roots renamed yields over renamed outputs what it yielded before."""
    try:
        before = evaluate(expression, {"a": a, "b": b})
        renamed = rename_roots(expression, {"a": "first", "b": "second"})
    except ReferenceFault:
        return
    assert roots(renamed) <= {"first", "second"}
    assert evaluate(renamed, {"first": a, "second": b}) == before
