"""The unfinished workflows in memory: who waits for people takes no room, and is counted without a walk over all."""

from __future__ import annotations

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.runtime.in_memory import InMemory


def test_those_who_wait_for_people_take_no_room() -> None:
    """Room shrinks by each that runs, grows by each that begins to wait for a person, and comes back as they leave."""
    held = InMemory()
    first, second = Workflow(WorkflowId("wf-1")), Workflow(WorkflowId("wf-2"), status=Status.NEEDS_CLARIFICATION)
    held.hold(first)
    held.hold(second)
    assert held.room(10) == 9
    for status, room in ((Status.AWAITING_APPROVAL, 10), (Status.RUNNING, 9), (Status.NEEDS_CLARIFICATION, 10)):
        first.status = status
        held.look_at(first)
        assert held.room(10) == room
    assert held.counts() == {"needs_clarification": 2}
    assert held.let_go(first.workflow_id) is first
    assert held.let_go(first.workflow_id) is None
    assert held.room(10) == 10
    assert held.let_go(second.workflow_id) is second
    assert (held.room(10), len(held)) == (10, 0)
