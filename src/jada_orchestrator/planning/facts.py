"""Facts: what may be told of an agent's output to whoever revises a plan, which is nothing that the agent worded.

Numbers, truth values, money, dates, and texts that the schema itself spells out (`enum`, `const`), under field names of
the schema; of a list how many elements it has, and the facts of the first. Everything else is left out: a text from an
agent could hold instructions, and no plan needs it, since plans name fields and not values.
"""

from __future__ import annotations

import re
from typing import Final

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.limits import CONSTANT_NESTING_MAX, REVISION_ITEMS_MAX
from jada_orchestrator.domain.money import Money

_DATE: Final = re.compile(r"\A\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})?)?\Z")
_DATE_FORMATS: Final = frozenset({"date", "date-time"})


def facts_of(schema: Json, value: Json, level: int = 0) -> Json:
    """Return the facts in a value; None where there are none. Never raises, whatever the value."""
    known: JsonObject = schema if isinstance(schema, dict) else {}
    if level > CONSTANT_NESTING_MAX:
        return None
    match value:
        case bool() | int() | float():
            return value
        case str():
            return value if _is_spelt_out(known, value) else None
        case list():
            return _of_list(known, value, level)
        case dict():
            return _of_object(known, value, level)
        case _:
            return None


def _is_spelt_out(schema: JsonObject, text: str) -> bool:
    allowed = schema.get("enum")
    if isinstance(allowed, list) and text in allowed:
        return True
    if "const" in schema and schema["const"] == text:
        return True
    return schema.get("format") in _DATE_FORMATS and _DATE.match(text) is not None


def _of_list(schema: JsonObject, value: list[Json], level: int) -> JsonObject:
    found = [facts_of(schema.get("items"), item, level + 1) for item in value[:REVISION_ITEMS_MAX]]
    facts: JsonObject = {"count": len(value)}
    if any(item is not None for item in found):
        facts["first"] = found
    return facts


def _of_object(schema: JsonObject, value: JsonObject, level: int) -> JsonObject | None:
    try:
        return Money.parse(value).to_json()
    except ValueError:
        pass  # no money, so it is looked into
    properties = schema.get("properties")
    names = properties if isinstance(properties, dict) else {}
    found = {name: facts_of(names[name], value[name], level + 1) for name in names if name in value}
    facts = {name: fact for name, fact in found.items() if fact is not None}
    return facts or None
