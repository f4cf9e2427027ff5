"""What is kept beside a workflow's records, so that lists need not fold it."""

from __future__ import annotations

from collections.abc import Iterable

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.ports.journal import Append, Head


class Heads:
    """The heads of the unfinished workflows as they were committed last: most commits change nothing in them."""

    def __init__(self) -> None:
        """Begin with none known."""
        self._committed: dict[WorkflowId, Head] = {}

    def of(self, workflow: Workflow) -> Head:
        """Return the head of a workflow, the very one that was committed last where it is still true."""
        return head_of(workflow, self._committed.get(workflow.workflow_id))

    def forget(self, workflow_id: WorkflowId) -> None:
        """Know nothing more of a workflow that goes on elsewhere."""
        self._committed.pop(workflow_id, None)

    def committed(self, batch: Iterable[Append]) -> None:
        """Remember what is durable now, of workflows that are not done."""
        for append in batch:
            if append.head.done:
                self._committed.pop(append.workflow_id, None)
            else:
                self._committed[append.workflow_id] = append.head


def head_of(workflow: Workflow, before: Head | None = None) -> Head:
    """Return what lists show of a workflow: `before` itself, which the workflow had last, where that is still so."""
    request = workflow.request
    if (
        before is not None
        and before.status == workflow.status
        and before.model == workflow.model
        and before.finished_at == workflow.finished_at
        and before.done == workflow.is_done
        and before.quarantined == (workflow.quarantined is not None)
    ):
        return before
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
        rejected=request is None if workflow.retired is None else workflow.retired.rejected,
        retired=workflow.retired is not None,
    )
