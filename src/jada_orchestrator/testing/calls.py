"""A call of an agent, for tests of what carries calls: whoever needs another one changes what matters to it."""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, RequestId, TaskId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.agents import AgentCall

CALL: Final = AgentCall(
    workflow_id=WorkflowId("wf-1"),
    request_id=RequestId("web-1"),
    tenant=Tenant("acme"),
    task_id=TaskId("hold"),
    attempt=1,
    idempotency_key=IdempotencyKey("jk-1"),
    action=ActionName("flights.hold"),
    input={"offer_id": "LX-1"},
    deadline=UtcMs(1_900_000_000_000),
    timeout_ms=20_000,
    model=None,
    traceparent=None,
)
"""The first attempt of a hold that has plenty of time."""
