"""What is shown of a workflow: the contract's JSON of `jada show`, made from the journal alone.

Pure: a fold and a walk over the same entries.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.workflow import Phase, Status, Task, Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.dispatching import first_call
from jada_orchestrator.engine.house import approval_of, open_approvals
from jada_orchestrator.engine.outcomes import model_of, standing_effects
from jada_orchestrator.engine.story import tell_entry
from jada_orchestrator.ports.journal import Head, Stored


@dataclass(slots=True)
class Attempt:
    """One dispatch of a task's own action; `outcome` is None while it is in flight."""

    number: int
    started_at: UtcMs
    ended_at: UtcMs | None = None
    outcome: str | None = None
    """``succeeded``, ``failed`` or ``unknown``."""
    failure: Failure | None = None

    def to_json(self) -> JsonObject:
        """Return the attempt as the contract has it."""
        return {
            "number": self.number,
            "started_at": format_instant(self.started_at),
            "ended_at": _instant(self.ended_at),
            "outcome": self.outcome,
            "error": None if self.failure is None else self.failure.to_json(),
        }


@dataclass(slots=True)
class Seen:
    """A workflow as people see it: its state, and when each task was tried, done and undone."""

    workflow: Workflow
    attempts: dict[TaskId, list[Attempt]] = field(default_factory=dict)
    undo_started: dict[TaskId, UtcMs] = field(default_factory=dict)
    undo_ended: dict[TaskId, UtcMs] = field(default_factory=dict)
    found_at: dict[TaskId, UtcMs] = field(default_factory=dict)
    """When a lookup settled what had become of a task."""
    adopted_at: UtcMs | None = None
    """When the present plan was adopted."""
    wound_up_at: UtcMs | None = None
    """When it was decided to undo what was done."""

    def started_at(self, task_id: TaskId) -> UtcMs | None:
        """Return when a task was first dispatched."""
        attempts = self.attempts.get(task_id)
        return attempts[0].started_at if attempts else None

    def ended_at(self, task_id: TaskId) -> UtcMs | None:
        """Return when a task's own call was over, by its answer or by a lookup."""
        attempts = self.attempts.get(task_id)
        return self.found_at.get(task_id) or (attempts[-1].ended_at if attempts else None)


def see(stored: Stored) -> Seen:
    """Return a stored workflow as people see it."""
    seen = Seen(fold(stored.workflow_id, stored.entries))
    for entry in stored.entries:
        _note(seen, entry.at, entry.record)
    for task_id, task in seen.workflow.tasks.items():
        if task.do.phase is Phase.SKIPPED and seen.wound_up_at is not None:
            # A read that was in flight when undoing began: nobody waited for its answer any more.
            _end(seen, task_id, seen.wound_up_at, "unknown", None)
    return seen


def show(seen: Seen) -> JsonObject:
    """Return the JSON of ``jada show``, to the contract's letter.

    While the workflow waits for a person, `questions` or `approval` is there as well: what it waits for. Once a call
    has gone out, `first_call` says how soon. Where a person dealt with what stood, `settled_by` names who; of
    one that was retired, `retired` says when, and how many records it had.
    """
    workflow = seen.workflow
    plan = None
    if workflow.plan is not None:
        tasks = [_task(seen, task) for task in workflow.tasks.values()]
        plan = {"revision": workflow.revision, "tasks": tasks}
    shown: JsonObject = {
        "workflow_id": workflow.workflow_id,
        "request_id": workflow.request_id,
        "tenant": workflow.tenant,
        "status": workflow.status.value,
        "model": model_of(workflow),
        "created_at": format_instant(workflow.created_at),
        "finished_at": _instant(workflow.finished_at),
        "plan": plan,
        "cost": workflow.usage.to_json(),
        "result": workflow.result,
        "error": _error(workflow),
    }
    if questions_of(workflow):
        shown["questions"] = list(questions_of(workflow))
    asking = [] if workflow.is_terminal else open_approvals(workflow)
    if asking:
        shown["approvals"] = [approval_of(workflow, task_id) for task_id in asking]
    if workflow.status is Status.AWAITING_APPROVAL and workflow.approval is not None:
        shown["approval"] = {"amount": workflow.approval.amount.to_json(), "task_id": workflow.approval.task_id}
    if workflow.settled is not None:
        shown["settled_by"] = workflow.settled
    if workflow.retired is not None:
        at = format_instant(workflow.retired.retired_at)
        shown["retired"] = {"at": at, "records": workflow.retired.records}
    if first := first_call_of(workflow):
        shown["first_call"] = first
    return shown


def questions_of(workflow: Workflow) -> tuple[str, ...]:
    """Return the questions that wait for a person: an answer, or an approval of undoing what was done."""
    if workflow.undo_question is not None:
        why = workflow.undo_question.failure.message
        return (f"The booking failed: {why}. Approve to undo everything; deny to leave what stands to a person.",)
    if workflow.status is not Status.NEEDS_CLARIFICATION or not workflow.planning.clarifications:
        return ()
    return workflow.planning.clarifications[-1].questions


def first_call_of(workflow: Workflow) -> JsonObject | None:
    """Return how soon a booking's first call went out, as ``--json`` has it; None until that is known.

    Milliseconds: from the acceptance of the request, of the plan's making, and what of that was not waited for.
    """
    first = first_call(workflow)
    if first is None:
        return None
    return {"after_ms": first.after_ms, "plan_ms": first.answer_ms, "plan_hidden_ms": first.hidden_ms}


def show_head(workflow_id: WorkflowId, head: Head) -> JsonObject:
    """Return a workflow's line of ``jada list --json``."""
    return {
        "workflow_id": workflow_id,
        "request_id": head.request_id,
        "tenant": head.tenant,
        "status": head.status,
        "model": head.model,
        "created_at": format_instant(head.created_at),
        "finished_at": _instant(head.finished_at),
        "quarantined": head.quarantined,
        "retired": head.retired,
    }


def story(entries: Iterable[r.Entry], *, everything: bool = False) -> list[JsonObject]:
    """Return the lines of ``jada why``, oldest first; `everything` includes what only a developer asks for."""
    told: list[JsonObject] = []
    for entry in entries:
        line = tell_entry(entry)
        if everything or line.level != "debug" or isinstance(entry.record, r.AttemptStarted):
            told.append(
                {
                    "seq": entry.seq,
                    "at": format_instant(entry.at),
                    "level": line.level,
                    "event": line.event,
                    "message": line.message,
                    "task_id": line.task_id,
                    "attempt": line.attempt,
                }
            )
    return told


def _task(seen: Seen, task: Task) -> JsonObject:
    return {
        "id": task.planned.id,
        "action": task.planned.action,
        "effect": task.terms.effect.value,
        "after": list(task.planned.after),
        **({"control": task.planned.control} if task.planned.control else {}),
        "status": task.status.value,
        "attempts": [attempt.to_json() for attempt in seen.attempts.get(task.planned.id, ())],
        "output": task.output,
    }


def _error(workflow: Workflow) -> JsonObject | None:
    if workflow.quarantined is not None:
        return {"code": "QUARANTINED", "message": workflow.quarantined}
    if workflow.failure is None:
        return None
    error: JsonObject = dict(workflow.failure.to_json())
    if workflow.rejected_faults:
        error["faults"] = [
            {"code": fault.code, "where": fault.where, "message": fault.message} for fault in workflow.rejected_faults
        ]
    standing = standing_effects(workflow)
    if standing:
        error["standing"] = standing
    return error


def _note(seen: Seen, at: UtcMs, record: r.Record) -> None:
    """Note when something was tried and how that ended; most records tell nothing of it."""
    match record:
        case r.PlanAdopted():
            seen.adopted_at = at
        case r.CompensationStarted():
            seen.wound_up_at = at
        case r.AttemptStarted(side="do", purpose="call"):
            seen.found_at.pop(record.task_id, None)
            seen.attempts.setdefault(record.task_id, []).append(Attempt(record.number, at))
        case r.TaskBackedOff(side="do", purpose="call"):
            _end(seen, record.task_id, at, "failed", record.failure)
        case r.AttemptLost(side="do"):
            _end(seen, record.task_id, at, "unknown", record.failure)
        case r.TaskSucceeded(purpose="call"):
            _end(seen, record.task_id, at, "succeeded", None)
        case r.TaskFailed(purpose="call") if record.number:
            _end(seen, record.task_id, at, "failed", record.failure)
        case r.TaskSucceeded() | r.TaskFailed(purpose="lookup"):
            seen.found_at[record.task_id] = at
        case r.TaskUnresolved():
            _end(seen, record.task_id, at, "unknown", record.failure)
        case r.UndoStarted():
            seen.undo_started[record.task_id] = at
        case r.TaskCompensated() | r.TaskStands():
            seen.undo_ended[record.task_id] = at
        case _:
            pass


def _end(seen: Seen, task_id: TaskId, at: UtcMs, outcome: str, failure: Failure | None) -> None:
    attempts = seen.attempts.get(task_id)
    if attempts and attempts[-1].outcome is None:
        attempts[-1].ended_at, attempts[-1].outcome, attempts[-1].failure = at, outcome, failure


def _instant(at: UtcMs | None) -> str | None:
    return None if at is None else format_instant(at)
