"""The story of a booking: one sentence for each record, for the log and for `jada why`.

Every record class has its line, its level and its stable event name in one table; a test proves that none is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.instants import format_instant
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.records import Entry, Record
from jada_orchestrator.domain.template import TEMPLATE_MODEL

Level = Literal["debug", "info", "warning", "error", "critical"]


class Line(NamedTuple):
    """One line of a story. `task_id` and `attempt` are None where the line is about the whole workflow."""

    level: Level
    event: str
    message: str
    task_id: str | None
    attempt: int | None


def level_of(record: Record) -> Level:
    """Return how loud a record's line is."""
    return _LINES[type(record)][0]


def tell_entry(entry: Entry) -> Line:
    """Return the line that an entry adds to its workflow's story."""
    record = entry.record
    level, event, sentence = _LINES[type(record)]
    return Line(
        level, event, sentence(record), getattr(record, "task_id", None), getattr(record, "number", None) or None
    )


def _what(record: r.AttemptStarted | r.TaskBackedOff) -> str:
    if record.purpose == "lookup":
        return f"lookup {record.number} of {_doing(record.side)} {record.task_id}"
    return f"attempt {record.number} at {_doing(record.side)} {record.task_id}"


def _doing(side: str) -> str:
    return "doing" if side == "do" else "undoing"


def _accepted(record: r.WorkflowAccepted) -> str:
    """Without words of a traveller's own, the names of the fields: their values are nobody's business in a log."""
    request = record.request
    wish = f'"{request.text[:200]}"' if request.text else f"a booking by {', '.join(request.booking or ())[:200]}"
    return f"Accepted from {request.tenant}: {wish}"


def _rejected(record: r.WorkflowRejected) -> str:
    return f"Rejected ({record.code}): " + "; ".join(str(fault) for fault in record.faults)


def _adopted(record: r.PlanAdopted) -> str:
    tasks = record.plan.tasks
    notes = f" ({'; '.join(record.plan.notes)})" if record.plan.notes else ""
    retired = record.plan.retired
    given_up = f"; given up: {', '.join(task.id for task in retired)}" if retired else ""
    names = ", ".join(task.id for task in tasks)
    return f"Adopted plan {record.revision} with {len(tasks)} tasks: {names}{given_up}{notes}"


def _answered(record: r.PlannerAnswered) -> str:
    if record.model == TEMPLATE_MODEL:
        return f"A template answered question {record.call} instead of a model, for nothing"
    cost = f"{record.usage.usd} USD" if record.usage.usd is not None else "unknown cost"
    tokens = f"{record.usage.total_input_tokens} tokens in, {record.usage.output_tokens} out"
    return f"{record.model} answered question {record.call} in {record.latency_ms} ms ({tokens}, {cost})"


def _lost(record: r.AttemptLost) -> str:
    then = "its fate is looked up" if record.then == "lookup" else "it is called again under the same key"
    return f"Nobody knows what became of {_doing(record.side)} {record.task_id}: {record.failure.message}; {then}"


def _lookup_ended(record: r.LookupEnded) -> str:
    then = "asked again" if record.then == "lookup" else "called again under the same key"
    known = "it is certain that nothing was done" if record.cleared else record.failure.message
    return f"Lookup {record.number} of {_doing(record.side)} {record.task_id}: {known}; {then}"


def _by(record: r.TaskSucceeded | r.TaskCompensated) -> str:
    return " (found by a lookup)" if record.purpose == "lookup" else ""


def _expanded(record: r.TaskExpanded) -> str:
    count = len(record.items)
    if not count:
        return f"{record.task_id} has an empty list: nothing is to be called"
    return f"{record.task_id} is called {count} time{'s' if count > 1 else ''}, once for each item of its list"


def _awaiting(record: r.AwaitStarted) -> str:
    until = format_instant(record.until)
    if "question" in record.input:
        return f"{record.task_id} asks a person, until {until}: {record.input['question']}"
    return f"{record.task_id} waits until {until}"


def _ended(record: r.WorkflowEnded) -> str:
    because = f": {record.failure.message} [{record.failure.code}]" if record.failure is not None else ""
    return f"Ended as {record.status}{because}"


def _retired(record: r.WorkflowRetired) -> str:
    return f"Ended as {record.status}, and was retired: this stands for its {record.records} records, which are deleted"


def _approval(record: r.ApprovalRequested) -> str:
    amount = Money.parse(record.amount)
    return f"A person must approve {amount} for {record.task_id}, before {format_instant(record.expires_at)}"


_LINES: dict[type[Record], tuple[Level, str, Callable[[Any], str]]] = {
    r.WorkflowAccepted: ("info", "workflow.accepted", _accepted),
    r.WorkflowRejected: ("warning", "workflow.rejected", _rejected),
    r.PlanningStarted: ("debug", "planning.asked", lambda x: f"Asking the planner (question {x.call})"),
    r.PlannerAnswered: ("info", "planning.answered", _answered),
    r.ProposalFaulted: (
        "warning",
        "planning.faulted",
        lambda x: f"The proposal has {len(x.faults)} faults, sent back: " + "; ".join(map(str, x.faults)),
    ),
    r.PlannerBackedOff: (
        "warning",
        "planning.backed_off",
        lambda x: f"No plan yet: {x.failure.message} [{x.failure.code}]; asking again at {format_instant(x.until)}",
    ),
    r.PlannerGaveUp: (
        "error",
        "planning.gave_up",
        lambda x: f"The planner is not asked again: {x.failure.message} [{x.failure.code}]",
    ),
    r.ModelRaised: (
        "warning",
        "planning.model_raised",
        lambda x: f"{x.model} is asked from now on, because of {'a refusal' if x.reason == 'refusal' else 'faults'}",
    ),
    TaskForeseen: (
        "debug",
        "task.foreseen",
        lambda x: f"{x.task.id} ({x.task.action}) only reads and is complete: it may start before the plan is",
    ),
    r.PlanAdopted: ("info", "plan.adopted", _adopted),
    r.RevisionAsked: (
        "warning",
        "revision.asked",
        lambda x: (
            f"{', '.join(x.tasks)} failed in a way that another plan may get round [{x.failure.code}]; once nothing is "
            f"under way, the planner is asked for revision {x.number}"
        ),
    ),
    r.RevisionGivenUp: (
        "warning",
        "revision.given_up",
        lambda x: f"No revision comes: {x.failure.message} [{x.failure.code}]",
    ),
    r.ClarificationAsked: ("info", "clarification.asked", lambda x: "Asked: " + " ".join(x.questions)),
    r.ClarificationAnswered: ("info", "clarification.answered", lambda x: f"{x.by} answered: {x.answer}"),
    r.AttemptStarted: ("debug", "attempt.started", lambda x: f"Started {_what(x)}"),
    r.TaskBackedOff: (
        "warning",
        "attempt.failed",
        lambda x: f"Failed {_what(x)}: {x.failure.message} [{x.failure.code}]; again at {format_instant(x.until)}",
    ),
    r.AttemptLost: ("warning", "attempt.lost", _lost),
    r.LookupEnded: ("warning", "lookup.inconclusive", _lookup_ended),
    r.CallDue: ("debug", "call.due", lambda x: f"The wait for {x.task_id} is over"),
    r.TaskSucceeded: ("info", "task.succeeded", lambda x: f"{x.task_id} succeeded{_by(x)}"),
    r.TaskFailed: ("warning", "task.failed", lambda x: f"{x.task_id} failed: {x.failure.message} [{x.failure.code}]"),
    r.TaskUnresolved: (
        "error",
        "task.unresolved",
        lambda x: f"{x.task_id} is given up, and nobody knows whether it was done: {x.failure.message}",
    ),
    r.TaskSkipped: ("info", "task.skipped", lambda x: f"{x.task_id} is skipped: {x.reason}"),
    r.BranchTaken: ("info", "task.taken", lambda x: f"{x.task_id} is to be called: {x.reason}"),
    r.TaskExpanded: ("info", "task.expanded", _expanded),
    r.TaskJoined: ("info", "task.joined", lambda x: f"All calls of {x.task_id} are over"),
    r.CompensationStarted: (
        "warning",
        "compensation.started",
        lambda x: f"Undoing what was done, because {x.failure.message} [{x.failure.code}]",
    ),
    r.UndoStarted: ("info", "undo.started", lambda x: f"Undoing {x.task_id}"),
    r.RefreshStarted: ("warning", "hold.expired", lambda x: f"{x.task_id} ran out before it was used; reserving anew"),
    r.TaskCompensated: ("info", "task.compensated", lambda x: f"{x.task_id} is undone{_by(x)}"),
    r.TaskStands: (
        "error",
        "task.stands",
        lambda x: f"{x.task_id} could not be undone and stands: {x.failure.message} [{x.failure.code}]",
    ),
    r.ChoiceAnswered: (
        "info",
        "choice.answered",
        lambda x: (
            f"{x.model} chose for {x.task_id} in {x.latency_ms} ms: {x.text[:80]}"
            if x.failure is None
            else f"Nobody chose for {x.task_id}, so the first is taken: {x.failure.message} [{x.failure.code}]"
        ),
    ),
    r.AwaitStarted: ("info", "task.awaiting", _awaiting),
    r.CancelRequested: ("info", "cancel.requested", lambda x: f"{x.by} wants the booking cancelled"),
    r.ApprovalRequested: ("info", "approval.requested", _approval),
    r.ApprovalDecided: (
        "info",
        "approval.decided",
        lambda x: f"{'Approved' if x.granted else 'Not approved'} by {x.by}",
    ),
    r.UndoQuestionAsked: (
        "warning",
        "undo.question",
        lambda x: f"A person must decide whether to undo: {x.failure.message}; before {format_instant(x.expires_at)}",
    ),
    r.UndoQuestionAnswered: (
        "info",
        "undo.decided",
        lambda x: f"{x.by} decided to {'undo everything' if x.undo else 'leave what stands to a person'}",
    ),
    r.TaskKept: ("info", "task.kept", lambda x: f"{x.task_id} stays: it is optional, and the request allows that"),
    r.RetryStarted: ("info", "retry.started", lambda x: f"{x.by} has it go on from its failed tasks"),
    r.RetryAsked: (
        "info",
        "retry.asked",
        lambda x: (
            f"{x.by} wants it to go on from its failed tasks when its turn has come"
            if x.wanted
            else f"{x.by} does not want it to go on any more"
        ),
    ),
    r.AttentionSettled: ("info", "attention.settled", lambda x: f"{x.by} settled by hand what stood: {x.note}"),
    r.Quarantined: (
        "critical",
        "workflow.quarantined",
        lambda x: f"Set aside, because a law of ours is broken: {x.story}",
    ),
    r.Released: ("info", "workflow.released", lambda x: f"{x.by} let it go on"),
    r.OutcomeDecided: ("debug", "outcome.decided", lambda x: f"The frontend is to be told: {x.type}"),
    r.OutcomeDelivered: ("debug", "outcome.published", lambda _: "The frontend was told"),
    r.OutcomeReopened: ("info", "outcome.reopened", lambda _: "The same request came again; its outcome is told again"),
    r.DeadLetterDecided: ("warning", "dead_letter.decided", lambda x: f"To the dead-letter queue: {x.failure.message}"),
    r.DeadLetterDelivered: ("info", "dead_letter.delivered", lambda _: "The dead-letter queue has the request"),
    r.WorkflowEnded: ("info", "workflow.ended", _ended),
    r.WorkflowRetired: ("info", "workflow.retired", _retired),
}
