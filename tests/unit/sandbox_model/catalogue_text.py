"""The reference catalogue as it stands in the system prompt, and a conversation with it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from jada_orchestrator.sandbox.model.conversation import Conversation, read_conversation

TODAY = "2026-11-23"
AGENT_FILES = tuple(sorted((Path(__file__).parents[3] / "config" / "agents").glob("*.yaml")))


@cache
def catalogue_lines() -> tuple[str, ...]:
    """One JSON line for each action of config/agents."""
    lines = []
    for path in AGENT_FILES:
        actions = YAML(typ="safe", pure=True).load(path)["actions"]
        for name, action in actions.items():
            kept = {key: action[key] for key in ("description", "effect", "input", "output")}
            lines.append(json.dumps({"action": name, **kept}))
    return tuple(lines)


def conversation(text: str, *, lines: tuple[str, ...] | None = None, **request: Any) -> Conversation:
    """A conversation about one request of customer c-118, unless `booking` says otherwise."""
    whole = {"request_id": "r-1", "tenant": "t", "text": text, "booking": {"customer_id": "c-118"}, "today": TODAY}
    system = "<catalogue>\n" + "\n".join(catalogue_lines() if lines is None else lines) + "\n</catalogue>"
    message = {"role": "user", "content": f"<request>\n{json.dumps({**whole, **request})}\n</request>"}
    return read_conversation({"system": [{"type": "text", "text": system}], "messages": [message]})
