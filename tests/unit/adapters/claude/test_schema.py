"""The schema of proposals: within the limits of structured outputs, and as strict as they allow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from jada_orchestrator.adapters.claude.schema import PROPOSAL_SCHEMA

SUPPORTED = {"type", "properties", "required", "additionalProperties", "items", "enum"}
"""The keywords in use; all of them are documented as supported."""


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schema and all schemas in it."""
    yield schema
    for child in [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]:
        yield from nodes(child)


def test_only_supported_keywords() -> None:
    """No keyword that the API answers with 400, no union, no optional property."""
    for node in nodes(PROPOSAL_SCHEMA):
        assert set(node) <= SUPPORTED
        assert isinstance(node["type"], str)
        if node["type"] == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_the_order_of_properties() -> None:
    """The model writes in this order: the decision first, references after what they refer to."""
    assert list(PROPOSAL_SCHEMA["properties"]) == ["outcome", "reason", "questions", "tasks", "result"]
    task = PROPOSAL_SCHEMA["properties"]["tasks"]["items"]
    assert list(task["properties"]) == ["id", "action", "after", "optional", "control", "args"]
    assert list(task["properties"]["args"]["items"]["properties"]) == ["name", "kind", "value"]


GOOD: dict[str, Any] = {
    "outcome": "plan",
    "reason": "",
    "questions": [],
    "tasks": [
        {
            "id": "a",
            "action": "x.y",
            "after": [],
            "optional": False,
            "control": [{"kind": "when", "value": "a.b"}],
            "args": [{"name": "n", "kind": "user", "value": "1"}],
        }
    ],
    "result": [{"name": "n", "value": "a.b"}],
}


def test_a_proposal_is_valid() -> None:
    """A proposal of the agreed shape is valid, and so is what JSON makes of it."""
    validator = jsonschema_rs.validator_for(PROPOSAL_SCHEMA)
    assert validator.is_valid(GOOD)
    assert validator.is_valid(json.loads(json.dumps(GOOD)))


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "maybe"},
        {"questions": "?"},
        {"tasks": [{"id": "a"}]},
        {"extra": 1},
        {"result": [{"name": "n"}]},
        {"tasks": [{**GOOD["tasks"][0], "args": [{"name": "n", "kind": "guess", "value": "1"}]}]},
        {"tasks": [{**GOOD["tasks"][0], "args": [{"name": "n", "kind": "user", "value": 1}]}]},
    ],
)
def test_other_shapes_are_not(change: dict[str, Any]) -> None:
    """What is not of the agreed shape is invalid."""
    assert not jsonschema_rs.validator_for(PROPOSAL_SCHEMA).is_valid({**GOOD, **change})
