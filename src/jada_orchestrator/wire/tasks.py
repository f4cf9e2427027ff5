"""Tasks to agents: `jada.task/1`."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import format_instant
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.wire.models import TASK_SCHEMA


class _Task(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """The message, in the order in which the contract shows its fields; a struct, since one is written per attempt."""

    schema: str
    workflow_id: str
    request_id: str
    tenant: str
    task_id: str
    attempt: int
    idempotency_key: str
    action: str
    input: JsonObject | msgspec.UnsetType = msgspec.UNSET
    input_ref: JsonObject | msgspec.UnsetType = msgspec.UNSET
    deadline: str
    model: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None
    offload: JsonObject | None = None


_ENCODER: Final = msgspec.json.Encoder()
_told: Final = lru_cache(maxsize=64)(format_instant)
"""Calls that begin in the same turn mostly have the same deadline."""


def encode(
    call: AgentCall, input_ref: PayloadRef | None = None, *, reply_to: str | None, offload: JsonObject | None = None
) -> str:
    """Return the message of one attempt. `reply_to` names the reply queue for SQS workers; functions get none.

    `input_ref` stands in the place of an input that is too large for a message. `offload` (a bucket and a prefix) tells
    the agent where to put an output that is. A worker finds the trace context in its message's attributes; a function's
    call has none, so it stands in the task.

    Raises:
        TypeError: the input holds what is no JSON.
        ValueError: a text in it holds a lone surrogate, which is no character.
    """
    task = _Task(
        schema=TASK_SCHEMA,
        workflow_id=call.workflow_id,
        request_id=call.request_id,
        tenant=call.tenant,
        task_id=call.task_id,
        attempt=call.attempt,
        idempotency_key=call.idempotency_key,
        action=call.action,
        input=call.input if input_ref is None else msgspec.UNSET,
        input_ref=msgspec.UNSET if input_ref is None else input_ref.to_json(),
        deadline=_told(call.deadline),
        model=call.model,
        reply_to=reply_to,
        traceparent=call.traceparent if reply_to is None else None,
        offload=offload,
    )
    return _ENCODER.encode(task).decode()
