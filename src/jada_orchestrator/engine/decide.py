"""What an event leads to. Reads the state, returns records, changes nothing.

One arm per event; the arms live beside each other by what they are about: `planning_events`, `attempts`, `due`,
`people`. An event that comes too late, twice, or for something that is not so (any more) leads to nothing.
"""

from __future__ import annotations

from typing import Final, assert_never

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine.attempts import attempt_ended, reply_arrived, resumed, slot_granted
from jada_orchestrator.engine.due import timer_fired
from jada_orchestrator.engine.ending import tell
from jada_orchestrator.engine.foreseeing import task_proposed
from jada_orchestrator.engine.house import choice_ended
from jada_orchestrator.engine.people import control_arrived, retry_now
from jada_orchestrator.engine.planning_events import planner_failed, proposal_received


def decide(workflow: Workflow, event: e.Event, now: UtcMs, catalogue: Catalogue) -> list[Record]:
    """Return the records that an event leads to; `settle` adds what follows from them."""
    if not workflow.exists and not isinstance(event, _BEGINNINGS):
        return []
    if workflow.quarantined is not None and not _is_heard_in_quarantine(event):
        return []
    match event:
        # What comes most often stands first.
        case e.SlotGranted():
            return slot_granted(workflow, event, now, catalogue)
        case e.AttemptEnded():
            return attempt_ended(workflow, event, now, catalogue)
        case e.ReplyArrived():
            return reply_arrived(workflow, event, now, catalogue)
        case e.RequestArrived():
            return _request_arrived(workflow, event, catalogue)
        case e.RequestRefused():
            return _request_refused(workflow, event)
        case e.ControlArrived():
            return _controlled(workflow, event, now, catalogue)
        case e.TurnCame():
            return _turn_came(workflow, catalogue)
        case e.TaskProposed():
            return task_proposed(workflow, event, catalogue)
        case e.ProposalReceived():
            return proposal_received(workflow, event, now, catalogue)
        case e.PlannerFailed():
            return planner_failed(workflow, event, now)
        case e.ChoiceEnded():
            return choice_ended(workflow, event)
        case e.TimerFired():
            return timer_fired(workflow, now)
        case e.Resumed():
            return resumed(workflow, now)
        case e.OutcomePublished():
            pending = any(o.outcome_id == event.outcome_id and not o.delivered for o in workflow.outcomes)
            return [r.OutcomeDelivered(event.outcome_id)] if pending else []
        case e.DeadLettered():
            return [r.DeadLetterDelivered()] if workflow.dead_letter == "wanted" else []
        case e.LawBroken():
            return [r.Quarantined(event.story)]
        case _:
            assert_never(event)


_BEGINNINGS: Final = (e.RequestArrived, e.RequestRefused)
"""What a workflow may begin with; what comes a second time is answered from what there is."""


def _turn_came(workflow: Workflow, catalogue: Catalogue) -> list[Record]:
    if workflow.retry_asked is not None:
        return [retry_now(workflow, workflow.retry_asked, catalogue)]
    return [r.PlanningStarted(1)] if workflow.status is Status.ACCEPTED else []


def _controlled(workflow: Workflow, event: e.ControlArrived, now: UtcMs, catalogue: Catalogue) -> list[Record]:
    if event.command == "release" and workflow.quarantined is not None:
        # What was in flight when it was set aside is lost by now, as after a restart.
        return [*control_arrived(workflow, event, catalogue), *resumed(workflow, now)]
    return control_arrived(workflow, event, catalogue)


def _is_heard_in_quarantine(event: e.Event) -> bool:
    return isinstance(event, _BEGINNINGS) or (isinstance(event, e.ControlArrived) and event.command == "release")


def _request_arrived(workflow: Workflow, event: e.RequestArrived, catalogue: Catalogue) -> list[Record]:
    if not workflow.exists:
        accepted = r.WorkflowAccepted(
            event.request, event.digest, event.message, event.model, catalogue.version, event.models
        )
        # A request with an ordering key waits for `TurnCame`; the others need wait for nobody.
        return [accepted] if event.request.ordering_key is not None else [accepted, r.PlanningStarted(1)]
    if (
        event.digest == workflow.digest
        and workflow.is_terminal
        and workflow.outcomes
        and workflow.outcomes[-1].delivered
    ):
        return [r.OutcomeReopened(workflow.outcomes[-1].outcome_id)]
    return []


def _request_refused(workflow: Workflow, event: e.RequestRefused) -> list[Record]:
    if workflow.exists:
        return []
    rejected = r.WorkflowRejected(
        event.request_id, event.tenant, event.reply_to, event.code, event.faults, event.message
    )
    reason = Failure(event.code, "; ".join(str(fault) for fault in event.faults) or event.code)
    return [rejected, tell(workflow, "rejected"), r.DeadLetterDecided(reason)]
