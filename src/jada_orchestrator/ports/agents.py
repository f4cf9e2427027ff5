"""Agents: whoever does a task."""

from __future__ import annotations

import asyncio
from typing import Protocol

from msgspec import Struct

from jada_orchestrator.domain.catalogue import LambdaTransport, SqsTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, RequestId, TaskId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.usage import Usage


class AgentCall(Struct, frozen=True, gc=False):
    """One attempt, as the contract's section 3 puts it on the wire."""

    workflow_id: WorkflowId
    request_id: RequestId
    tenant: Tenant
    task_id: TaskId
    attempt: int
    idempotency_key: IdempotencyKey
    action: ActionName
    input: JsonObject
    deadline: UtcMs
    timeout_ms: int
    """What is left until the deadline when the call is made."""
    model: str | None
    """The model that the catalogue gives the agent; None to leave it to the agent."""
    traceparent: str | None


class CallEnded(Struct, frozen=True, gc=False):
    """What a call that is answered at once came to; outputs are not yet checked against a schema."""

    result: AttemptResult
    usage: Usage | None = None


class FunctionCaller(Protocol):
    """Calls agents that answer at once: AWS Lambda, ``Invoke`` with ``RequestResponse``."""

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Make one attempt, exactly once on the wire, and return what it came to. Raises nothing but cancellation.

        Guarantees: `Failed` only when the function certainly did not run, or said so itself; `Lost` whenever it may
        have run. Ends within `call.timeout_ms` and a little. When cancelled, the function may still run.
        """

    async def close(self) -> None:
        """Release connections. May be called twice."""


class WorkerSender(Protocol):
    """Gives tasks to agents that answer later, on the reply queue (`ports.queues`)."""

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Do what `send` does without a task that waits, where that can be done at once; None where only `send` can.

        The future holds what `send` returns; cancelling it is cancelling that. A task for each of the thousands of
        calls that are begun in a second would cost as much as writing their messages.
        """

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Put one attempt on the worker's queue. None: it is there, the answer comes later.

        Returns `Failed` when the queue certainly did not take it, `Lost` when it may have. Raises nothing but
        cancellation; when cancelled, the message may have been taken.
        """

    async def close(self) -> None:
        """Release connections. May be called twice."""
