"""Which workflows may leave their tombstone, and what it says."""

from __future__ import annotations

from jada_orchestrator.domain.ids import Tenant
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry, WorkflowRetired
from jada_orchestrator.domain.workflow import Workflow


def may_retire(workflow: Workflow) -> bool:
    """Tell whether nothing is left to do with a workflow, for us or for a person, and its records are still there."""
    return (
        workflow.is_done
        and workflow.terminal != "needs_attention"
        and workflow.quarantined is None
        and workflow.retired is None
    )


def tombstone_of(workflow: Workflow, now: UtcMs) -> Entry:
    """Return what stays of a workflow that may be retired, in the place of its last record."""
    assert workflow.terminal is not None, "only what ended is retired"
    assert workflow.finished_at is not None, "what ended did so at an instant"
    request, outcome = workflow.request, workflow.outcomes[-1] if workflow.outcomes else None
    record = WorkflowRetired(
        request_id=workflow.request_id,
        tenant=Tenant(workflow.tenant),
        digest=workflow.digest,
        rejected=request is None,
        reply_to=request.reply_to if request is not None else workflow.rejected_reply_to,
        status=workflow.terminal,
        error_code=None if workflow.failure is None else workflow.failure.code,
        model=workflow.model,
        by_template=workflow.by_template,
        revision=workflow.revision,
        usage=workflow.usage,
        created_at=workflow.created_at,
        finished_at=workflow.finished_at,
        outcome_id=None if outcome is None else outcome.outcome_id,
        outcome_at=workflow.finished_at if outcome is None else outcome.at,
        records=workflow.seq,
        retired_at=now,
    )
    return Entry(workflow.seq, workflow.at, record)
