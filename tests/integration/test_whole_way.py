"""A booking travels the whole way: the real daemon, real queues, real HTTP, really executed agents."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import Mail
from benchmarks.kill9_kit.waiting import until_answered
from jada_orchestrator.sandbox.model import Fault, FaultKind
from tests.integration.surroundings import Surroundings, a_control, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def daemon(around: Surroundings) -> AsyncIterator[Daemon]:
    """One daemon for all tests of this file: each has request ids of its own."""
    async with around.daemon() as running:
        await running.ready()
        yield running


def dead_letter_about(text: str) -> Any:
    """Return a condition: a dead letter whose body contains the text."""

    def look(mail: Mail) -> Mail | None:
        return mail if text in mail["Body"] else None

    return look


def without_subject(mail: Mail) -> Any:
    """Return an outcome that names no request; a condition on mail."""
    outcome = json.loads(mail["Body"])
    return None if "subject" in outcome else outcome


def attribute(mail: Mail, name: str) -> str:
    """Return a message attribute's text."""
    return str(mail["MessageAttributes"][name]["StringValue"])


async def test_a_booking_goes_the_whole_way(around: Surroundings, daemon: Daemon) -> None:
    """A request ends as an outcome that is exactly the contract's, and the books bear it out."""
    await around.send(a_request("whole-1", tenant="acme", metadata={"channel": "web"}))
    outcome = await around.outcomes.outcome("whole-1")
    assert set(outcome) == {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    assert outcome["specversion"] == "1.0"
    assert outcome["type"] == "jada.booking.completed"
    assert outcome["subject"] == "whole-1"
    assert outcome["source"]
    assert INSTANT.fullmatch(outcome["time"])
    data = outcome["data"]
    assert set(data) == {
        "request_id", "workflow_id", "tenant", "status", "result", "error", "questions", "tasks", "cost",
        "plan_revision", "model",
    }  # fmt: skip
    assert (data["request_id"], data["tenant"], data["status"]) == ("whole-1", "acme", "completed")
    assert data["workflow_id"].startswith("wf-")
    assert outcome["id"].startswith(data["workflow_id"])
    assert (data["error"], data["questions"], data["plan_revision"]) == (None, [], 1)
    assert data["model"] == "claude-sonnet-4-6"
    assert {"usd", "input_tokens", "output_tokens"} <= set(data["cost"])
    assert re.fullmatch(r"0\.\d+", data["cost"]["usd"])
    assert data["cost"]["input_tokens"] > 0 < data["cost"]["output_tokens"]
    assert all(set(task) == {"id", "action", "status", "attempts"} for task in data["tasks"])
    assert {task["status"] for task in data["tasks"]} == {"succeeded"}
    assert all(task["attempts"] >= 1 for task in data["tasks"])
    books = await around.books()
    assert data["result"]["order_id"] in books.standing("whole-1").orders
    assert await around.half_made({"whole-1": "completed"}) == []
    [(currency, cents)] = books.standing("whole-1").kept
    assert data["result"]["total"] == {"amount": f"{cents / 100:.2f}", "currency": currency}


async def test_the_log_tells_the_story(around: Surroundings, daemon: Daemon) -> None:
    """Every line of the log is one JSON object with the contract's keys, and one booking's lines are its story."""
    await around.send(a_request("log-1", tenant="acme"))
    await around.outcomes.outcome("log-1")
    await daemon.told("workflow.ended", request_id="log-1")
    assert daemon.raw == []
    story = [line for line in daemon.lines if line.get("jada_request_id") == "log-1"]
    events = [line["jada_event"] for line in story]
    assert events[:2] == ["workflow.accepted", "planning.answered"]
    assert events[-1] == "workflow.ended"
    for line in story:
        assert {"timestamp", "message", "priority", "jada_event", "jada_workflow_id", "jada_tenant"} <= set(line)
        assert INSTANT.fullmatch(line["timestamp"])
        assert line["jada_tenant"] == "acme"
        assert line["priority"] in {2, 3, 4, 6, 7}
    done = [line for line in story if line["jada_event"] == "task.succeeded"]
    assert all({"jada_task_id", "jada_attempt", "jada_agent"} <= set(line) for line in done)
    everything = json.dumps(daemon.lines)
    assert "sandbox-key" not in everything


async def test_a_duplicate_while_it_runs_is_no_second_workflow(around: Surroundings, daemon: Daemon) -> None:
    """The same request again, while the first is planned: one workflow, one planning, one outcome, one booking."""
    around.model.faults.order(Fault(FaultKind.HOLD, match="twice-1"))
    request = a_request("twice-1")
    await around.send(request)
    await around.held("twice-1")
    await around.send(dict(reversed(request.items())))  # the same content, in another order
    await until_answered(lambda: nothing_waits(around), "the duplicate is taken from the queue")
    around.model.release()
    first = await around.outcomes.outcome("twice-1")
    assert first["type"] == "jada.booking.completed"
    await around.send(request)  # whatever the duplicate had caused would have come before this one's answer
    again = await around.outcomes.outcome("twice-1", count=2)
    assert again == first
    assert len([call for call in around.model.calls if call.booking_request_id == "twice-1"]) == 1
    assert not (await around.books()).doubled
    assert await around.half_made({"twice-1": "completed"}) == []
    assert len(daemon.events("workflow.accepted")) == len(
        {line["jada_workflow_id"] for line in daemon.events("workflow.accepted")}
    )


async def test_a_conflict_leaves_the_first_alone(around: Surroundings, daemon: Daemon) -> None:
    """The same id with other content is rejected; the first request's booking stands."""
    await around.send(a_request("conflict-1"))
    first = await around.outcomes.outcome("conflict-1")
    await around.send(a_request("conflict-1", text="One person, Boston to Porto on 4 June."))
    second = await around.outcomes.outcome("conflict-1", count=2)
    assert (second["type"], second["data"]["error"]["code"]) == ("jada.booking.rejected", "IDEMPOTENCY_CONFLICT")
    assert second["data"]["workflow_id"] != first["data"]["workflow_id"]
    assert await around.half_made({"conflict-1": "completed"}) == []


async def test_not_json(around: Surroundings, daemon: Daemon) -> None:
    """What is no JSON is rejected, and is on the dead-letter queue whole, with its own attributes and the reason."""
    body = "not JSON, and yet somebody's: \u20ac {"
    await around.send(body, colour="red")
    letter = await around.dead_letters.holds(dead_letter_about("not JSON, and yet"), "the dead letter")
    assert letter["Body"] == body
    assert attribute(letter, "colour") == "red"
    assert attribute(letter, "jada-reason-code") == "NOT_JSON"
    assert attribute(letter, "jada-reason")
    rejected = await around.outcomes.holds(without_subject, "the outcome, which can name no request")
    assert rejected["type"] == "jada.booking.rejected"


async def test_every_fault_is_named(around: Surroundings, daemon: Daemon) -> None:
    """A request with several mistakes is answered once, naming each of them, and goes to the dead letters whole."""
    bad = {"request_id": "faults-1", "text": 7, "priority": 11, "constraints": {"max_total": {"amount": 3000}}}
    await around.send(bad)
    outcome = await around.outcomes.outcome("faults-1")
    assert outcome["type"] == "jada.booking.rejected"
    assert {fault["where"] for fault in outcome["data"]["error"]["faults"]} == {
        "text", "priority", "constraints.max_total.amount", "constraints.max_total.currency",
    }  # fmt: skip
    letter = await around.dead_letters.holds(dead_letter_about('"faults-1"'), "the dead letter")
    assert json.loads(letter["Body"]) == bad
    assert attribute(letter, "jada-reason-code") == "INVALID_REQUEST"
    reason = attribute(letter, "jada-reason")
    assert all(field in reason for field in ("text", "priority", "constraints.max_total.amount"))


@pytest.mark.parametrize(
    ("request_id", "more"),
    [
        ("schema-1", {"schema": "jada.request/9"}),
        ("large-1", {"text": "x" * (16 * 1024 + 1)}),
        ("large-2", {"booking": {"notes": "x" * (256 * 1024)}}),
    ],
    ids=["another schema", "a text too long", "a body too large"],
)
async def test_what_cannot_be_taken(
    around: Surroundings, daemon: Daemon, request_id: str, more: dict[str, Any]
) -> None:
    """Another schema and too much of anything are rejected by outcome and kept whole as dead letters."""
    sent = a_request(request_id, **more)
    await around.send(sent)
    outcome = await around.outcomes.outcome(request_id)
    assert outcome["type"] == "jada.booking.rejected"
    letter = await around.dead_letters.holds(dead_letter_about(f'"{request_id}"'), "the dead letter")
    assert json.loads(letter["Body"]) == sent
    assert attribute(letter, "jada-reason-code") == outcome["data"]["error"]["code"]


async def test_reply_to_on_the_list(around: Surroundings, daemon: Daemon) -> None:
    """An outcome goes to the queue that the request names, when the operator allows it; with the request's trace."""
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await around.send(a_request("reply-1", reply_to=around.extra.queue), traceparent=trace)
    outcome = await around.extra.outcome("reply-1")
    assert outcome["type"] == "jada.booking.completed"
    assert around.outcomes.about("reply-1") == []
    [mail] = [mail for mail in around.extra.mail if '"reply-1"' in mail["Body"]]
    assert attribute(mail, "traceparent") == trace


async def test_reply_to_that_is_not_allowed(around: Surroundings, daemon: Daemon) -> None:
    """A queue that is not on the list gets nothing: the request is rejected, by the default queue."""
    await around.send(a_request("reply-2", reply_to=around.dead_letters.queue))
    outcome = await around.outcomes.outcome("reply-2")
    assert outcome["data"]["error"]["code"] == "REPLY_TO_NOT_ALLOWED"


async def test_cancel(around: Surroundings, daemon: Daemon) -> None:
    """A booking that is cancelled while it is planned ends as cancelled, and nothing of it stands."""
    around.model.faults.order(Fault(FaultKind.HOLD, match="cancel-1"))
    await around.send(a_request("cancel-1"))
    await around.held("cancel-1")
    await around.send(a_control("cancel-1", "cancel", by="anna"))
    outcome = await around.outcomes.outcome("cancel-1")
    around.model.release()
    assert outcome["type"] == "jada.booking.cancelled"
    assert "anna" in outcome["data"]["error"]["message"]
    assert (await around.books()).standing("cancel-1").nothing


@pytest.mark.parametrize(
    ("command", "ended"), [("approve", "completed"), ("deny", "compensated")], ids=["approved", "denied"]
)
async def test_approval(around: Surroundings, daemon: Daemon, command: str, ended: str) -> None:
    """Money above the request's bound is spent after somebody approved, and everything is undone after a denial."""
    request_id = f"approval-{command}"
    limit = {"approve_above": {"amount": "100.00", "currency": "USD"}}
    await around.send(a_request(request_id, constraints=limit))
    asked = await around.outcomes.outcome(request_id)
    assert asked["type"] == "jada.booking.awaiting_approval", asked["data"]["error"]
    assert not (await around.books()).standing(request_id).kept
    begun = {task["action"] for task in asked["data"]["tasks"] if task["attempts"]}
    assert "payments.authorize" in begun
    assert not begun & {"flights.ticket", "hotels.book", "payments.capture"}, "nothing binds before the approval"
    await around.send(a_control(request_id, command, by="anna"))
    outcome = await around.outcomes.outcome(request_id, count=2)
    assert outcome["type"] == f"jada.booking.{ended}"
    assert (await around.books()).standing(request_id).nothing == (command == "deny")
    assert await around.half_made({request_id: ended}) == []


async def test_clarification(around: Surroundings, daemon: Daemon) -> None:
    """A request that says too little is asked back, and goes on with the answer."""
    await around.send(a_request("answer-1", text="I need a flight from Boston to Lisbon, one way, for one person."))
    asked = await around.outcomes.outcome("answer-1")
    assert asked["type"] == "jada.booking.needs_clarification"
    assert asked["data"]["questions"]
    await around.send(a_control("answer-1", "answer", text="On 3 May."))
    outcome = await around.outcomes.outcome("answer-1", count=2)
    assert outcome["type"] == "jada.booking.completed"
    assert await around.half_made({"answer-1": "completed"}) == []


async def test_what_fails_half_way_is_undone(around: Surroundings, daemon: Daemon) -> None:
    """A booking whose last commit is refused is undone, and the frontend is told why."""
    await around.order_fault("flights.ticket", "fail", "AIRLINE_REFUSED", request="undo-1")
    await around.send(a_request("undo-1"))
    outcome = await around.outcomes.outcome("undo-1")
    assert outcome["type"] == "jada.booking.compensated", outcome["data"]["error"]
    assert outcome["data"]["error"]["code"] == "AIRLINE_REFUSED"
    books = await around.books()
    assert books.standing("undo-1").nothing
    assert books.effects_of("undo-1")


async def test_nothing_else_stops(around: Surroundings, daemon: Daemon) -> None:
    """Poison among good requests: each is dealt with as if it were alone, and the request queue ends empty."""
    await asyncio.gather(
        around.send("\x7f poison 1"),
        around.send(a_request("among-1")),
        around.send('{"request_id": "among-2"}'),
        around.send("[" * 10_000),
        around.send(a_request("among-3")),
    )
    first, second, third = await asyncio.gather(*(around.outcomes.outcome(f"among-{n}") for n in (1, 2, 3)))
    assert [each["data"]["status"] for each in (first, second, third)] == ["completed", "rejected", "completed"], (
        first["data"]["error"],
        third["data"]["error"],
    )
    await around.dead_letters.holds(dead_letter_about("poison 1"), "the poison")
    await around.dead_letters.holds(dead_letter_about("[" * 10_000), "the brackets")
    await until_answered(lambda: nothing_waits(around), "the request queue is empty")
    assert daemon.runs
    assert not [line for line in daemon.lines if line["jada_event"] in {"law.broken", "library.said"}]


async def nothing_waits(around: Surroundings) -> bool:
    """Tell whether the request queue holds nothing, in flight ones included."""
    return await around.post.waiting(around.requests) == 0
