"""Which action a call makes, under which terms and key."""

from __future__ import annotations

from jada_orchestrator.domain.catalogue import Compensation
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, idempotency_key_of
from jada_orchestrator.domain.plan import Plan, Terms
from jada_orchestrator.domain.workflow import Task, Workflow


def adopted_plan(workflow: Workflow) -> Plan:
    """Return the plan of a workflow that has tasks; a task without a plan cannot be."""
    assert workflow.plan is not None, f"{workflow.workflow_id} has tasks but no plan"
    return workflow.plan


def compensation_of(task: Task) -> Compensation:
    """Return what undoes a task whose undoing was started; that is only ever done when there is something."""
    assert task.terms.compensate is not None, f"nothing undoes {task.planned.id}"
    return task.terms.compensate


def terms_of_side(workflow: Workflow, task: Task, side: Side) -> Terms:
    """Return the terms of the action that does, or undoes, a task."""
    return task.terms if side == "do" else adopted_plan(workflow).terms[compensation_of(task).action]


def terms_of_call(workflow: Workflow, task: Task, side: Side, purpose: Purpose) -> Terms:
    """Return the terms of the action that the next attempt calls: the call's own, or its lookup's."""
    terms = terms_of_side(workflow, task, side)
    if purpose == "call":
        return terms
    assert terms.lookup is not None, f"{terms.action} has no lookup"
    return adopted_plan(workflow).terms[terms.lookup]


def action_of(workflow: Workflow, task: Task, side: Side, purpose: Purpose) -> ActionName:
    """Return the action that an attempt calls."""
    return terms_of_call(workflow, task, side, purpose).action


def call_key(workflow: Workflow, task: Task, side: Side) -> IdempotencyKey:
    """Return the key of the call itself, the same for all its attempts (law 5)."""
    return idempotency_key_of(workflow.workflow_id, task.planned.revision, task.planned.id, side)


def attempt_key(workflow: Workflow, task: Task, side: Side, purpose: Purpose, number: int) -> IdempotencyKey:
    """Return the key that an attempt carries: the call's for a call, one of its own for each lookup."""
    if purpose == "call":
        return call_key(workflow, task, side)
    return idempotency_key_of(workflow.workflow_id, task.planned.revision, task.planned.id, f"find-{side}-{number}")
