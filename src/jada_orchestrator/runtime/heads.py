"""What is kept beside a workflow's records, so that lists need not fold it."""

from __future__ import annotations

from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.ports.journal import Head


def head_of(workflow: Workflow) -> Head:
    """Return what lists show of a workflow."""
    request = workflow.request
    return Head(
        request_id=workflow.request_id,
        tenant=workflow.tenant,
        status=workflow.status.value,
        model=workflow.model,
        created_at=workflow.created_at,
        finished_at=workflow.finished_at,
        ordering_key=request.ordering_key if request is not None else None,
        catalogue_version=workflow.catalogue_version,
        done=workflow.is_done,
        quarantined=workflow.quarantined is not None,
        rejected=request is None,
    )
