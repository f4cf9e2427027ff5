"""The events of a streamed answer, in the order and with the fields of the Messages API.

`message_start` (usage of the input) -> `content_block_start` -> `ping` -> `content_block_delta`* ->
`content_block_stop` -> `message_delta` (stop reason, cumulative usage) -> `message_stop`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jada_orchestrator.sandbox.model.prompt_cache import InputUsage, estimate_tokens


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer: what the model says, why it stops, what it costs."""

    message_id: str
    model: str
    text: str
    stop_reason: str
    input_usage: InputUsage

    @property
    def output_tokens(self) -> int:
        """Estimated tokens of the text; never 0, as in the real API."""
        return max(1, estimate_tokens(len(self.text)))

    def message(self) -> dict[str, Any]:
        """Return the answer to a call without streaming."""
        usage = {**_start_usage(self.input_usage), "output_tokens": self.output_tokens}
        content = [{"type": "text", "text": self.text}] if self.text else []
        return {
            **_message(self),
            "content": content,
            "stop_reason": self.stop_reason,
            "stop_details": _stop_details(self.stop_reason),
            "usage": usage,
        }


def frame(event: dict[str, Any]) -> bytes:
    """Return one event as it travels."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def opening(reply: Reply) -> list[dict[str, Any]]:
    """Return the events before the first text."""
    block = {"type": "text", "text": "", "citations": None}
    return [
        {"type": "message_start", "message": _message(reply)},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "ping"},
    ]


def text_delta(text: str) -> dict[str, Any]:
    """Return the event that carries a chunk of text."""
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def closing(reply: Reply) -> list[dict[str, Any]]:
    """Return the events after the last text; the usage in `message_delta` is cumulative."""
    usage = {
        "input_tokens": reply.input_usage.uncached,
        "cache_creation_input_tokens": reply.input_usage.created_5m + reply.input_usage.created_1h,
        "cache_read_input_tokens": reply.input_usage.read,
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"thinking_tokens": 0},
    }
    delta = {
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": _stop_details(reply.stop_reason),
    }
    return [
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": delta, "usage": usage},
        {"type": "message_stop"},
    ]


def chunks(text: str, size: int) -> Iterator[str]:
    """Cut a text into chunks of `size` characters."""
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _message(reply: Reply) -> dict[str, Any]:
    return {
        "id": reply.message_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "usage": {**_start_usage(reply.input_usage), "output_tokens": 1},
    }


def _start_usage(usage: InputUsage) -> dict[str, Any]:
    return {
        **usage.as_usage(),
        "output_tokens_details": {"thinking_tokens": 0},
        "server_tool_use": None,
        "service_tier": "standard",
        "inference_geo": "not_available",
    }


def _stop_details(stop_reason: str) -> dict[str, Any] | None:
    if stop_reason != "refusal":
        return None
    return {"type": "refusal", "category": None, "explanation": "Refused by order: this is a stand-in."}
