"""The ladder of models: when a stronger one is asked, and that a workflow keeps its ladder."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine import fold, step
from jada_orchestrator.testing.catalogues import as_text, proposal, request, task, travel_catalogue

HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-6"
CATALOGUE = travel_catalogue()
GOOD = as_text(proposal(task("rooms", "trips.search", city="Lisbon"), result={"offers": "rooms.offers"}))
BAD = as_text(proposal(task("rooms", "rooms.unheard_of")))
REFUSAL = as_text(proposal(outcome="refuse", reason="I do not dare."))
USED = Usage(input_tokens=10, output_tokens=5, usd="0.01")


class Talk:
    """One workflow's planning, answer by answer."""

    def __init__(self, *models: str) -> None:
        self.entries: list[r.Entry] = []
        self.workflow = Workflow(WorkflowId("wf-1"))
        arrived = e.RequestArrived(request(), "d", Message("{}", {}), models[0], models)
        self.put(arrived)

    def put(self, event: e.Event) -> None:
        self.entries += step(self.workflow, event, UtcMs(1_000), CATALOGUE)

    def answer(self, text: str) -> str:
        """Answer the open question; return the model that is asked next."""
        call = self.workflow.planning.call
        self.put(e.ProposalReceived(call, text, self.workflow.model, USED, 1_000, 100))
        return self.workflow.model

    def fail(self, **changes: Any) -> str:
        call, model = self.workflow.planning.call, self.workflow.model
        failed = e.PlannerFailed(call, "permanent", Failure("X", "x"), None, model, USED)
        self.put(replace(failed, **changes))
        return self.workflow.model

    def purposes(self) -> list[tuple[str, str]]:
        return [(x.record.model, x.record.purpose) for x in self.entries if isinstance(x.record, r.PlannerAnswered)]


def test_faults_after_a_correction_raise_the_model() -> None:
    """The first model has one correction; then the stronger one sees the faults and has its own corrections."""
    talk = Talk(HAIKU, SONNET)
    assert [talk.answer(BAD) for _ in range(3)] == [HAIKU, SONNET, SONNET]
    assert len(talk.workflow.planning.exchanges) == 3
    talk.answer(GOOD)
    assert talk.workflow.status is Status.RUNNING
    assert talk.purposes() == [(HAIKU, "plan"), (HAIKU, "correction"), (SONNET, "correction"), (SONNET, "correction")]


def test_one_model_alone_has_two_corrections_as_before() -> None:
    """Without a ladder the third faulted answer ends the planning."""
    talk = Talk(SONNET)
    for _ in range(3):
        talk.answer(BAD)
    assert talk.workflow.status is Status.FAILED
    assert not any(isinstance(entry.record, r.ModelRaised) for entry in talk.entries)


def test_a_refusal_raises_the_model_which_begins_afresh() -> None:
    """A refusal, as an outcome or as a stop reason, is put to the stronger model without the weaker one's words."""
    talk = Talk(HAIKU, SONNET)
    assert talk.answer(REFUSAL) == SONNET
    assert talk.workflow.planning.exchanges == ()
    assert talk.answer(REFUSAL) == SONNET
    assert talk.workflow.status is Status.FAILED

    talk = Talk(HAIKU, SONNET)
    assert talk.fail(stop_reason="refusal") == SONNET
    assert (talk.workflow.planning.asking, talk.workflow.status) == (True, Status.PLANNING)
    talk.fail(stop_reason="refusal")
    assert talk.workflow.status is Status.FAILED


def test_a_workflow_keeps_its_ladder() -> None:
    """The ladder is in the journal: folding the records anew knows the next model."""
    talk = Talk(HAIKU, SONNET)
    talk.answer(BAD)
    again = fold(talk.workflow.workflow_id, talk.entries)
    assert again.models == (HAIKU, SONNET)
    assert again == talk.workflow


def test_attention_ends_the_planning_with_a_person() -> None:
    """What only a person can decide ends as `needs_attention`, and can be retried once it is decided."""
    talk = Talk(SONNET)
    talk.fail(kind="attention")
    assert talk.workflow.status is Status.NEEDS_ATTENTION
    talk.put(e.ControlArrived("retry", "operator"))
    assert talk.workflow.planning.asking


def test_the_ledger_knows_attempts_and_failures() -> None:
    """Each record of a failed call names its model, purpose and attempt, and counts what it was billed."""
    talk = Talk(SONNET)
    talk.fail(kind="bad_answer", stop_reason="max_tokens", latency_ms=9_000)
    talk.put(e.TimerFired())
    record = next(x.record for x in talk.entries if isinstance(x.record, r.PlannerBackedOff))
    assert (record.model, record.purpose, record.attempt, record.stop_reason) == (SONNET, "plan", 1, "max_tokens")
    assert (record.usage, record.latency_ms) == (USED, 9_000)
    assert talk.workflow.planning.billed_failures == 1
