"""Traces on the wire: the real daemon sends them to a real receiver, and agents get their own attempt's context."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import Mailbox, Post, open_post
from tests.integration.other_servers import OtherAws, ReplayedModel, proposal, small_catalogue
from tests.integration.telemetry import ERROR, OK, Received, Receiver

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUEUES: Final = ("jada-requests", "jada-requests-dlq", "jada-outcomes", "other-replies")
TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
FRONTEND: Final = "00f067aa0ba902b7"
TRACEPARENT: Final = f"00-{TRACE}-{FRONTEND}-01"


class Rooms:
    """The rooms' function: what it is told to refuse, it refuses so often."""

    def __init__(self, *refusals: dict[str, Any]) -> None:
        self._refusals = list(refusals)

    async def __call__(self, task: dict[str, Any]) -> dict[str, Any]:
        """Answer a task."""
        if task["action"] == "rooms.find":
            return {"room_id": "room-1"}
        if task["action"] == "rooms.take" and self._refusals:
            named = ("workflow_id", "task_id", "attempt", "idempotency_key")
            reply = {"schema": "jada.reply/1", **{name: task[name] for name in named}}
            return {**reply, "status": "failed", "error": self._refusals.pop(0)}
        return {"taken_id": "taken-1"}


@dataclass(frozen=True, slots=True)
class Stage:
    """A daemon that traces, and what is around it."""

    daemon: Daemon
    aws: OtherAws
    post: Post
    outcomes: Mailbox

    async def book(self, **attributes: str) -> str:
        """Book a room, have the daemon drain and end, and return the outcome's type."""
        await self.post.send("jada-requests", {"request_id": "traced-1", "text": "A room in Lisbon"}, **attributes)
        outcome = await self.outcomes.outcome("traced-1")
        assert await self.daemon.stop() == 0
        return str(outcome["type"])


@asynccontextmanager
async def staged(folder: Path, rooms: Rooms, endpoint: str) -> AsyncIterator[Stage]:
    """Start everything; traces go to `endpoint`."""
    async with OtherAws({"other-rooms": rooms}) as aws, ReplayedModel(proposal()) as model:
        environment = {
            **aws.environment,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "some-key",
            "JADA_STORE": f"sqlite://{folder / 'journal.db'}",
            "JADA_CATALOGUE": str(small_catalogue(folder / "agents")),
            "JADA_REPLY_QUEUE": "other-replies",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_SERVICE_NAME": "jada-here",
        }
        async with open_post(environment) as post:
            for queue in QUEUES:
                await post.client.create_queue(QueueName=queue)
            async with post.mailbox("jada-outcomes") as outcomes, Daemon(folder, environment) as daemon:
                yield Stage(daemon, aws, post, outcomes)


def contexts(stage: Stage) -> dict[tuple[str, int], str]:
    """The context that each attempt's agent was handed, without its flags."""
    return {(task["task_id"], task["attempt"]): task["traceparent"].rpartition("-")[0] for task in stage.aws.tasks}


def handed(span: Received) -> tuple[tuple[str, int], str]:
    """Which attempt a span is of, and what its agent must have been handed."""
    return (str(span.attributes["jada.task_id"]), int(span.attributes["jada.attempt"])), span.context


async def test_a_booking_arrives_as_one_trace_below_the_frontends(tmp_path: Path) -> None:
    """The booking's span stands below the frontend's, question and attempts below it; agents get their attempt's."""
    async with Receiver() as receiver, staged(tmp_path, Rooms(), receiver.url) as stage:
        assert await stage.book(traceparent=TRACEPARENT) == "jada.booking.completed"
    [booking], [chat] = receiver.named("booking"), receiver.named("chat")
    attempts = [*receiver.named("task found"), *receiver.named("task taken")]
    assert len(receiver.spans) == 4 == 2 + len(attempts)
    assert {(span.trace, span.service) for span in receiver.spans} == {(TRACE, "jada-here")}
    assert booking.parent == FRONTEND
    assert [span.parent for span in (chat, *attempts)] == [booking.own] * 3
    assert len({span.own for span in receiver.spans} | {FRONTEND}) == 5
    assert dict(map(handed, attempts)) == contexts(stage)
    assert all(span.status == OK and span.lasted_ns > 0 for span in receiver.spans)
    assert booking.attributes["jada.request_id"] == "traced-1"
    assert booking.attributes["jada.recovered"] is False
    assert "plan.adopted" in booking.events
    assert chat.attributes["gen_ai.operation.name"] == "chat"


async def test_attempts_and_undoing_have_spans_of_their_own(tmp_path: Path) -> None:
    """A refused attempt ends as an error, the next one is another span, and a booking that failed is marked so."""
    busy = {"code": "BUSY", "message": "later", "retryable": True}
    gone = {"code": "GONE", "message": "no", "retryable": False}
    async with Receiver() as receiver, staged(tmp_path, Rooms(busy, gone), receiver.url) as stage:
        assert await stage.book() == "jada.booking.failed"
    [booking] = receiver.named("booking")
    first, second = receiver.named("task taken")
    assert booking.parent == ""
    assert (booking.status, first.status, second.status) == (ERROR, ERROR, ERROR)
    assert [span.attributes["jada.outcome"] for span in (first, second)] == ["attempt.failed", "task.failed"]
    assert dict(map(handed, [*receiver.named("task found"), first, second])) == contexts(stage)
    assert {span.trace for span in receiver.spans} == {booking.trace}


async def test_a_receiver_that_refuses_costs_no_booking(tmp_path: Path) -> None:
    """Traces that nobody takes are lost; the booking completes, and the daemon drains and ends well."""
    async with Receiver(status=503) as receiver, staged(tmp_path, Rooms(), receiver.url) as stage:
        assert await stage.book() == "jada.booking.completed"
    assert receiver.refused >= 1
    assert receiver.spans == []


async def test_no_receiver_costs_no_booking(tmp_path: Path) -> None:
    """Where nobody listens, likewise."""
    async with staged(tmp_path, Rooms(), "http://127.0.0.1:9") as stage:
        assert await stage.book() == "jada.booking.completed"
