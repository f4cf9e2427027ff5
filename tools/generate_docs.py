"""Writes what is generated for readers: `python -m tools.generate_docs`, or with `--check` says what is not current.

Messages: a JSON Schema for each, and one AsyncAPI document, both from the models in `wire.models` with which requests
are really checked, so that they cannot drift from the code. States: the tables of the engine, drawn (`state_diagrams`).
The catalogue of the journal: from the table of events.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from pydantic import TypeAdapter

from jada_orchestrator import __version__
from jada_orchestrator.adapters.host.messages import catalogue_text
from jada_orchestrator.wire import models
from tools.state_diagrams import state_files

ROOT: Final = Path(__file__).parents[1]
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

Files: TypeAlias = dict[str, str]
"""Text by path from the root of the checkout."""


@dataclass(frozen=True, slots=True)
class MessageDoc:
    """One message: its name in files and identifiers, its model, and the sentence that says what it is."""

    name: str
    title: str
    model: Any
    content_type: str = "application/json"


MESSAGES: Final = (
    MessageDoc("request", "Booking request", models.RequestModel),
    MessageDoc("control", "Control message", models.ControlModel),
    MessageDoc("task", "Task", models.TaskModel),
    MessageDoc("reply", "Reply", models.ReplyModel),
    MessageDoc("outcome", "Outcome", models.OutcomeModel, "application/cloudevents+json"),
)


@dataclass(frozen=True, slots=True)
class ChannelDoc:
    """One queue, as the orchestrator uses it."""

    name: str
    address: str
    action: Literal["send", "receive"]
    messages: tuple[str, ...]
    description: str


CHANNELS: Final = (
    ChannelDoc(
        "requests",
        "jada-requests",
        "receive",
        ("request", "control"),
        "Booking frontends put requests here, and whoever may decide puts control messages. A message is deleted only "
        "after its workflow is durable.",
    ),
    ChannelDoc(
        "tasks",
        "{worker_queue}",
        "send",
        ("task",),
        "One queue for each agent with an SQS transport in the catalogue. Functions get the same message as the "
        "payload of Invoke, and answer with a reply, or with the output alone.",
    ),
    ChannelDoc(
        "replies",
        "jada-replies-{host}",
        "receive",
        ("reply",),
        "Where SQS workers answer: the queue that the task names in `reply_to`.",
    ),
    ChannelDoc(
        "outcomes",
        "{reply_to}",
        "send",
        ("outcome",),
        "The request's `reply_to`, or the default `jada-outcomes`. Delivered at least once, only after it is durable; "
        "the id is the same on every redelivery.",
    ),
)


def message_schemas() -> Files:
    """The JSON Schema of each message."""
    files = {}
    for message in MESSAGES:
        schema = TypeAdapter(message.model).json_schema(by_alias=True, mode="validation")
        head = {"$schema": DIALECT, "$id": f"urn:jada:{message.name}:1", "title": message.title}
        files[f"docs/messages/{message.name}.schema.json"] = _json({**head, **schema, "title": message.title})
    return files


def asyncapi() -> Files:
    """The one AsyncAPI document (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""
    adapters: list[tuple[str, Literal["validation"], TypeAdapter[Any]]] = [
        (message.name, "validation", TypeAdapter(message.model)) for message in MESSAGES
    ]
    by_message, shared = TypeAdapter.json_schemas(
        adapters,
        by_alias=True,
        ref_template="#/components/schemas/{model}",
    )
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "JADA orchestrator",
            "version": __version__,
            "description": "The messages between booking frontends, the orchestrator and its agents, on Amazon SQS.",
        },
        "defaultContentType": "application/json",
        "channels": {
            channel.name: {
                "address": channel.address,
                "description": channel.description,
                "parameters": {name: {"description": text} for name, text in _parameters(channel.address).items()},
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in channel.messages},
            }
            for channel in CHANNELS
        },
        "operations": {
            f"{channel.action}_{channel.name}": {
                "action": channel.action,
                "channel": {"$ref": f"#/channels/{channel.name}"},
                "messages": [{"$ref": f"#/channels/{channel.name}/messages/{name}"} for name in channel.messages],
            }
            for channel in CHANNELS
        },
        "components": {
            "messages": {
                message.name: {
                    "name": message.name,
                    "title": message.title,
                    "contentType": message.content_type,
                    "payload": by_message[message.name, "validation"],
                }
                for message in MESSAGES
            },
            "schemas": shared["$defs"],
        },
    }
    return {"docs/messages/asyncapi.json": _json(document)}


def _without_discriminators(value: object) -> object:
    """Drop OpenAPI's `discriminator` objects: JSON Schema has none, and AsyncAPI means something else by them."""
    if isinstance(value, dict):
        return {
            name: _without_discriminators(each)
            for name, each in value.items()
            if not (name == "discriminator" and isinstance(each, dict) and "propertyName" in each)
        }
    return [_without_discriminators(each) for each in value] if isinstance(value, list) else value


def _parameters(address: str) -> dict[str, str]:
    known = {
        "worker_queue": "The queue that the catalogue gives to the agent.",
        "host": "The orchestrator's host.",
        "reply_to": "A queue on the operator's allow-list.",
    }
    return {name: text for name, text in known.items() if f"{{{name}}}" in address}


def _json(value: object) -> str:
    return json.dumps(_without_discriminators(value), indent=2, ensure_ascii=False) + "\n"


def journal_catalogue() -> Files:
    """What `journalctl -x` says of each event that an operator may meet."""
    return {"deploy/systemd/jada.catalog": catalogue_text()}


GENERATORS: Final[tuple[Callable[[], Files], ...]] = (message_schemas, asyncapi, state_files, journal_catalogue)
"""Everything that is generated; a new kind of generated document is a line here."""


def generated() -> Files:
    """Every generated file."""
    files: Files = {}
    for generator in GENERATORS:
        files |= generator()
    return files


def outdated(root: Path = ROOT) -> list[str]:
    """The files that are missing, or differ from what would be generated now."""
    return [
        path
        for path, text in generated().items()
        if not (root / path).exists() or (root / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the files, or checks them; returns the exit status."""
    parser = argparse.ArgumentParser(description="Writes what is generated for readers, under docs/ and deploy/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when a file is not current")
    check = parser.parse_args(arguments).check
    changed = outdated()
    for path in changed:
        if check:
            print(f"{path} is not current: run `make docs`", file=sys.stderr)
            continue
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(generated()[path], encoding="utf-8")
        print(f"wrote {path}")
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
