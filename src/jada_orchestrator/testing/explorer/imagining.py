"""Values that satisfy a schema, made up without any dice: the same schema always gives the same value.

Small on purpose: it knows what catalogues use. Whatever it makes up is checked against the schema, so that a schema
beyond it is told as such, and never answered wrongly.
"""

from __future__ import annotations

import re
from typing import Final

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.planning import is_valid

_TEXTS: Final = ("id-1", "100.00", "USD", "2027-05-03", "10:30", "2030-01-01T00:00:00Z", "a@example.com", "BOS", "1")
"""Tried in this order where a pattern must be matched."""
_FORMATS: Final = {
    "date": "2027-05-03",
    "date-time": "2030-01-01T00:00:00Z",
    "time": "10:30:00Z",
    "email": "a@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class CannotImagineError(Exception):
    """No value could be made up for a schema.

    Raised by the explorer. It means that the schema uses what `imagine` does not know; the operator gives it an
    `examples` or a `default`, which are used as they stand.
    """


def imagine(schema: JsonObject, like: JsonObject | None = None) -> Json:
    """Return a value that satisfies a schema; properties that `like` has too are taken from it where they fit.

    Raises: CannotImagineError.
    """
    value = _value(schema, schema, like or {})
    if not is_valid(schema, value):
        raise CannotImagineError(f"no value could be made up for a schema of type {schema.get('type')!r}: {value!r}")
    return value


def _value(schema: object, root: JsonObject, like: JsonObject) -> Json:
    if not isinstance(schema, dict):
        return {}
    if "$ref" in schema:
        return _value(_referred(str(schema["$ref"]), root), root, like)
    if "const" in schema:
        return schema["const"]
    if "default" in schema:
        return schema["default"]
    for keyword in ("enum", "examples"):
        if schema.get(keyword):
            return schema[keyword][0]
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            return _value({**_without(schema, keyword), **schema[keyword][0]}, root, like)
    if schema.get("allOf"):
        merged: JsonObject = _without(schema, "allOf")
        for part in schema["allOf"]:
            merged = {**merged, **part, "properties": {**merged.get("properties", {}), **part.get("properties", {})}}
        return _value(merged, root, like)
    return _of_type(schema, root, like)


def _of_type(schema: JsonObject, root: JsonObject, like: JsonObject) -> Json:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            properties = schema.get("properties", {})
            return {name: _property(name, part, root, like) for name, part in properties.items()}
        case "array":
            count = min(max(schema.get("minItems", 1), 1), schema.get("maxItems", 100))
            return [_value(schema.get("items", {}), root, like) for _ in range(count)]
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return True
        case _:
            return None


def _property(name: str, schema: JsonObject, root: JsonObject, like: JsonObject) -> Json:
    known = like.get(name)
    whole: JsonObject = schema | {key: root[key] for key in ("$defs", "definitions") if key in root}
    return known if name in like and is_valid(whole, known) else _value(schema, root, like)


def _number(schema: JsonObject) -> Json:
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + ("exclusiveMinimum" in schema))
    number = max(least, min(1, schema.get("maximum", 1)))
    step = schema.get("multipleOf")
    return number if step is None else -(-number // step) * step


def _text(schema: JsonObject) -> str:
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    pattern, least, most = schema.get("pattern"), schema.get("minLength", 0), schema.get("maxLength", 1_000)
    candidates = [text.ljust(least, "x")[:most] for text in _TEXTS]
    if pattern is None:
        return candidates[0]
    fitting = [text for text in (*candidates, _matching(pattern)) if re.search(pattern, text)]
    return fitting[0] if fitting else candidates[0]


def _matching(pattern: str) -> str:
    """Return a text for a plain pattern: characters, classes and counts, without groups or alternatives."""
    text = ""
    for match in re.finditer(r"(\[[^\]]+\]|\\.|[^\^$])(?:\{(\d+)(?:,\d*)?\}|([*+?]))?", pattern):
        atom, count, mark = match.groups()
        times = int(count) if count else 0 if mark in {"*", "?"} else 1
        text += _character(atom) * times
    return text


def _character(atom: str) -> str:
    if len(atom) == 1 and atom != ".":
        return atom
    for character in "1Aa-_ .:@/":
        if re.fullmatch(atom, character):
            return character
    return atom[-1:]


def _referred(reference: str, root: JsonObject) -> Json:
    found: Json = root
    for step in reference.removeprefix("#/").split("/"):
        found = found.get(step, {}) if isinstance(found, dict) else {}
    return found


def _without(schema: JsonObject, keyword: str) -> JsonObject:
    return {key: value for key, value in schema.items() if key != keyword}
