"""What a process that drains gives up at once: workflows of which nothing is in flight here."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.workflow import Workflow

RELEASE_WORKFLOWS_MAX: Final = 1_000
"""Workflows given up in one go: what follows are two arrays and one commit."""


def idle_of(
    workflows: Iterable[Workflow], busy: Collection[WorkflowId], workflows_max: int = RELEASE_WORKFLOWS_MAX
) -> list[WorkflowId]:
    """Return the workflows that others may take up now, all but the `busy` ones.

    Of a lane all or none, so that its order is one instance's.
    """
    idle: list[tuple[WorkflowId, str | None]] = []
    busy_lanes: set[str] = set()
    for workflow in workflows:
        key = workflow.request.ordering_key if workflow.request is not None else None
        if workflow.workflow_id in busy:
            if key is not None:
                busy_lanes.add(key)
        else:
            idle.append((workflow.workflow_id, key))
    free = [each for each in idle if each[1] not in busy_lanes]
    lanes = {key for _, key in free[:workflows_max] if key is not None}
    return [id_ for place, (id_, key) in enumerate(free) if place < workflows_max or key in lanes]
