"""Checks a value against a JSON Schema and names every fault, not just the first.

`fastjsonschema` decides; it stops at the first fault. So when it says no, the schema is taken apart (required fields,
unknown fields, each property, each item) and the parts are put to it one by one, until each fault has its own path. It
understands draft 4, 6 and 7, and is loaded and its code generated at the first check, so a cold Lambda pays only for
what it uses.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from jada_orchestrator.agent.reply import AgentSetupError
from jada_orchestrator.agent.task import JsonObject

_FAULTS_MAX: Final = (
    50  # A message is read by people and travels through queues; more faults than this tell nobody more.
)
_CHARACTERS_MAX: Final = 200


class Checker:
    """One schema, compiled when it is first needed."""

    def __init__(self, schema: JsonObject) -> None:
        if importlib.util.find_spec("fastjsonschema") is None:
            raise AgentSetupError(
                "an action declares a schema, and fastjsonschema is not installed: "
                "add it to what you deploy, or leave the schema out"
            )
        self._schema = schema
        self._validate: Callable[[object], object] | None = None

    def faults(self, value: object) -> tuple[str, ...]:
        """Every fault as `path: what is wrong`; empty when the value fits."""
        if self._validate is None:
            self._validate = _compiled(self._schema)
        first = _fault(self._validate, value, "")
        if first is None:
            return ()
        root: JsonObject = {
            name: self._schema[name] for name in ("$schema", "$defs", "definitions") if name in self._schema
        }
        found: list[str] = []
        for fault in _taken_apart(self._schema, value, "", root):
            if fault not in found:
                found.append(fault)
            if len(found) == _FAULTS_MAX:
                found.append("and more")
                break
        return tuple(found) or (first,)


def _taken_apart(schema: object, value: object, path: str, root: JsonObject) -> Iterator[str]:
    rest = _as_object(schema)
    if isinstance(value, dict):
        yield from _object_faults(rest, value, path, root)
    elif isinstance(value, list) and isinstance(rest.get("items"), Mapping):
        items = rest.pop("items")
        for index, item in enumerate(value):
            yield from _taken_apart(items, item, f"{path}[{index}]", root)
    own = _fault(_compiled({**root, **rest}), value, path)
    if own is not None:
        yield own


def _as_object(schema: object) -> JsonObject:
    """A schema as an object: JSON Schema also has `true` (anything) and `false` (nothing)."""
    if isinstance(schema, Mapping):
        return dict(schema)
    return {"not": {}} if schema is False else {}


def _object_faults(rest: JsonObject, value: JsonObject, path: str, root: JsonObject) -> Iterator[str]:
    """Faults of the fields, each on its own; takes the keywords that it has dealt with out of `rest`."""
    properties = rest.pop("properties", {})
    required = rest.pop("required", [])
    for name in required:
        if name not in value:
            yield f"{_at(path, name)}: is missing"
    for name, part in properties.items():
        if name in value:
            yield from _taken_apart(part, value[name], _at(path, name), root)
    if rest.get("additionalProperties") is False and "patternProperties" not in rest:
        del rest["additionalProperties"]
        for name in value:
            if name not in properties:
                yield f"{_at(path, name)}: is not a field of this action"
    elif "additionalProperties" in rest:
        # Taken away from their properties these keywords would speak of every field.
        rest["properties"] = dict.fromkeys(properties, True)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _compiled(schema: JsonObject) -> Callable[[object], object]:
    import fastjsonschema

    try:
        # Defaults are not filled in: the agent sees exactly what the orchestrator journalled.
        compiled: Callable[[object], object] = fastjsonschema.compile(schema, use_default=False)
    except (fastjsonschema.JsonSchemaDefinitionException, ValueError) as error:
        raise AgentSetupError(f"a schema of this agent is not valid: {error}") from error
    return compiled


def _fault(validate: Callable[[object], object], value: object, path: str) -> str | None:
    import fastjsonschema

    try:
        validate(value)
    except fastjsonschema.JsonSchemaValueException as error:
        name = error.name or "data"
        where = (path + name.removeprefix("data")).lstrip(".") or "value"
        return f"{where}: {error.message.removeprefix(name).strip()[:_CHARACTERS_MAX]}"
    return None
