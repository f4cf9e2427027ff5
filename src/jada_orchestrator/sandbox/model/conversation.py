"""Reading what the orchestrator sent: the request, the catalogue, how often it was corrected.

The format is the orchestrator's own (see its prompt): `<catalogue>` JSON lines in the system text, `<request>` JSON in
the first user message, with `<executed>` where a plan is to be revised, and `<faults>` in each correction. Whatever
does not have this shape is read as far as it goes.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

_CATALOGUE = re.compile(r"<catalogue>\s*(.*?)\s*</catalogue>", re.DOTALL)
_EXECUTED = re.compile(r"<executed>\s*(.*?)\s*</executed>", re.DOTALL)
_CHOICE = re.compile(r"<choice>\s*(.*?)\s*</choice>", re.DOTALL)
_REQUEST = re.compile(r"<request>\s*(.*?)\s*</request>", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CatalogueAction:
    """One line of the catalogue: the action's name and the fields that it takes and gives."""

    name: str
    effect: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]

    @property
    def inputs(self) -> dict[str, dict[str, Any]]:
        """The input fields with their schemas."""
        return dict(self.input_schema.get("properties") or {})

    @property
    def required(self) -> frozenset[str]:
        """The names of the input fields that must be given."""
        return frozenset(self.input_schema.get("required") or ())

    @property
    def outputs(self) -> dict[str, dict[str, Any]]:
        """The output fields with their schemas."""
        return dict(self.output_schema.get("properties") or {})


@dataclass(frozen=True, slots=True)
class Executed:
    """The plan that failed, when a revision is asked for: its tasks, and the ids of those that are to be got round."""

    tasks: tuple[dict[str, Any], ...]
    failed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a call is about. `request` is None when there is no readable `<request>`."""

    request: dict[str, Any] | None
    request_json: str
    catalogue: dict[str, CatalogueAction]
    corrections: int
    executed: Executed | None = None
    choice: dict[str, Any] | None = None
    """What is to be chosen, where no plan is asked for."""

    @property
    def request_id(self) -> str:
        """The booking request's id, or an empty string."""
        return str((self.request or {}).get("request_id", ""))


def read_conversation(body: dict[str, Any]) -> Conversation:
    """Read the body of a Messages call; never raises on text that it does not understand."""
    users = [_text(message.get("content")) for message in body["messages"] if message.get("role") == "user"]
    # Only user messages count: the examples in the system text contain requests too.
    requests = [match.group(1) for text in users for match in _REQUEST.finditer(text)]
    raw = requests[0] if requests else ""
    return Conversation(
        request=_object(raw),
        request_json=raw,
        catalogue=_read_catalogue(_text(body.get("system"))),
        corrections=sum("<faults>" in text for text in users[1:]),
        executed=_read_executed(users[0]) if users else None,
        choice=_object(found.group(1)) if users and (found := _CHOICE.search(users[0])) else None,
    )


def _read_executed(text: str) -> Executed | None:
    found = _EXECUTED.search(text)
    document = _object(found.group(1)) if found else None
    if document is None:
        return None
    tasks = tuple(task for task in document.get("tasks", ()) if isinstance(task, dict))
    return Executed(tasks, tuple(map(str, document.get("failed", ()))))


def _read_catalogue(system: str) -> dict[str, CatalogueAction]:
    actions: dict[str, CatalogueAction] = {}
    for block in _CATALOGUE.finditer(system):
        for line in block.group(1).splitlines():
            entry = _object(line)
            if entry is not None and isinstance(entry.get("action"), str):
                action = CatalogueAction(
                    name=entry["action"],
                    effect=str(entry.get("effect", "read")),
                    input_schema=entry.get("input") or {},
                    output_schema=entry.get("output") or {},
                )
                actions[action.name] = action
    return actions


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(block.get("text", "")) for block in content if isinstance(block, dict))
    return ""


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
