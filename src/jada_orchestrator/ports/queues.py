"""Queues: where requests and replies come from, and where outcomes and dead letters go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import IdempotencyKey, TaskId, WorkflowId
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.usage import Usage


class QueueError(Exception):
    """A queue could not be reached, or refused what was asked; nothing was received, sent or deleted by this call.

    Raised by queue adapters. Passing trouble is retried by the runtime; the message names the queue and what the
    operator checks (existence, permissions, endpoint) when it does not pass.
    """


class Delivery(Struct, frozen=True, gc=False):
    """One received message; `handle` is the queue's own token for settling it, `age_ms` how long it had waited."""

    message: Message
    handle: str
    message_id: str
    receive_count: int
    age_ms: int
    as_it_came: Message | None = None
    """The message with a reference where `message` has what it refers to; None where it came as `message` is."""

    @property
    def letter(self) -> Message:
        """What goes to the dead-letter queue: no larger than a queue takes, since a queue had it."""
        return self.as_it_came or self.message


class MessageSource(Protocol):
    """A queue that is read: requests, or replies."""

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for messages (long polling, at most 20 s) and return up to `messages_max`, at most 10 at once.

        Raises: QueueError. When cancelled, messages that were just received become visible again by themselves.
        """

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete messages, in batches; one that could not be deleted comes again, which the receiver must bear.

        Raises: QueueError.
        """

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Make messages visible again after a while, before their visibility runs out. Raises: QueueError."""

    async def close(self) -> None:
        """Release connections. May be called twice."""


@dataclass(frozen=True, slots=True)
class OutcomeMessage:
    """An outcome ready to be sent: `body` is the CloudEvents JSON text; `queue` the name, already allowed."""

    queue: str
    body: str
    traceparent: str | None
    group: str
    """Tenant, for fair queues."""


class OutcomeSink(Protocol):
    """Where outcomes and dead letters go."""

    async def publish(self, outcome: OutcomeMessage) -> None:
        """Send an outcome; returns once the queue has it. Raises: QueueError (it may have been sent all the same)."""

    async def dead_letter(self, message: Message, failure: Failure) -> None:
        """Put a message, whole, on the dead-letter queue, with attributes ``jada-reason-code`` and ``jada-reason``.

        Raises: QueueError (it may have been sent all the same).
        """

    async def close(self) -> None:
        """Release connections. May be called twice."""


class AgentReply(Struct, frozen=True, gc=False):
    """A ``jada.reply/1`` message, parsed."""

    workflow_id: WorkflowId
    task_id: TaskId
    attempt: int
    idempotency_key: IdempotencyKey
    result: AttemptResult
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class UnreadableReply:
    """A message on the reply queue that is no reply; it goes to the log and the dead-letter queue, whole."""

    failure: Failure
    content: JsonObject | None = None
