"""The life of a call: granted a slot, dispatched, ended, lost, looked up, made again, given up.

The same decisions serve the call that does a task and the call that undoes it; where they differ, `side` says how:
a task that cannot be done fails (and the workflow with it, unless it is optional), a task that cannot be undone stands
(and a person is told).

Unknown is not failed (law 4). A lost call with an effect is looked up when its action has a lookup; without one, it is
made again under the same key when the agent honours keys; otherwise it is given up as unresolved.
"""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject, packed
from jada_orchestrator.domain.events import Side
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import APPROVAL_WAIT_MAX_MS
from jada_orchestrator.domain.members import BACKING_OFF, CALLING, LOOKING_UP, LOOKUP_READY, LOST, READ, READY
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import IN_FLIGHT_PHASES, Task, Workflow
from jada_orchestrator.engine.branches import as_called_now, outputs_for
from jada_orchestrator.engine.ending import tell
from jada_orchestrator.engine.holds import outgrown, refresh_expired
from jada_orchestrator.engine.house import is_house
from jada_orchestrator.engine.keys import attempt_key, call_key, compensation_of, terms_of_call, terms_of_side
from jada_orchestrator.engine.lookups import look_up_or_give_up, lookup_ended
from jada_orchestrator.engine.money import NeedsApproval, check_commit
from jada_orchestrator.engine.retry import backoff_ms, call_salt, may_call_again, policy_of, refusals_of
from jada_orchestrator.engine.revising import is_held_back
from jada_orchestrator.planning import faults_in, resolve_compensation, resolve_input

INTERRUPTED = Failure("INTERRUPTED", "the orchestrator stopped while the call was under way")
TIMED_OUT = Failure("TIMEOUT", "no answer came before the attempt's deadline")


# --- Granted a slot ------------------------------------------------------------------------------------------------


def slot_granted(workflow: Workflow, event: e.SlotGranted, now: UtcMs, catalogue: Catalogue) -> list[Record]:
    """Start the attempt or lookup that waits for a slot, if it still does and may go."""
    task = workflow.tasks.get(event.task_id)
    if task is None or (event.task_id, event.side) not in workflow.grantable:
        return []
    if is_house(task) or is_held_back(workflow, task, event.side):
        return []
    call = task.call(event.side)
    if call.phase is LOOKUP_READY:
        key = call_key(workflow, task, event.side)
        return [_started(workflow, task, event.side, {"idempotency_key": key}, now)]
    if call.input_text is not None:  # made before: every attempt sends the same
        return [_started(workflow, task, event.side, None, now)]
    call_input = _resolve(workflow, task, event.side, catalogue)
    if isinstance(call_input, tuple):
        return [_unresolvable(task, event.side, call_input)]
    if event.side == "do":
        held = refresh_expired(workflow, task, now) or _hold_commit(workflow, task, call_input, now)
        if held is not None:
            return held
    return [_started(workflow, task, event.side, call_input, now)]


def _resolve(workflow: Workflow, task: Task, side: Side, catalogue: Catalogue) -> JsonObject | tuple[Fault, ...]:
    assert workflow.request is not None, "a workflow with tasks has a request"
    if side == "do":
        planned = as_called_now(workflow, task.planned)
        if isinstance(planned, tuple):
            return planned
        outputs = outputs_for(workflow, planned)
        return resolve_input(planned, outputs, workflow.request, catalogue.actions.get(task.terms.action))
    key = call_key(workflow, task, "do")
    return resolve_compensation(compensation_of(task), input=task.do.input or {}, output=task.output, key=key)


def _unresolvable(task: Task, side: Side, faults: tuple[Fault, ...]) -> Record:
    failure = Failure("INPUT_UNRESOLVED", "; ".join(str(fault) for fault in faults))
    if side == "undo":
        return r.TaskStands(task.planned.id, failure)
    return r.TaskFailed(task.planned.id, "call", 0, failure)


def _hold_commit(workflow: Workflow, task: Task, call_input: JsonObject, now: UtcMs) -> list[Record] | None:
    """Return what stops a commit that the request's bounds do not allow (yet); None when it may go."""
    checked = check_commit(workflow, task, call_input)
    if checked is None:
        return None
    if isinstance(checked, NeedsApproval):
        if workflow.approval is not None:
            return []  # one question at a time; this commit asks again once that one is answered
        expires_at = UtcMs(now + APPROVAL_WAIT_MAX_MS)
        return [
            r.ApprovalRequested(checked.task_id, checked.total.to_json(), expires_at),
            tell(workflow, "awaiting_approval"),
        ]
    return [r.TaskFailed(task.planned.id, "call", 0, checked)]


def _started(workflow: Workflow, task: Task, side: Side, call_input: JsonObject | None, now: UtcMs) -> Record:
    call = task.call(side)
    purpose = call.purpose
    deadline = UtcMs(now + terms_of_call(workflow, task, side, purpose).timeout_ms)
    bound = workflow.request.constraints.deadline if workflow.request is not None else None
    if bound is not None and side == "do" and purpose == "call" and workflow.winding_up is None:
        deadline = min(deadline, bound)
    number = (call.lookups if purpose == "lookup" else call.attempts) + 1
    told = None if call_input is None else packed(call_input)
    return r.AttemptStarted(task.planned.id, side, purpose, number, told, deadline)


# --- Ended ---------------------------------------------------------------------------------------------------------


def attempt_ended(workflow: Workflow, event: e.AttemptEnded, now: UtcMs, catalogue: Catalogue) -> list[Record]:
    """Decide what the end of an attempt means; a straggler that is not the one in flight means nothing."""
    task = workflow.tasks.get(event.task_id)
    if task is None or workflow.is_terminal or not _is_current(task, event):
        return []
    result = _checked(workflow, task, event, catalogue)
    if event.purpose == "lookup":
        return _found_out(workflow, task, lookup_ended(workflow, task, event.side, result, now))
    match result:
        case e.Succeeded(output):
            return _succeeded(workflow, task, event, output)
        case e.Failed():
            return [_failed(workflow, task, event.side, result, event.usage, now)]
        case e.Lost(failure):
            return [_lost(workflow, task, event.side, failure, now)]
        case _:
            assert_never(result)


def reply_arrived(workflow: Workflow, event: e.ReplyArrived, now: UtcMs, catalogue: Catalogue) -> list[Record]:
    """Match a worker's reply to the call that it answers; a reply under an unknown key means nothing."""
    task = workflow.tasks.get(event.task_id)
    if task is None:
        return []
    revision = task.planned.revision  # which the key tells
    for side in _SIDES:
        call = task.call(side)
        if event.idempotency_key == call_key(workflow, task, side):
            ended = e.AttemptEnded(event.task_id, side, "call", event.attempt, revision, event.result, event.usage)
            return attempt_ended(workflow, ended, now, catalogue)
        if call.lookups and event.idempotency_key == attempt_key(workflow, task, side, "lookup", call.lookups):
            # Each lookup has a key of its own and goes out as attempt 1 of it.
            ended = e.AttemptEnded(event.task_id, side, "lookup", call.lookups, revision, event.result, event.usage)
            return attempt_ended(workflow, ended, now, catalogue)
    return []


_SIDES: tuple[Side, ...] = ("do", "undo")


def _checked(workflow: Workflow, task: Task, event: e.AttemptEnded, catalogue: Catalogue) -> e.AttemptResult:
    """Return the result, or `Lost` when an answer breaks the schema: the effect stands, but nobody can read it."""
    if isinstance(event.result, e.Failed) and event.result.answered and event.result.failure.code == "BAD_OUTPUT":
        return e.Lost(event.result.failure)  # the agent's own kit found it: the agent did run
    if isinstance(event.result, e.Failed) and event.result.failure.code == "DEADLINE_PASSED":
        terms = terms_of_call(workflow, task, event.side, event.purpose)
        if terms.via == "sqs" and terms.effect is not READ:
            # A queue delivers more than once: an earlier delivery of this very attempt may have had its effect.
            return e.Lost(event.result.failure)
        # This attempt was refused before the agent saw it, which tells nothing of earlier attempts under the same key.
        return replace(event.result, retryable=True, answered=False)
    if not isinstance(event.result, e.Succeeded):
        return event.result
    terms = terms_of_side(workflow, task, event.side)
    answer, action = event.result.output, catalogue.actions.get(terms.action)
    if event.purpose == "lookup":
        if answer.get("state") != "succeeded":
            return event.result
        answer = answer.get("output")  # type: ignore[assignment] # whatever it is, the schema says whether it will do
    faults = faults_in(action.output_schema, answer, "output") if action is not None else ()
    if not faults:
        return event.result
    return e.Lost(Failure("BAD_OUTPUT", "; ".join(str(fault) for fault in faults)))


def _is_current(task: Task, event: e.AttemptEnded) -> bool:
    """Fence stragglers by revision and attempt number (law 5); late answers are welcome where a fate is unknown."""
    if event.revision != task.planned.revision:
        return False
    call = task.call(event.side)
    if event.purpose == "lookup":
        return call.phase is LOOKING_UP and event.number == call.lookups
    if event.number != call.attempts:
        return False
    if call.phase is CALLING:
        return True
    return call.maybe and call.phase in _AWAITS_TRUTH and not isinstance(event.result, e.Lost)


_AWAITS_TRUTH = frozenset({LOST, LOOKUP_READY, LOOKING_UP, BACKING_OFF, READY})


def _succeeded(workflow: Workflow, task: Task, event: e.AttemptEnded, output: JsonObject) -> list[Record]:
    if event.side == "undo":
        return [r.TaskCompensated(task.planned.id, "call", event.number)]
    succeeded = r.TaskSucceeded(task.planned.id, "call", event.number, packed(output), event.usage)
    return [succeeded, *outgrown(workflow, task, output)]


def _found_out(workflow: Workflow, task: Task, record: Record) -> list[Record]:
    """What a lookup found to be done is as good as an answer: a renewal is compared with what was done before it."""
    if not isinstance(record, r.TaskSucceeded):
        return [record]
    return [record, *outgrown(workflow, task, record.output.opened())]


def _failed(workflow: Workflow, task: Task, side: Side, result: e.Failed, usage: Usage | None, now: UtcMs) -> Record:
    """A known failure: try again, or be done with it."""
    task_id, call = task.planned.id, task.call(side)
    final = not result.retryable
    if not final and may_call_again(workflow, task, side, counted=result.answered):
        policy = policy_of(task, side) if result.answered else refusals_of(task, side)
        tries = call.reached if result.answered else call.refusals + 1
        salt = call_salt(workflow.workflow_id, task_id, side, call)
        wait_ms = backoff_ms(policy, max(tries, 1), salt, at_least_ms=result.retry_after_ms or 0)
        until = UtcMs(now + wait_ms)
        return r.TaskBackedOff(task_id, side, "call", call.attempts, result.failure, until, counted=result.answered)
    told = final and result.answered  # by its idempotency, the agent speaks for earlier attempts, too
    if side == "undo":
        return r.TaskStands(task_id, result.failure)
    if call.maybe and not told:
        return look_up_or_give_up(workflow, task, side, result.failure, now)
    return r.TaskFailed(task_id, "call", call.attempts, result.failure, usage)


def _lost(workflow: Workflow, task: Task, side: Side, failure: Failure, now: UtcMs) -> Record:
    """Nobody knows. Reads are simply made again; anything else is found out first."""
    if terms_of_side(workflow, task, side).effect is READ:
        return _failed(workflow, task, side, e.Failed(failure, retryable=True, answered=True), None, now)
    return look_up_or_give_up(workflow, task, side, failure, now)


# --- The process began anew ----------------------------------------------------------------------------------------


def resumed(workflow: Workflow, now: UtcMs) -> list[Record]:
    """Everything that was in flight when the process ended is lost, except what is safe to put into a queue again.

    A read for an SQS worker that honours keys keeps its attempt: it is sent once more, with the same number and key
    (the queue may double messages anyway), and an answer to the first sending is as good as one to the second. With an
    effect it would not be: "busy", said to the first sending, tells nothing of what the second one does.
    """
    records: list[Record] = []
    for task_id, side in workflow.active:
        task = workflow.tasks[task_id]
        call = task.call(side)
        terms = terms_of_call(workflow, task, side, call.purpose)
        kept = terms.via == "sqs" and terms.idempotent and terms.effect is READ
        # What has little time left was kept from being answered by our own absence: that must not count as a silence.
        if kept and call.phase is not LOOKING_UP and now + terms.timeout_ms // 2 <= call.deadline:
            continue
        records.append(_interrupted(workflow, task, side, now))
    return records


def _interrupted(workflow: Workflow, task: Task, side: Side, now: UtcMs) -> Record:
    """Take up a call that our own end cut off: nobody failed, so what changes nothing is asked again at once."""
    task_id, call = task.planned.id, task.call(side)
    if call.phase is LOOKING_UP:
        return r.LookupEnded(task_id, side, call.lookups, INTERRUPTED, "lookup", now, cleared=False, counted=False)
    if terms_of_side(workflow, task, side).effect is not READ:
        return look_up_or_give_up(workflow, task, side, INTERRUPTED, now, counted=False)
    if may_call_again(workflow, task, side, counted=False):
        return r.TaskBackedOff(task_id, side, "call", call.attempts, INTERRUPTED, now, counted=False)
    return _failed(workflow, task, side, e.Failed(INTERRUPTED, retryable=True, answered=False), None, now)


def overdue(workflow: Workflow, task: Task, side: Side, now: UtcMs) -> Record:
    """An attempt's deadline passed without any answer."""
    call = task.call(side)
    assert call.phase in IN_FLIGHT_PHASES, f"{task.planned.id} is not in flight"
    if call.phase is LOOKING_UP:
        return lookup_ended(workflow, task, side, e.Lost(TIMED_OUT), now)
    return _lost(workflow, task, side, TIMED_OUT, now)
