"""What stays of a workflow that is retired, and what still happens to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.commands import PublishOutcome
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import Tenant
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.model_calls import calls_of
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import fold, outstanding, step
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.engine.people import may_retry
from jada_orchestrator.engine.retiring import may_retire, tombstone_of
from jada_orchestrator.testing.catalogues import request, travel_catalogue
from tests.unit.engine.driver import IMPOSSIBLE, MESSAGE, Driver, begun
from tests.unit.engine.plans import booking, one

NOW = UtcMs(1_900_000_000_000)


def retired(driver: Driver) -> Workflow:
    """The workflow as its tombstone tells it."""
    assert may_retire(driver.workflow)
    return fold(driver.workflow.workflow_id, [tombstone_of(driver.workflow, NOW)])


def completed(reply_to: str | None = None) -> Driver:
    """A booking that completed, and of which the frontend knows."""
    driver = Driver(booking=replace(request(), reply_to=reply_to))
    driver.arrive()
    driver.propose(one())
    driver.run()
    driver.deliver()
    return driver


def failed() -> Driver:
    """A booking that failed, and of which the frontend knows."""
    driver = begun(one())
    driver.mishap("hold", IMPOSSIBLE)
    driver.run()
    driver.deliver()
    return driver


def feed(workflow: Workflow, event: e.Event) -> list[r.Record]:
    """Step through an event."""
    return [entry.record for entry in step(workflow, event, NOW, travel_catalogue())]


def test_a_tombstone_tells_what_lists_show_and_what_it_cost() -> None:
    """Who it was for, how and when it ended, which model, and the money are as before; so is the number of records."""
    driver = completed()
    before, after = driver.workflow, retired(driver)
    for name in ("request_id", "tenant", "status", "terminal", "model", "created_at", "finished_at", "usage", "digest"):
        assert getattr(after, name) == getattr(before, name), name
    assert after.seq == before.seq == len(driver.entries)
    assert after.at == before.at
    assert after.is_done
    assert breaches(after) == []
    assert list(outstanding(after)) == []
    [call] = calls_of(after.workflow_id, "", "", "", [tombstone_of(before, NOW)])
    assert (call.usage, call.purpose, call.at) == (before.usage, "retired", before.at)


def test_nothing_that_people_or_agents_said_stays() -> None:
    """Not the request, not an output, not the text of a reason."""
    driver = failed()
    entry = tombstone_of(driver.workflow, NOW)
    assert driver.workflow.failure is not None
    assert driver.request.text not in str(entry)
    assert driver.workflow.failure.message not in str(entry)
    assert isinstance(entry.record, r.WorkflowRetired)
    assert entry.record.error_code == driver.workflow.failure.code
    assert entry.record.records == len(driver.entries)


def test_the_same_request_again_has_its_outcome_told_again() -> None:
    """Under the same id, to the same queue, as the same type; the result is not there any more, and it says so."""
    driver = completed(reply_to="acme-outcomes")
    workflow, told = retired(driver), driver.workflow.outcomes[-1]
    assert feed(workflow, e.RequestArrived(driver.request, "d1", MESSAGE, "model-2")) == [
        r.OutcomeReopened(told.outcome_id)
    ]
    [command] = outstanding(workflow)
    assert isinstance(command, PublishOutcome)
    assert workflow.rejected_reply_to == "acme-outcomes"
    [again] = workflow.outcomes
    assert (again.outcome_id, again.type, again.at) == (told.outcome_id, told.type, told.at)
    known = {"request_id", "workflow_id", "tenant", "status", "cost", "plan_revision", "model"}
    assert {name: again.content[name] for name in known} == {name: told.content[name] for name in known}
    assert "retired" in again.content["result"]["omitted"]
    assert not may_retire(workflow)
    assert feed(workflow, e.OutcomePublished(told.outcome_id)) == [r.OutcomeDelivered(told.outcome_id)]
    assert workflow.is_done
    assert not may_retire(workflow), "it is retired already"
    assert workflow.seq == driver.workflow.seq + 2


def test_a_failure_is_told_again_by_its_code() -> None:
    """The frontend still learns which failure it was."""
    driver = failed()
    workflow = retired(driver)
    [told] = workflow.outcomes
    assert told.type == "failed"
    assert driver.workflow.failure is not None
    assert told.content["error"]["code"] == driver.workflow.failure.code
    assert told.content["result"] is None


@pytest.mark.parametrize("command", ["retry", "cancel", "approve", "deny", "answer", "settle", "release"])
def test_nobody_can_do_anything_about_it(command: str) -> None:
    """Every command leads to nothing, and who asks is told why."""
    workflow = retired(failed())
    assert feed(workflow, e.ControlArrived(command, "ann", "")) == []  # type: ignore[arg-type] # a word of the contract's
    reason = may_retry(workflow)
    assert reason is not None
    assert "was retired" in reason


def test_a_message_that_was_turned_away_is_known_again() -> None:
    """It is retired as anything else, and its redelivery leads to nothing."""
    driver = Driver()
    fault = Fault("BAD_SHAPE", "text", "is not there")
    refused = e.RequestRefused(None, Tenant("acme"), "q", "BAD_REQUEST", (fault,), MESSAGE)
    driver.feed(refused)
    assert not may_retire(driver.workflow), "it is not yet told"
    driver.deliver()
    workflow = retired(driver)
    assert workflow.retired is not None
    assert workflow.retired.rejected
    assert feed(workflow, refused) == []


def test_what_is_not_over_is_not_retired() -> None:
    """Not what runs, not what is to be told, not what a person has to do with."""
    driver = begun(booking())
    assert not may_retire(driver.workflow)
    driver = begun(one()).run()
    assert not may_retire(driver.workflow), "its outcome is not told"
    driver.deliver()
    assert may_retire(driver.workflow)
    driver.feed(e.LawBroken("a story"))
    assert not may_retire(driver.workflow), "it is set aside"


def test_what_needed_a_person_keeps_its_records() -> None:
    """Also when it was settled by hand: they are what shows what was done."""
    driver = begun(booking())
    driver.mishap("book", IMPOSSIBLE)
    driver.mishap("undo hold", IMPOSSIBLE)
    driver.run()
    driver.deliver()
    assert driver.workflow.terminal == "needs_attention"
    assert driver.workflow.is_done
    assert not may_retire(driver.workflow)
    driver.control("settle", "by phone")
    assert not may_retire(driver.workflow)
