"""Lanes: requests that share an ordering key run one after another, in order of arrival.

Pure bookkeeping over workflow ids. Rebuilt at start from the unfinished workflows, in order of acceptance, so that the
order survives restarts; a stuck booking holds its own lane and no other.
"""

from __future__ import annotations

from jada_orchestrator.domain.ids import WorkflowId


class Lanes:
    """Who may go, and who waits behind whom."""

    def __init__(self) -> None:
        """Begin with no lanes."""
        self._queues: dict[str, dict[WorkflowId, None]] = {}

    def join(self, ordering_key: str, workflow_id: WorkflowId) -> bool:
        """Put a workflow at the end of its lane (once); return whether it is first, and may go."""
        lane = self._queues.setdefault(ordering_key, {})
        lane.setdefault(workflow_id)
        return next(iter(lane)) == workflow_id

    def lead(self, ordering_key: str, workflow_id: WorkflowId) -> None:
        """Put a workflow that is under way at the head of its lane: an older one that waits again waits behind it."""
        self._queues[ordering_key] = {workflow_id: None, **self._queues.get(ordering_key, {})}

    def forget(self, ordering_key: str | None, workflow_id: WorkflowId) -> None:
        """Take a workflow out of its lane, if it is in one, and let nobody go for it: the lane goes on elsewhere."""
        lane = self._queues.get(ordering_key or "", {})
        lane.pop(workflow_id, None)
        if ordering_key is not None and not lane:
            self._queues.pop(ordering_key, None)

    def leave(self, ordering_key: str, workflow_id: WorkflowId) -> WorkflowId | None:
        """Take a workflow out; return the one whose turn has come by that, if any."""
        lane = self._queues.get(ordering_key)
        if lane is None or workflow_id not in lane:
            return None
        was_first = next(iter(lane)) == workflow_id
        del lane[workflow_id]
        if not lane:
            del self._queues[ordering_key]
            return None
        return next(iter(lane)) if was_first else None
