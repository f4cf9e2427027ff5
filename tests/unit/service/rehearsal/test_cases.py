"""What is rehearsed from the journal: the request, what the current model had made of it, and how it ended."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import step
from jada_orchestrator.ports.journal import Stored
from jada_orchestrator.runtime.heads import head_of
from jada_orchestrator.service.rehearsal.cases import BadRequestsError, case_of, from_folder, from_journal
from jada_orchestrator.testing.catalogues import as_text, proposal, request, task, travel_catalogue
from jada_orchestrator.testing.journal import MemoryJournalReader, MemoryStore

CATALOGUE = travel_catalogue()
GOOD = as_text(proposal(task("rooms", "trips.search", city="Lisbon"), result={"offers": "rooms.offers"}))
BAD = as_text(proposal(task("rooms", "rooms.unheard_of")))
USED = Usage(input_tokens=10, output_tokens=5, usd="0.01")


def booking(*answers: str, events: tuple[e.Event, ...] = ()) -> Stored:
    """A stored booking whose model gave these answers, and what came after."""
    workflow = Workflow(WorkflowId("wf-1"))
    entries: list[Entry] = []

    def put(event: e.Event) -> None:
        entries.extend(step(workflow, event, UtcMs(1_000), CATALOGUE))

    put(e.RequestArrived(request(), "d", Message("{}", {}), "claude-sonnet-4-6"))
    for answer in answers:
        put(e.ProposalReceived(workflow.planning.call, answer, "claude-sonnet-4-6", USED, 1_000, 100))
    for event in events:
        put(event)
    return Stored(workflow.workflow_id, head_of(workflow), tuple(entries))


def test_recorded_answers_are_compiled_anew() -> None:
    """A faulted answer and a good one are one correction and a plan, with what both cost."""
    case = case_of(booking(BAD, GOOD), CATALOGUE)
    assert case is not None
    assert case.current is not None
    assert (case.current.outcome, case.current.answers, len(case.current.faults)) == ("plan", 2, 1)
    assert (case.current.usage.usd, case.current.latency_ms, case.current.first_token_ms) == ("0.02", 2_000, 100)
    assert not case.current.valid_at_first


def test_a_booking_without_a_plan_says_so() -> None:
    """Three faulted answers ended the booking: there was no plan, which a candidate may mend."""
    case = case_of(booking(BAD, BAD, BAD), CATALOGUE)
    assert case is not None
    assert case.past is not None
    assert (case.past.status, case.past.unplanned) == ("failed", True)
    assert case.current is not None
    assert (case.current.outcome, len(case.current.faults)) == ("faulted", 3)


def test_what_failed_is_known() -> None:
    """The actions that failed for good are those that the other plan may leave out."""
    refused = e.Failed(Failure("NO_ROOMS", "none"), retryable=False, answered=True)
    events = (e.SlotGranted(TaskId("rooms"), "do"), e.AttemptEnded(TaskId("rooms"), "do", "call", 1, 1, refused))
    case = case_of(booking(GOOD, events=events), CATALOGUE)
    assert case is not None
    assert case.past is not None
    assert case.past.status == "failed"
    assert sorted(case.past.failed_actions) == ["trips.search"]


def failed(name: str) -> r.TaskFailed:
    """The record of a task that failed for good."""
    return r.TaskFailed(TaskId(name), "call", 1, Failure("NO_ROOMS", "none"))


def told(*records: r.Record) -> list[Entry]:
    """Records as entries."""
    return [Entry(number, UtcMs(1_000), record) for number, record in enumerate(records, 1)]


def test_what_failed_before_its_plan_or_in_a_list_is_known_as_well() -> None:
    """A read that was started ahead of its plan, and one call of a task with a list, fail under ids of their own."""
    stored = booking(GOOD)
    records = [entry.record for entry in stored.entries]
    [adopted] = [record for record in records if isinstance(record, r.PlanAdopted)]
    [rooms] = adopted.plan.tasks
    before = records.index(adopted)
    foreseen = TaskForeseen(1, "{}", structs.replace(rooms, id=TaskId("early")), adopted.plan.terms_of(rooms))
    for more in (
        [*records[:before], foreseen, failed("early")],
        [*records, failed("rooms[1]")],
    ):
        case = case_of(replace(stored, entries=tuple(told(*more))), CATALOGUE)
        assert case is not None
        assert case.past is not None
        assert case.past.failed_actions == {"trips.search"}


def test_what_was_never_answered_is_no_case() -> None:
    """A booking that still waits for its model has nothing to compare."""
    assert case_of(booking(), CATALOGUE) is None


async def test_the_newest_are_taken() -> None:
    """As many of the newest as wanted; messages that were turned away are left out."""
    stored = booking(GOOD)
    store = MemoryStore()
    for number in range(5):
        workflow_id = WorkflowId(f"wf-{number}")
        head = structs.replace(stored.head, request_id=f"web-{number}", rejected=number == 4)
        store.workflows[workflow_id] = replace(stored, workflow_id=workflow_id, head=head)
    assert len(await from_journal(MemoryJournalReader(store), CATALOGUE, 3)) == 3


def test_a_folder_with_mistakes_names_each(tmp_path: Path) -> None:
    """Every file that is no request is named; an empty folder is a mistake too."""
    with pytest.raises(BadRequestsError, match="holds no"):
        from_folder(tmp_path)
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "b.json").write_text("not JSON")
    with pytest.raises(BadRequestsError) as caught:
        from_folder(tmp_path)
    assert "a.json" in str(caught.value)
    assert "b.json" in str(caught.value)
