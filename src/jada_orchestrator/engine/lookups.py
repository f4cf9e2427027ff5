"""Finding out what became of a call whose answer never came.

The catalogue's `lookup` action is asked by idempotency key and answers
``{"state": "succeeded" | "failed" | "absent" | "pending", "output": {...}, "error": {"code", "message"}}``.
``absent`` is believed only of a lookup that was begun when no lost attempt could still be running (`Call.settled_by`):
when its answer comes says nothing of when it was true. Otherwise the call may be made again under the same key, or the
question is put again, later or at once.
"""

from __future__ import annotations

from typing import assert_never

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject, packed
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Task, Workflow
from jada_orchestrator.engine.keys import terms_of_call, terms_of_side
from jada_orchestrator.engine.retry import backoff_ms, call_salt, is_over, lookups_of, may_call_again, policy_of


def look_up_or_give_up(
    workflow: Workflow, task: Task, side: Side, failure: Failure, now: UtcMs, *, counted: bool = True
) -> Record:
    """Decide what follows when a call with an effect is lost: look it up, make it again under its key, or give up.

    `counted` is false for one that our own end cut off: it is looked up at once, and uses up none of the agent's tries.
    """
    task_id, call = task.planned.id, task.call(side)
    terms = terms_of_side(workflow, task, side)
    if terms.lookup is not None:
        policy = lookups_of(patient=_is_patient(workflow, task, side))
        wait_ms = backoff_ms(policy, 1, call_salt(workflow.workflow_id, task_id, side, call)) if counted else 0
        return r.AttemptLost(task_id, side, call.attempts, failure, "lookup", UtcMs(now + wait_ms), counted)
    if terms.idempotent and may_call_again(workflow, task, side, counted=counted):
        until = _next_call(workflow, task, side, now)
        return r.AttemptLost(task_id, side, call.attempts, failure, "call", until, counted)
    if side == "undo":
        return r.TaskStands(task_id, Failure("UNRESOLVED", f"nobody knows whether it was undone: {failure.message}"))
    if task.undoing:
        return r.TaskStands(task_id, Failure("UNRESOLVED", f"nobody knows what became of it: {failure.message}"))
    return r.TaskUnresolved(task_id, "call", call.attempts, failure)


def _is_patient(workflow: Workflow, task: Task, side: Side) -> bool:
    return side == "undo" or is_over(workflow, task, side)


def _next_call(workflow: Workflow, task: Task, side: Side, now: UtcMs) -> UtcMs:
    call = task.call(side)
    salt = call_salt(workflow.workflow_id, task.planned.id, side, call)
    return UtcMs(now + backoff_ms(policy_of(task, side), max(call.reached, 1), salt))


def lookup_ended(workflow: Workflow, task: Task, side: Side, result: e.AttemptResult, now: UtcMs) -> Record:
    """Decide what a lookup's answer, or its own failure, means for the call that it asked about."""
    match result:
        case e.Succeeded(answer):
            return _answered(workflow, task, side, answer, now)
        case e.Failed(failure) | e.Lost(failure):
            return _ask_again(workflow, task, side, failure, now)
        case _:
            assert_never(result)


def _answered(workflow: Workflow, task: Task, side: Side, answer: JsonObject, now: UtcMs) -> Record:
    task_id, number = task.planned.id, task.call(side).lookups
    state = answer.get("state")
    if state == "succeeded":
        if side == "undo":
            return r.TaskCompensated(task_id, "lookup", number)
        output = answer.get("output")
        if isinstance(output, dict):
            return r.TaskSucceeded(task_id, "lookup", number, packed(output))
        return _ask_again(workflow, task, side, _unusable("it says succeeded, but gives no output object"), now)
    if state == "failed":
        return _found_failed(workflow, task, side, _error_of(answer), now)
    if state == "absent":
        return _found_absent(workflow, task, side, now)
    if state == "pending":
        return _ask_again(workflow, task, side, Failure("PENDING", "the agent is still at it"), now)
    return _ask_again(workflow, task, side, _unusable(f"its state is {repr(state)[:60]}"), now)


def _unusable(why: str) -> Failure:
    return Failure("BAD_LOOKUP", f"the lookup's answer cannot be used: {why}")


def _error_of(answer: JsonObject) -> Failure:
    error = answer.get("error")
    if isinstance(error, dict):
        return Failure.told_by_agent("FAILED", error.get("code"), error.get("message"))
    return Failure("FAILED", "the agent says that the call failed, and gives no reason")


def _found_failed(workflow: Workflow, task: Task, side: Side, failure: Failure, now: UtcMs) -> Record:
    """The agent knows the call, and that it failed: its first answer would be given again, so it is final."""
    if side == "undo":
        return r.TaskStands(task.planned.id, failure)
    del workflow, now
    return r.TaskFailed(task.planned.id, "lookup", task.do.lookups, failure)


def _found_absent(workflow: Workflow, task: Task, side: Side, now: UtcMs) -> Record:
    """The agent had not seen the call when it was asked; the truth if no lost one could be on its way then."""
    task_id, call = task.planned.id, task.call(side)
    terms = terms_of_side(workflow, task, side)
    # By the clock of when it was decided; the instant of its entry is a later one where the clock has gone back.
    asked_at = call.deadline - terms_of_call(workflow, task, side, "lookup").timeout_ms
    truth = asked_at >= call.settled_by
    why = call.failure or Failure("ABSENT", "the agent never saw the call")
    if may_call_again(workflow, task, side) and (truth or terms.idempotent):
        until = _next_call(workflow, task, side, now)
        return r.LookupEnded(task_id, side, call.lookups, why, "call", until, cleared=truth)
    if not truth:
        return r.LookupEnded(task_id, side, call.lookups, why, "lookup", call.settled_by, cleared=False)
    if side == "undo":
        return r.TaskStands(task_id, why)
    return r.TaskFailed(task_id, "lookup", call.lookups, why)


def _ask_again(workflow: Workflow, task: Task, side: Side, failure: Failure, now: UtcMs) -> Record:
    task_id, call = task.planned.id, task.call(side)
    patient = _is_patient(workflow, task, side)
    policy = lookups_of(patient=patient)
    then: Purpose = "lookup"
    asked = call.lookups - call.lookups_before
    if asked < policy.attempts:
        until = UtcMs(now + backoff_ms(policy, max(asked, 1), call_salt(workflow.workflow_id, task_id, side, call)))
        return r.LookupEnded(task_id, side, call.lookups, failure, then, until, cleared=False)
    if terms_of_side(workflow, task, side).idempotent and may_call_again(workflow, task, side):
        until = _next_call(workflow, task, side, now)
        return r.LookupEnded(task_id, side, call.lookups, failure, "call", until, cleared=False)
    if patient:
        return r.TaskStands(task_id, Failure("UNRESOLVED", f"nobody knows what became of it: {failure.message}"))
    return r.TaskUnresolved(task_id, "lookup", call.lookups, failure)
