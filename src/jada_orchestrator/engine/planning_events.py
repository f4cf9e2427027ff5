"""What the planner's answers and failures lead to."""

from __future__ import annotations

from typing import Literal, assert_never

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import (
    CLARIFICATION_WAIT_MAX_MS,
    CLARIFICATIONS_MAX,
    CORRECTIONS_MAX,
    PLANNER_BAD_ANSWERS_MAX,
    PLANNER_STOPPED_RETRY_MS,
)
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.asking import attempt_of, is_open, planning_until, purpose_of, rung_of, stronger_model
from jada_orchestrator.engine.ending import end, end_unplanned, tell
from jada_orchestrator.engine.fold_foreseen import next_revision
from jada_orchestrator.engine.foreseeing import adopted, answers_of
from jada_orchestrator.engine.retry import PLANNER, backoff_ms
from jada_orchestrator.engine.revising import past_of
from jada_orchestrator.planning import Adopted, Clarify, Compiled, Faulted, Refuse, compile_proposal


def proposal_received(workflow: Workflow, event: e.ProposalReceived, now: UtcMs, catalogue: Catalogue) -> list[Record]:
    """Record what the model said, and adopt it, ask, refuse, or send its faults back.

    To the question for a revision only a plan is an answer: asking would take longer than reservations last.
    """
    if not is_open(workflow, event.call) or workflow.request is None:
        return []
    answered = r.PlannerAnswered(
        event.call,
        event.text,
        event.model,
        event.usage,
        event.latency_ms,
        event.first_token_ms,
        purpose=purpose_of(workflow),
        attempt=attempt_of(workflow),
        waited_ms=event.waited_ms,
    )
    compiled = compile_proposal(
        event.text,
        catalogue,
        workflow.request,
        revision=next_revision(workflow),
        answers=answers_of(workflow),
        past=past_of(workflow, catalogue),
    )
    if workflow.revising is not None:
        return [answered, *_revised(workflow, event.call, compiled)]
    match compiled:
        case Adopted(plan):
            return [answered, adopted(workflow, plan, now)]
        case Clarify(questions):
            return [answered, *_clarify(workflow, tuple(questions), now)]
        case Refuse(reason):
            stronger = stronger_model(workflow)
            if stronger is not None:
                return [answered, r.ModelRaised(stronger, event.call + 1, "refusal")]
            return [answered, *end(workflow, "failed", Failure("REQUEST_REFUSED", reason))]
        case Faulted(faults):
            return [answered, *_correct(workflow, event.call, faults)]
        case _:
            assert_never(compiled)


def _revised(workflow: Workflow, call: int, compiled: Compiled) -> list[Record]:
    """Decide what the answer to the question for a revision means."""
    match compiled:
        case Adopted(plan):
            return [r.PlanAdopted(next_revision(workflow), plan)]
        case Clarify(questions):
            why = f"the planner asks {'; '.join(questions)}"
        case Refuse(reason):
            why = reason
        case Faulted(faults):
            if len(workflow.planning.exchanges) < CORRECTIONS_MAX:
                return [r.ProposalFaulted(faults, call + 1)]
            why = f"the planner's revisions have faults, at last {'; '.join(str(fault) for fault in faults)}"
        case _:
            assert_never(compiled)
    return [r.RevisionGivenUp(Failure("NO_REVISION", why))]


def _clarify(workflow: Workflow, questions: tuple[str, ...], now: UtcMs) -> list[Record]:
    if len(workflow.planning.clarifications) >= CLARIFICATIONS_MAX:
        message = f"after {CLARIFICATIONS_MAX} rounds of questions there are still some: {'; '.join(questions)}"
        return end_unplanned(workflow, Failure("TOO_MANY_QUESTIONS", message))
    return [
        r.ClarificationAsked(questions, UtcMs(now + CLARIFICATION_WAIT_MAX_MS)),
        tell(workflow, "needs_clarification"),
    ]


def _correct(workflow: Workflow, call: int, faults: tuple[Fault, ...]) -> list[Record]:
    corrections = len(workflow.planning.exchanges)
    stronger = stronger_model(workflow)
    if corrections and stronger is not None:
        return [r.ProposalFaulted(faults, call + 1), r.ModelRaised(stronger, call + 1, "faults")]
    # Each model of the ladder that was left behind had one correction; the last one has what it would have had alone.
    if corrections >= CORRECTIONS_MAX + rung_of(workflow):
        listed = "; ".join(str(fault) for fault in faults)
        message = f"no valid plan after {corrections} corrections; the last one's faults: {listed}"
        return end_unplanned(workflow, Failure("PLAN_FAULTED", message))
    return [r.ProposalFaulted(faults, call + 1)]


def planner_failed(workflow: Workflow, event: e.PlannerFailed, now: UtcMs) -> list[Record]:
    """Ask again later, or give up; never because the service was away, until a day has gone by."""
    if not is_open(workflow, event.call):
        return []
    planning = workflow.planning
    kind = event.kind
    gave_up = _gave_up(workflow, event)
    if workflow.revising is not None and (kind not in {"wait", "bad_answer"} or event.stop_reason == "refusal"):
        return [gave_up, r.RevisionGivenUp(event.failure)]
    if kind == "attention":
        return [gave_up, *end(workflow, "needs_attention", event.failure)]
    stronger = stronger_model(workflow)
    if event.stop_reason == "refusal" and stronger is not None:
        refused = _backed_off(workflow, event, "bad_answer", now)
        return [refused, r.ModelRaised(stronger, event.call + 1, "refusal")]
    if kind == "permanent" or (kind == "bad_answer" and planning.bad_answers + 1 >= PLANNER_BAD_ANSWERS_MAX):
        return [gave_up, *_give_up(workflow, event.failure)]
    salt = f"{workflow.workflow_id}/plan"
    wait_ms = backoff_ms(PLANNER, planning.waits + 1, salt, at_least_ms=event.retry_after_ms or 0)
    if kind == "stopped":
        wait_ms = max(wait_ms, PLANNER_STOPPED_RETRY_MS)
    if now + wait_ms > planning_until(workflow):
        failure = Failure("PLANNER_UNAVAILABLE", f"no plan could be made in time; at last: {event.failure.message}")
        return [gave_up, *_give_up(workflow, failure)]
    return [_backed_off(workflow, event, kind, UtcMs(now + wait_ms))]


def _give_up(workflow: Workflow, failure: Failure) -> list[Record]:
    if workflow.revising is not None:
        return [r.RevisionGivenUp(failure)]
    return end_unplanned(workflow, failure)


def _gave_up(workflow: Workflow, event: e.PlannerFailed) -> r.PlannerGaveUp:
    return r.PlannerGaveUp(
        event.call,
        event.failure,
        event.usage,
        model=event.model,
        purpose=purpose_of(workflow),
        attempt=attempt_of(workflow),
        latency_ms=event.latency_ms,
        first_token_ms=event.first_token_ms,
        stop_reason=event.stop_reason,
    )


def _backed_off(
    workflow: Workflow, event: e.PlannerFailed, kind: Literal["wait", "stopped", "bad_answer"], until: UtcMs
) -> r.PlannerBackedOff:
    return r.PlannerBackedOff(
        event.call + 1,
        kind,
        event.failure,
        until,
        event.usage,
        model=event.model,
        purpose=purpose_of(workflow),
        attempt=attempt_of(workflow),
        latency_ms=event.latency_ms,
        first_token_ms=event.first_token_ms,
        stop_reason=event.stop_reason,
    )
