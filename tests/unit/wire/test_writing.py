"""What we send: tasks and outcomes, as the contract has them."""

from __future__ import annotations

import json
from typing import Any, Final, get_args

import pytest
from msgspec import structs

from jada_orchestrator.agent.task import Task, parse_task
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import OutcomeType
from jada_orchestrator.wire import outcomes, tasks
from jada_orchestrator.wire.models import OutcomeModel, TaskModel
from tests.unit.wire.test_replies import CALL

CONTENT: Final[dict[str, Any]] = {
    "request_id": "web-1",
    "workflow_id": "wf-1",
    "tenant": "acme",
    "status": "completed",
    "result": {"order": "o-1"},
    "error": None,
    "questions": [],
    "tasks": [{"id": "hold", "action": "flights.hold", "status": "succeeded", "attempts": 1}],
    "cost": {"usd": "0.01", "input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 0, "cache_write_tokens": 0},
    "plan_revision": 1,
    "model": "claude-sonnet-4-6",
}


def test_a_task_for_a_function() -> None:
    """Fields and their order are the contract's; what is not there is left out."""
    assert tasks.encode(CALL, reply_to=None) == (
        '{"schema":"jada.task/1","workflow_id":"wf-1","request_id":"web-1","tenant":"acme","task_id":"hold_flight",'
        '"attempt":2,"idempotency_key":"jk-1","action":"flights.hold","input":{"offer_id":"LX-1"},'
        '"deadline":"2030-03-17T17:46:40.000Z"}'
    )


def test_a_task_for_a_worker() -> None:
    """A worker is told where the answer goes; the agent kit and the published model both understand the message."""
    text = tasks.encode(
        structs.replace(CALL, model="claude-haiku-4-5", input={"name": "Évora 🛫"}), reply_to="jada-replies-h1"
    )
    body = json.loads(text)
    assert (body["reply_to"], body["model"]) == ("jada-replies-h1", "claude-haiku-4-5")
    assert isinstance(parse_task(body), Task)
    TaskModel.model_validate(body)


def test_the_trace_context_stands_where_the_agent_finds_it() -> None:
    """A function finds it in the task; a worker, in its message's attributes and not in the task again."""
    traced = structs.replace(CALL, traceparent="00-1")
    function, worker = (json.loads(tasks.encode(traced, reply_to=to)) for to in (None, "jada-replies-h1"))
    read = parse_task(function)
    assert isinstance(read, Task)
    assert read.traceparent == "00-1"
    assert "traceparent" not in worker
    TaskModel.model_validate(function)


@pytest.mark.parametrize("broken", [{"x": object()}, {"x": "\ud800"}])
def test_a_task_that_json_cannot_say(broken: dict[str, Any]) -> None:
    """The caller is told before anything is sent."""
    with pytest.raises((TypeError, ValueError)):
        tasks.encode(structs.replace(CALL, input=broken), reply_to=None)


@pytest.mark.parametrize("kind", get_args(OutcomeType))
def test_an_outcome_is_a_cloud_event(kind: OutcomeType) -> None:
    """Each type of outcome is a CloudEvent with the contract's fields, and the same text every time."""
    text = outcomes.encode("wf-1.1", kind, UtcMs(1_800_000_000_000), {**CONTENT, "status": kind}, source="jada")
    event = json.loads(text)
    assert {name: value for name, value in event.items() if name != "data"} == {
        "specversion": "1.0",
        "id": "wf-1.1",
        "source": "jada",
        "type": f"jada.booking.{kind}",
        "subject": "web-1",
        "time": "2027-01-15T08:00:00.000Z",
        "datacontenttype": "application/json",
    }
    assert event["data"] == {**CONTENT, "status": kind}
    OutcomeModel.model_validate(event)
    assert text == outcomes.encode("wf-1.1", kind, UtcMs(1_800_000_000_000), {**CONTENT, "status": kind}, source="jada")


def test_an_outcome_without_a_request_id_has_no_subject() -> None:
    """CloudEvents wants a subject that is not empty, or none."""
    text = outcomes.encode("wf-1.1", "rejected", UtcMs(0), {**CONTENT, "request_id": ""}, source="jada")
    assert "subject" not in json.loads(text)


def test_an_outcome_is_sent_in_every_case() -> None:
    """Half characters from somewhere else do not stop an outcome."""
    text = outcomes.encode("wf-1.1", "failed", UtcMs(0), {**CONTENT, "result": {"\ud800": ["\udfff"]}}, source="jada")
    assert json.loads(text)["data"]["result"] == {"\ufffd": ["\ufffd"]}
