"""One event from decision to consequence."""

from __future__ import annotations

from collections.abc import Iterable

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.events import Event
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.apply import apply
from jada_orchestrator.engine.decide import decide
from jada_orchestrator.engine.settle import settle


def step(workflow: Workflow, event: Event, now: UtcMs, catalogue: Catalogue) -> list[Entry]:
    """Decide an event, fold what was decided, and conclude what follows until nothing does.

    `catalogue` is the workflow's own version; for a workflow that does not exist yet, the present one. Returns the new
    entries, which the caller must make durable before anything that follows from them leaves the process (law 1).
    """
    entries: list[Entry] = []
    records = decide(workflow, event, now, catalogue)
    at = UtcMs(max(now, workflow.at))  # instants never go back within a workflow, whatever the host's clock does
    while records:
        for record in records:
            entry = Entry(workflow.seq + 1, at, record)
            apply(workflow, entry)
            entries.append(entry)
        records = settle(workflow)
    return entries


def fold(workflow_id: WorkflowId, entries: Iterable[Entry]) -> Workflow:
    """Return the state that a journal's entries make."""
    workflow = Workflow(workflow_id)
    for entry in entries:
        apply(workflow, entry)
    return workflow
