"""The ledger: every call of the model that plans, read from the records of its workflow.

Nothing is stored twice: `PlannerAnswered`, `PlannerBackedOff`, `PlannerGaveUp` and `ChoiceAnswered` are the ledger, and
this is its view. Of a workflow that was retired there is the sum that `WorkflowRetired` keeps, as one call.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.usage import CallPurpose, Usage

LEDGER_RECORDS = (r.PlannerAnswered, r.PlannerBackedOff, r.PlannerGaveUp, r.ChoiceAnswered, r.WorkflowRetired)


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One call, or one question that was never put (`sent` is False: nothing was used)."""

    at: UtcMs
    """When it ended."""
    workflow_id: WorkflowId
    request_id: str
    tenant: str
    model: str
    """Empty where a record of an older version does not tell."""
    purpose: CallPurpose | Literal["retired"]
    """``retired``: these are all calls of a retired booking together; of its times nothing is known."""
    attempt: int
    answered: bool
    usage: Usage
    latency_ms: int
    first_token_ms: int
    waited_ms: int
    stop_reason: str
    failure_code: str

    @property
    def sent(self) -> bool:
        """Whether anything was used."""
        return bool(self.usage.total_input_tokens or self.usage.output_tokens)

    @property
    def is_repeated(self) -> bool:
        """Whether the same question had been put before."""
        return self.attempt > 1


def calls_of(
    workflow_id: WorkflowId, request_id: str, tenant: str, default_model: str, entries: Iterable[r.Entry]
) -> Iterator[ModelCall]:
    """Yield the calls of one workflow, in order; `default_model` stands where an older record is silent."""
    for entry in entries:
        record = entry.record
        if isinstance(record, r.ChoiceAnswered):
            yield _choice(workflow_id, request_id, tenant, entry.at, record)
        elif isinstance(record, r.WorkflowRetired):
            if record.usage != Usage():
                yield _sum(workflow_id, entry.at, record)
        elif isinstance(record, LEDGER_RECORDS):
            yield _call(workflow_id, request_id, tenant, default_model, entry.at, record)


def _choice(workflow_id: WorkflowId, request_id: str, tenant: str, at: UtcMs, record: r.ChoiceAnswered) -> ModelCall:
    return ModelCall(
        at=at,
        workflow_id=workflow_id,
        request_id=request_id,
        tenant=tenant,
        model=record.model,
        purpose="choice",
        attempt=1,
        answered=record.failure is None,
        usage=record.usage,
        latency_ms=record.latency_ms,
        first_token_ms=record.first_token_ms,
        waited_ms=0,
        stop_reason="",
        failure_code="" if record.failure is None else record.failure.code,
    )


def _sum(workflow_id: WorkflowId, at: UtcMs, record: r.WorkflowRetired) -> ModelCall:
    return ModelCall(
        at=at,
        workflow_id=workflow_id,
        request_id=record.request_id,
        tenant=record.tenant,
        model=record.model,
        purpose="retired",
        attempt=1,
        answered=True,
        usage=record.usage,
        latency_ms=0,
        first_token_ms=0,
        waited_ms=0,
        stop_reason="",
        failure_code="",
    )


def _call(
    workflow_id: WorkflowId,
    request_id: str,
    tenant: str,
    default_model: str,
    at: UtcMs,
    record: r.PlannerAnswered | r.PlannerBackedOff | r.PlannerGaveUp,
) -> ModelCall:
    answered = isinstance(record, r.PlannerAnswered)
    return ModelCall(
        at=at,
        workflow_id=workflow_id,
        request_id=request_id,
        tenant=tenant,
        model=record.model or default_model,
        purpose=record.purpose,
        attempt=record.attempt,
        answered=answered,
        usage=record.usage,
        latency_ms=record.latency_ms,
        first_token_ms=record.first_token_ms,
        waited_ms=record.waited_ms if isinstance(record, r.PlannerAnswered) else 0,
        stop_reason=record.stop_reason,
        failure_code="" if isinstance(record, r.PlannerAnswered) else record.failure.code,
    )
