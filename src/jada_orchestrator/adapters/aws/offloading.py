"""Inputs that are too large for a message: put into the bucket before the message that refers to them is sent."""

from __future__ import annotations

from jada_orchestrator.adapters.aws.errors import TOO_LARGE, result_of
from jada_orchestrator.domain.events import Failed
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.payloads import PayloadError, PayloadStore


async def offloaded(
    payloads: PayloadStore | None, call: AgentCall, subject: str, size: str, bytes_max: int
) -> PayloadRef | CallEnded:
    """Return where a call's input lies now, or what the attempt came to that certainly was not sent."""
    if payloads is None:
        what = f"the task has {size}; {bytes_max} are taken. Set offload.bucket (JADA_OFFLOAD__BUCKET) to let a bucket"
        return CallEnded(result_of(TOO_LARGE, subject, f"{what} carry what is larger."))
    try:
        return await payloads.put(call.input)
    except PayloadError as error:
        return CallEnded(
            Failed(Failure(error.code, f"{subject}: the input: {error}"), retryable=error.passes, answered=False)
        )
