"""Agents that are workers on SQS queues: a task is put on the queue, the answer comes later on the reply queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, TypeAlias

from jada_orchestrator.adapters.aws.errors import BAD_CALL, CALL_TIMEOUT, NO_TIME_TO_SEND, result_of
from jada_orchestrator.adapters.aws.offloading import offloaded
from jada_orchestrator.adapters.aws.sending import (
    MESSAGE_BYTES_MAX,
    Outgoing,
    SendResult,
    SqsSender,
    json_for_sqs,
    text_for_sqs,
)
from jada_orchestrator.domain.catalogue import SqsTransport
from jada_orchestrator.domain.events import Failed, Lost
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.payloads import PayloadStore

WORKFLOW_ID: Final = "jada-workflow-id"
TASK_ID: Final = "jada-task-id"
ATTEMPT: Final = "jada-attempt"
TRACEPARENT: Final = "traceparent"

EncodeTask: TypeAlias = Callable[[AgentCall, PayloadRef | None], str]
"""Makes the ``jada.task/1`` text of a call, with ``reply_to``; its input lies elsewhere where a reference is given."""


class SqsWorkers:
    """The port `WorkerSender` on SQS."""

    def __init__(self, sender: SqsSender, *, encode: EncodeTask, payloads: PayloadStore | None = None) -> None:
        """Send through the process's sender; `encode` writes the reply queue's name into the task.

        With `payloads`, an input that is too large for a message goes there.
        """
        self._payloads = payloads
        self._sender = sender
        self._encode = encode

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Put one attempt on the worker's queue; see the port. None for what is too large or cannot be a message."""
        try:
            message = _message(call, json_for_sqs(self._encode(call, None)))
        except (TypeError, ValueError):
            return None
        if call.timeout_ms <= 0 or message.size_bytes > MESSAGE_BYTES_MAX:
            return None
        return self._post(target.queue, call, message)

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Put one attempt on the worker's queue; see the port."""
        subject = f"queue {target.queue}"
        try:
            message = _message(call, json_for_sqs(self._encode(call, None)))
        except (TypeError, ValueError) as error:
            return CallEnded(result_of(BAD_CALL, subject, f"the task cannot be written as JSON: {error}."))
        if call.timeout_ms <= 0:
            return CallEnded(result_of(NO_TIME_TO_SEND, subject, "the deadline passed before the task was sent."))
        if message.size_bytes > MESSAGE_BYTES_MAX:
            size = f"{message.size_bytes} bytes with its attributes"
            ref = await offloaded(self._payloads, call, subject, size, MESSAGE_BYTES_MAX)
            if isinstance(ref, CallEnded):
                return ref
            message = _message(call, json_for_sqs(self._encode(call, ref)))
        return await self._post(target.queue, call, message)

    def _post(self, queue: str, call: AgentCall, message: Outgoing) -> asyncio.Future[CallEnded | None]:
        def late(begun: bool) -> Failed | Lost:  # noqa: FBT001 - the one thing that an entry tells
            verdict = CALL_TIMEOUT if begun else NO_TIME_TO_SEND
            return result_of(verdict, f"queue {queue}", f"the queue had not answered after {call.timeout_ms} ms.")

        return self._sender.add(queue, message, _ended, timeout_s=call.timeout_ms / 1000, late=late).answer

    async def close(self) -> None:
        """Wait for what is being sent."""
        await self._sender.close()


def _ended(result: SendResult) -> CallEnded | None:
    return None if result is None else CallEnded(result)


def _message(call: AgentCall, body: str) -> Outgoing:
    attributes = {WORKFLOW_ID: call.workflow_id, TASK_ID: call.task_id, ATTEMPT: str(call.attempt)}
    if call.traceparent:
        attributes[TRACEPARENT] = text_for_sqs(call.traceparent)
    return Outgoing(body, attributes, group=call.tenant, once=f"{call.idempotency_key}.{call.attempt}")
