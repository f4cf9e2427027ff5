"""Which calls may be granted a slot now."""

from __future__ import annotations

from collections.abc import Iterator

from jada_orchestrator.domain.ids import AgentName
from jada_orchestrator.domain.members import COMMIT
from jada_orchestrator.domain.workflow import CallRef, Workflow
from jada_orchestrator.engine.house import is_house
from jada_orchestrator.engine.keys import terms_of_call
from jada_orchestrator.engine.revising import is_held_back


def claimable(workflow: Workflow) -> Iterator[tuple[CallRef, AgentName]]:
    """Yield the calls that only wait for a slot, with the agent whose slot it is.

    While a person is asked to approve a sum, no commit is among them; while one is asked whether to undo a failed
    booking, nothing is; while a revision of the plan is awaited, only what finds out about calls. What the house does
    itself takes no slot.
    """
    if workflow.quarantined is not None or workflow.is_terminal:
        return
    for ref in workflow.grantable:
        task_id, side = ref
        task = workflow.tasks[task_id]
        if workflow.undo_question is not None and side == "do":
            continue
        if workflow.approval is not None and side == "do" and task.terms.effect is COMMIT:
            continue
        if is_house(task):
            continue
        if is_held_back(workflow, task, side):
            continue
        yield ref, agent_of(workflow, ref)


def agent_of(workflow: Workflow, ref: CallRef) -> AgentName:
    """Return the agent that a call's next or present attempt goes to."""
    task_id, side = ref
    task = workflow.tasks[task_id]
    if side == "do" and task.do.purpose == "call":
        return task.terms.agent
    return terms_of_call(workflow, task, side, task.call(side).purpose).agent
