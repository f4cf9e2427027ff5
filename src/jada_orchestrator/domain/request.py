"""A booking request, as the house knows it once the wire has been checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import RequestId, Tenant
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.money import Money

OnFailure = Literal["undo_all", "keep_partial", "ask"]
"""What becomes of a booking whose required task failed: undo everything, keep what the optional tasks made, or ask
a person."""


@dataclass(frozen=True, slots=True)
class Constraints:
    """Bounds that the frontend set; None where it set none."""

    max_total: Money | None = None
    """Never committed above this."""
    approve_above: Money | None = None
    """Above this a person must approve before anything is committed."""
    deadline: UtcMs | None = None
    """After this nothing new is started and what stands is undone."""
    on_failure: OnFailure = "undo_all"


@dataclass(frozen=True, slots=True)
class BookingRequest:
    """One request. `text` is empty where the frontend sent only `booking`, and `booking` is None where only text."""

    request_id: RequestId
    tenant: Tenant
    text: str
    booking: JsonObject | None
    constraints: Constraints
    ordering_key: str | None
    priority: int
    """0 (lowest) to 9 (highest)."""
    reply_to: str | None
    metadata: JsonObject = field(default_factory=dict)
    traceparent: str | None = None
    """W3C trace context of the frontend, when its message carried one."""


class Message(Struct, frozen=True, gc=False):
    """A queue message as it arrived, kept whole so that it can be moved to a dead-letter queue whole."""

    body: str
    attributes: dict[str, str]
    """String attributes; a number's text; binary ones as base64 under their own name."""
