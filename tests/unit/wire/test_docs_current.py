"""`docs/messages`: generated files are current, and every example is a message that the code understands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest

from jada_orchestrator.domain.events import ControlArrived, RequestArrived
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.queues import AgentReply
from jada_orchestrator.wire import models, replies, requests
from tools import generate_docs

FOLDER: Final = generate_docs.ROOT / "docs" / "messages"
EXAMPLES: Final = re.findall(r"```json\n(.*?)```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)


def schema(name: str) -> Any:
    """A generated JSON Schema."""
    return json.loads((FOLDER / f"{name}.schema.json").read_text(encoding="utf-8"))


def name_of(example: dict[str, Any]) -> str:
    """Which message an example is."""
    if "specversion" in example:
        return "outcome"
    return str(example.get("schema", "jada.request/1")).removeprefix("jada.").removesuffix("/1")


def test_generated_files_are_current() -> None:
    """What is generated from the code is what is in the tree; `make docs` makes it so."""
    assert generate_docs.outdated() == []
    assert generate_docs.main(["--check"]) == 0


def test_a_stale_file_is_seen(tmp_path: Path) -> None:
    """A missing or different file is named."""
    files = list(generate_docs.generated())
    assert generate_docs.outdated(tmp_path) == files
    for path, text in generate_docs.generated().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text if path == files[0] else f"{text} ", encoding="utf-8")
    assert generate_docs.outdated(tmp_path) == files[1:]


def test_there_are_examples_of_every_message() -> None:
    """The page shows each message at least once."""
    assert {name_of(json.loads(example)) for example in EXAMPLES} == {each.name for each in generate_docs.MESSAGES}


@pytest.mark.parametrize("text", EXAMPLES, ids=[name_of(json.loads(text)) for text in EXAMPLES])
def test_examples_are_understood(text: str) -> None:
    """Each example fits its schema, and the code that reads such messages."""
    example = json.loads(text)
    name = name_of(example)
    jsonschema_rs.validate(schema(name), example)
    match name:
        case "request":
            assert isinstance(requests.parse(Message(text, {}), model="m"), RequestArrived)
        case "control":
            parsed = requests.parse(Message(text, {}), model="m")
            assert isinstance(parsed, tuple)
            assert isinstance(parsed[1], ControlArrived)
        case "task":
            models.TaskModel.model_validate(example)
        case "reply":
            assert isinstance(replies.parse(text), AgentReply)
        case _:
            models.OutcomeModel.model_validate(example)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("request", {"request_id": "web-1"}),
        ("request", {"text": "Paris"}),
        ("request", {"request_id": "web-1", "text": "Paris", "priority": 11}),
        ("control", {"schema": "jada.control/1", "request_id": "web-1", "command": "answer"}),
        ("reply", {"schema": "jada.reply/1", "status": "succeeded"}),
    ],
)
def test_schemas_refuse_what_the_code_refuses(name: str, broken: dict[str, Any]) -> None:
    """A frontend that checks with the schema finds the same mistakes."""
    assert not jsonschema_rs.is_valid(schema(name), broken)


def references(value: Any) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for each in value.values():
            yield from references(each)
    elif isinstance(value, list):
        for each in value:
            yield from references(each)


def test_the_asyncapi_document_hangs_together() -> None:
    """Every reference of the AsyncAPI document leads somewhere inside it, and every message is on a channel."""
    document = json.loads((FOLDER / "asyncapi.json").read_text(encoding="utf-8"))
    for reference in references(document):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    on_channels = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert on_channels == {each.name for each in generate_docs.MESSAGES}
