"""What bookings teach: the template of one that completed, and the one that fits a new one."""

from __future__ import annotations

from collections.abc import Iterable

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.template import Template
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.planning import fitting, template_of


def learnt_from(workflow: Workflow, catalogue: Catalogue, now: UtcMs) -> Template | None:
    """Return what a workflow that completed teaches: nothing where it took a person, another plan, or a template."""
    planning = workflow.planning
    if workflow.terminal != "completed" or workflow.by_template or workflow.revisions or planning.clarifications:
        return None
    if workflow.plan is None or workflow.request is None:
        return None
    return template_of(workflow.plan, workflow.request, catalogue, now)


def template_for(templates: Iterable[Template], request: BookingRequest, catalogue: Catalogue) -> Template | None:
    """Return the template that is for a request, and compiles for it without a fault now."""
    return fitting(templates, request, catalogue)
