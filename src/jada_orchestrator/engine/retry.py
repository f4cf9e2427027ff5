"""When to try again: exponential backoff with deterministic jitter. The one place where retry policy lives (law 8)."""

from __future__ import annotations

import hashlib

from jada_orchestrator.domain.catalogue import RetryPolicy
from jada_orchestrator.domain.events import Side
from jada_orchestrator.domain.limits import (
    LOOKUP_RETRY_FIRST_MS,
    LOOKUP_RETRY_MAX_MS,
    LOOKUPS_MAX,
    OUTCOME_RETRY_FIRST_MS,
    OUTCOME_RETRY_MAX_MS,
    PLANNER_RETRY_FIRST_MS,
    PLANNER_RETRY_MAX_MS,
    REFUSAL_RETRY_FIRST_MS,
    REFUSAL_RETRY_MAX_MS,
    REFUSALS_MAX,
    RETRY_JITTER_PERCENT,
    UNDO_ATTEMPTS_MAX,
    UNDO_LOOKUPS_MAX,
    UNDO_RETRY_MAX_MS,
)
from jada_orchestrator.domain.workflow import Call, Task, Workflow

REFUSALS = RetryPolicy(REFUSALS_MAX, REFUSAL_RETRY_FIRST_MS, REFUSAL_RETRY_MAX_MS)
PATIENT_REFUSALS = RetryPolicy(REFUSALS_MAX, REFUSAL_RETRY_FIRST_MS, UNDO_RETRY_MAX_MS)
LOOKUPS = RetryPolicy(LOOKUPS_MAX, LOOKUP_RETRY_FIRST_MS, LOOKUP_RETRY_MAX_MS)
PATIENT_LOOKUPS = RetryPolicy(UNDO_LOOKUPS_MAX, LOOKUP_RETRY_FIRST_MS, UNDO_RETRY_MAX_MS)
PLANNER = RetryPolicy(1, PLANNER_RETRY_FIRST_MS, PLANNER_RETRY_MAX_MS)
OUTCOMES = RetryPolicy(1, OUTCOME_RETRY_FIRST_MS, OUTCOME_RETRY_MAX_MS)
"""Of the last two only the waits count: planning is bounded by time, and outcomes are published until they are
published."""


def backoff_ms(policy: RetryPolicy, number: int, salt: str, *, at_least_ms: int = 0) -> int:
    """Return how long to wait after the `number`-th try (from 1), in milliseconds.

    ``first_ms * 2**(number - 1)``, at most ``max_ms``, shortened by up to `RETRY_JITTER_PERCENT` percent; the share is
    a hash of salt and number, so that a herd spreads out and a replay waits exactly as long. `at_least_ms` is what
    the other side asked for, honoured up to ten times the policy's own bound.
    """
    full = min(policy.max_ms, policy.first_ms << min(number - 1, 40))
    share = int.from_bytes(hashlib.sha256(f"{salt}#{number}".encode()).digest()[:4], "big") / 2**32
    shortened = full - int(full * share * RETRY_JITTER_PERCENT / 100)
    return max(shortened, min(at_least_ms, policy.max_ms * 10))


def is_over(workflow: Workflow, task: Task, side: Side) -> bool:
    """Tell whether the task is not to be done any more: what is still asked about it only serves its undoing."""
    return side == "do" and (workflow.winding_up is not None or task.undoing)


def learns_by_repeating(task: Task) -> bool:
    """Tell whether the fate of a lost call is found out by making it again, under its key, so as to undo it then.

    So where there is no lookup: the agent returns its first answer, or does now what can be undone right away.
    """
    return task.terms.idempotent and task.terms.lookup is None and task.terms.compensate is not None


def policy_of(task: Task, side: Side) -> RetryPolicy:
    """Return how often a call may be made: as the catalogue says to do it, long and patiently to undo it."""
    if side == "do" and not task.undoing:
        return task.terms.retry
    return RetryPolicy(UNDO_ATTEMPTS_MAX, max(task.terms.retry.first_ms, 1), UNDO_RETRY_MAX_MS)


def refusals_of(task: Task, side: Side) -> RetryPolicy:
    """Return how often a call may fail to reach its agent: an agent that is away for hours leaves nothing undone."""
    return REFUSALS if side == "do" and not task.undoing else PATIENT_REFUSALS


def may_call_again(workflow: Workflow, task: Task, side: Side, *, counted: bool = True) -> bool:
    """Tell whether a call has attempts left; those that do not count against the agent have a patient budget.

    `counted` says whether the attempt that has just ended does.
    """
    if is_over(workflow, task, side) and not (task.undoing and learns_by_repeating(task)):
        return False
    call = task.call(side)
    reached = call.reached if counted else call.reached - 1
    return reached < policy_of(task, side).attempts and call.refusals < REFUSALS.attempts


def lookups_of(*, patient: bool) -> RetryPolicy:
    """Return how often the fate of a call is asked after; patiently once the workflow only wants to be undone."""
    return PATIENT_LOOKUPS if patient else LOOKUPS


def call_salt(workflow_id: str, task_id: str, side: Side, call: Call) -> str:
    """Return what spreads this call's waits: its identity."""
    return f"{workflow_id}/{task_id}/{side}/{call.purpose}"
