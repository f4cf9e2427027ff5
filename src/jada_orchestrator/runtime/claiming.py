"""What the slots are told of workflows: what waits and is held, by when, and how calls ended."""

from __future__ import annotations

from jada_orchestrator.capacity.health import ending_of
from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.domain.events import AttemptEnded, Event, ReplyArrived, Side
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.claims import agent_of, claimable
from jada_orchestrator.engine.holds import due_of


def sync_slots(slots: Slots, workflow: Workflow) -> None:
    """Make known what a workflow waits for and holds now."""
    held = {} if workflow.quarantined is not None else {ref: agent_of(workflow, ref) for ref in workflow.active}
    slots.sync(
        workflow.workflow_id,
        workflow.tenant,
        workflow.request.priority if workflow.request is not None else 0,
        dict(claimable(workflow)) if workflow.grantable else {},
        held,
        lambda ref: due_of(workflow, workflow.tasks[ref[0]]),
    )


def learn_ending(slots: Slots, workflow: Workflow, event: Event, now: UtcMs) -> None:
    """Tell how a call ended, if that is the event: what its agent bears, and whether it answers at all, follows."""
    match event:
        case AttemptEnded():
            sides: tuple[Side, ...] = (event.side,)
        case ReplyArrived():
            sides = ("do", "undo")
        case _:
            return
    ending = ending_of(event.result)
    for side in sides:
        slots.ended(workflow.workflow_id, (event.task_id, side), ending, now)
