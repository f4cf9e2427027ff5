"""The JSON Schema of a proposal: one, the same for every request and every catalogue.

It stays within what structured outputs take (no bounds, no optional fields, no unions, no recursion), because the
service compiles it to a grammar and caches that by structure: action names are not an enum here, or every change of
the catalogue would cost a compilation and the prompt cache. Whatever the grammar cannot say, `planning` checks.
"""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.documents import JsonObject


def _record(**properties: JsonObject) -> JsonObject:
    """Return an object schema in which every property is required, in the order given (which the model follows)."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(properties),
        "properties": properties,
    }


_STRING: Final[JsonObject] = {"type": "string"}
_STRINGS: Final[JsonObject] = {"type": "array", "items": _STRING}

PROPOSAL_SCHEMA: Final[JsonObject] = _record(
    outcome={"type": "string", "enum": ["plan", "clarify", "refuse"]},
    reason=_STRING,
    questions=_STRINGS,
    tasks={
        "type": "array",
        "items": _record(
            id=_STRING,
            action=_STRING,
            after=_STRINGS,
            optional={"type": "boolean"},
            control={
                "type": "array",
                "items": _record(
                    kind={"type": "string", "enum": ["when", "for_each", "instead_of", "on_code"]},
                    value=_STRING,
                ),
            },
            args={
                "type": "array",
                "items": _record(
                    name=_STRING,
                    kind={"type": "string", "enum": ["user", "const", "ref"]},
                    value=_STRING,
                ),
            },
        ),
    },
    result={"type": "array", "items": _record(name=_STRING, value=_STRING)},
)
"""`tasks` comes late, so that a clarification or a refusal is short, and `result` after the tasks that it names.
`control` is a list, because most tasks have none of it, and an empty list is the shortest way to write that."""


def choice_schema(count: int) -> JsonObject:
    """Return the schema of the answer to a choice among so many options: the place of one of them, and nothing else."""
    return _record(index={"type": "integer", "enum": list(range(count))})
