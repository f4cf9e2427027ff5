"""What is counted of commits: what model calls cost, and how soon bookings' first calls leave."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry, WorkflowEnded
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.dispatching import first_call
from jada_orchestrator.ports.log import Log
from jada_orchestrator.runtime.health import Health
from jada_orchestrator.runtime.templated import TemplatedPlanner

Catalogues: TypeAlias = Mapping[CatalogueVersion, Catalogue]


def count(health: Health, entries: Iterable[Entry], now: UtcMs) -> None:
    """Count what these entries say that model calls and agents have cost."""
    for entry in entries:
        usage = getattr(entry.record, "usage", None)
        if usage is not None:
            health.spending.add(usage.usd, now)


def learn(templates: TemplatedPlanner | None, workflow: Workflow, entries: Sequence[Entry], known: Catalogues) -> None:
    """Have a template made of a plan that completed with these entries, if anybody keeps templates."""
    if templates is None or workflow.terminal != "completed" or workflow.catalogue_version not in known:
        return
    if any(isinstance(entry.record, WorkflowEnded) for entry in entries):
        templates.learn(workflow, known[workflow.catalogue_version])


def note_first_call(log: Log, health: Health, workflow: Workflow, entries: Sequence[Entry]) -> None:
    """Tell of a booking's first call if these entries, the last ones of it, are those with which it was known."""
    first = first_call(workflow, entries[0].seq) if entries else None
    if first is None:
        return
    health.first_calls.add(first.after_ms, first.hidden_ms, first.answer_ms)
    log.emit(
        "info",
        "dispatch.first",
        first.sentence(),
        workflow_id=workflow.workflow_id,
        request_id=workflow.request_id,
        tenant=workflow.tenant,
        after_ms=first.after_ms,
        hidden_ms=first.hidden_ms,
        answer_ms=first.answer_ms,
    )
