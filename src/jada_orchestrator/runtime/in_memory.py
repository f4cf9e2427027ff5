"""The unfinished workflows that are in memory, and how many of them wait for people."""

from __future__ import annotations

from collections import Counter

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.limits import WAITING_FOR_PEOPLE_MAX
from jada_orchestrator.domain.members import AWAITING_APPROVAL, NEEDS_CLARIFICATION
from jada_orchestrator.domain.workflow import Status, Workflow


class InMemory(dict[WorkflowId, Workflow]):
    """Workflows by id. Who changes the status of one tells it by `look_at`, so that nobody has to walk over all."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self._with_people: set[WorkflowId] = set()

    def hold(self, workflow: Workflow) -> None:
        """Have a workflow."""
        self[workflow.workflow_id] = workflow
        self.look_at(workflow)

    def look_at(self, workflow: Workflow) -> None:
        """See whether one of them waits for a person now."""
        if workflow.status is AWAITING_APPROVAL or workflow.status is NEEDS_CLARIFICATION:
            self._with_people.add(workflow.workflow_id)
        else:
            self._with_people.discard(workflow.workflow_id)

    def let_go(self, workflow_id: WorkflowId) -> Workflow | None:
        """Have one of them no more, and return it, if it was there."""
        self._with_people.discard(workflow_id)
        return self.pop(workflow_id, None)

    def room(self, workflows_max: int) -> int:
        """Return how many more there may be.

        Those that wait for a person do not count, up to a bound: the answer comes by the queue that requests come by.
        """
        return workflows_max - len(self) + min(len(self._with_people), WAITING_FOR_PEOPLE_MAX)

    def count(self, status: Status) -> int:
        """Count those in a status; walks over all."""
        return sum(workflow.status is status for workflow in self.values())

    def counts(self) -> dict[str, int]:
        """Count them by status; only those statuses that occur. Walks over all."""
        return dict(Counter(workflow.status.value for workflow in self.values()))
