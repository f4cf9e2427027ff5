"""Outcomes: CloudEvents 1.0 in structured JSON (https://github.com/cloudevents/spec, JSON event format)."""

from __future__ import annotations

from typing import Final

import msgspec

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.records import OutcomeType
from jada_orchestrator.wire.strict_json import mended

TYPE_PREFIX: Final = "jada.booking."

_ENCODER: Final = msgspec.json.Encoder()


def encode(outcome_id: str, type: OutcomeType, at: UtcMs, content: JsonObject, *, source: str) -> str:  # noqa: A002 - CloudEvents' name
    """Return the message of an outcome; the same arguments always give the same text.

    `content` is the contract's ``data``; its `request_id` is the event's subject, which is left out where it is empty,
    as CloudEvents asks. A lone surrogate in a text becomes U+FFFD: an outcome is sent in every case.
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
        return _ENCODER.encode(event).decode()
    except UnicodeEncodeError:
        return _ENCODER.encode(mended(event)).decode()
