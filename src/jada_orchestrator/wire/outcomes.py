"""Outcomes: CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec, JSON event format)."""

from __future__ import annotations

from typing import Final

import msgspec

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.records import OutcomeType
from jada_orchestrator.wire.strict_json import mended

TYPE_PREFIX: Final = "jada.booking."

_ESCAPES: Final = tuple((chr(code), f"\\u{code:04x}") for code in (0xFFFE, 0xFFFF))
"""The characters that JSON takes as they are and SQS does not."""
_ENCODER: Final = msgspec.json.Encoder()


def encode(outcome_id: str, type: OutcomeType, at: UtcMs, content: JsonObject, *, source: str) -> str:  # noqa: A002 - CloudEvents' name
    """Return the message of an outcome; the same arguments always give the same text.

    `content` is the contract's ``data``; its `request_id` is the event's subject, which is left out where it is empty,
    as CloudEvents asks. A lone surrogate in a text becomes U+FFFD: an outcome is sent in every case. The text is as
    long as a queue finds it: the two characters that SQS refuses and JSON does not are written as escapes here already.
    """
    event: JsonObject = {
        "specversion": "1.0",
        "id": outcome_id,
        "source": source,
        "type": TYPE_PREFIX + type,
    }
    if content.get("request_id"):
        event["subject"] = content["request_id"]
    event |= {"time": format_instant(at), "datacontenttype": "application/json", "data": content}
    try:
        text = _ENCODER.encode(event).decode()
    except UnicodeEncodeError:
        text = _ENCODER.encode(mended(event)).decode()
    for character, escape in _ESCAPES:
        text = text.replace(character, escape)
    return text
