"""What every planner promises (`ports.planner.Planner`), on the fake and on Claude through the scripted model."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Self

import pytest

from jada_orchestrator.adapters.claude import ClientSettings, open_planner
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import CatalogueVersion, RequestId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.request import BookingRequest, Constraints
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import Planner, PlannerError, PlannerQuestion
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel
from jada_orchestrator.testing.planner import ScriptedPlanner

CONNECTIONS = 3
PROPOSAL = json.dumps({"outcome": "refuse", "reason": "né", "questions": [], "tasks": [], "result": []})
BILLED = Usage(input_tokens=10, output_tokens=2, usd="0.00006")


def question(request_id: str = "web-1") -> PlannerQuestion:
    """A question about a request of this id."""
    return PlannerQuestion(
        workflow_id=WorkflowId("wf-aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        request=BookingRequest(
            request_id=RequestId(request_id),
            tenant=Tenant("acme"),
            text="Boston to Lisbon",
            booking=None,
            constraints=Constraints(),
            ordering_key=None,
            priority=5,
            reply_to=None,
        ),
        catalogue=Catalogue(version=CatalogueVersion("0123456789abcdef"), agents={}, actions={}),
        model="claude-sonnet-4-6",
        now=parse_instant("2026-11-23T10:00:00Z"),
        exchanges=(),
        clarifications=(),
    )


class World(ABC):
    """A planner with the handles that the suite needs: what it says, how it fails, what it was asked."""

    planner: Planner

    @abstractmethod
    async def __aenter__(self) -> Self: ...

    @abstractmethod
    async def __aexit__(self, *_: object) -> None: ...

    @abstractmethod
    def fail(self, kind: PlannerFailureKind) -> None:
        """Let the next question fail with this kind; a bad answer is billed."""

    @abstractmethod
    def say(self, text: str) -> None:
        """Let this be the answer to every question."""

    @abstractmethod
    def hold(self) -> None:
        """Keep questions unanswered."""

    @abstractmethod
    def release(self) -> None:
        """Answer what is held."""

    @abstractmethod
    async def wait_until_asked(self, count: int) -> None:
        """Return when so many questions are being worked on, or were."""

    @property
    @abstractmethod
    def asked(self) -> list[str]:
        """The request ids of the questions that were put, in order."""


class FakeWorld(World):
    """The fake of `jada_orchestrator.testing`."""

    async def __aenter__(self) -> Self:
        self.said = PROPOSAL
        self.fake = ScriptedPlanner(lambda _: self.said, connections=CONNECTIONS, streams=True)
        self.planner = self.fake
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.fake.close()

    def fail(self, kind: PlannerFailureKind) -> None:
        usage = BILLED if kind in {"bad_answer", "permanent"} else Usage()
        retry_after_ms = 2_000 if kind == "wait" else None
        self.fake.fail(PlannerError(kind, Failure("X", "x"), retry_after_ms=retry_after_ms, usage=usage))

    def say(self, text: str) -> None:
        self.said = text

    def hold(self) -> None:
        self.fake.hold()

    def release(self) -> None:
        self.fake.release()

    async def wait_until_asked(self, count: int) -> None:
        await self.fake.wait_until_asked(count)

    @property
    def asked(self) -> list[str]:
        return [asked.request.request_id for asked in self.fake.questions]


ORDERS: dict[PlannerFailureKind, dict[str, Any]] = {
    "wait": {"kind": FaultKind.RATE_LIMIT, "retry_after": 2},
    "stopped": {"kind": FaultKind.SPEND_LIMIT},
    "bad_answer": {"kind": FaultKind.MAX_TOKENS, "after_bytes": 20},
    "permanent": {"kind": FaultKind.REFUSAL},
}


class ClaudeWorld(World):
    """The real adapter and SDK, against the scripted model on loopback."""

    async def __aenter__(self) -> Self:
        self._stack = AsyncExitStack()
        self.server = await self._stack.enter_async_context(ScriptedModel())
        self.planner = await self._stack.enter_async_context(
            open_planner(
                ClientSettings(connections=CONNECTIONS),
                environ={"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": self.server.url},
            )
        )
        self._always = Fault(FaultKind.TEXT, count=0, text=PROPOSAL)
        self.server.faults.order(self._always)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _first(self, fault: Fault) -> None:
        """Order a fault before those that are ordered already."""
        pending = self.server.faults.pending
        self.server.faults.clear()
        self.server.faults.order(fault, *pending)

    def fail(self, kind: PlannerFailureKind) -> None:
        self._first(Fault(**ORDERS[kind]))

    def say(self, text: str) -> None:
        self._always = Fault(FaultKind.TEXT, count=0, text=text)
        self.server.faults.clear()
        self.server.faults.order(self._always)

    def hold(self) -> None:
        self._first(Fault(FaultKind.HOLD, count=0))

    def release(self) -> None:
        self.server.faults.clear()
        self.server.faults.order(self._always)
        self.server.release()

    async def wait_until_asked(self, count: int) -> None:
        await self.server.calls.wait_for(
            lambda log: sum(bool(call.booking_request_id) for call in log.messages) >= count
        )

    @property
    def asked(self) -> list[str]:
        return [call.booking_request_id for call in self.server.calls.messages]


@pytest.fixture(params=[FakeWorld, ClaudeWorld], ids=["fake", "claude"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A planner of each kind."""
    async with request.param() as opened, asyncio.timeout(30):
        yield opened


async def test_a_complete_answer(world: World) -> None:
    """The text is what the planner said, to the letter; model, usage with price, and latencies are there."""
    answer = await world.planner.propose(question())
    assert answer.text == PROPOSAL
    assert answer.model == "claude-sonnet-4-6"
    assert answer.usage.total_input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer.usage.usd not in {None, "0"}
    assert 0 <= answer.first_token_ms <= answer.latency_ms


@pytest.mark.parametrize("kind", ["wait", "stopped", "bad_answer", "permanent"])
async def test_failures_are_classified_and_not_retried(world: World, kind: PlannerFailureKind) -> None:
    """A failure is a PlannerError of its kind, after one question; the next question is answered."""
    world.fail(kind)
    with pytest.raises(PlannerError) as caught:
        await world.planner.propose(question())
    assert caught.value.kind == kind
    assert caught.value.failure.code
    assert caught.value.retry_after_ms == (2_000 if kind == "wait" else None)
    assert (caught.value.usage.output_tokens > 0) is (kind in {"bad_answer", "permanent"})
    assert world.asked == ["web-1"]
    assert (await world.planner.propose(question("web-2"))).text == PROPOSAL
    assert world.asked == ["web-1", "web-2"]


async def test_tasks_are_told_in_order_before_the_answer(world: World) -> None:
    """Of a proposal that arrives piece by piece, each task is told once, whole, in order; none after the answer."""
    tasks = [{"id": f"task_{n}", "action": "a.b", "after": [], "optional": False, "args": []} for n in range(5)]
    proposal = {"outcome": "plan", "reason": 'né, {"tasks": [', "questions": [], "tasks": tasks, "result": []}
    world.say(json.dumps(proposal))
    told: list[Any] = []
    answer = await world.planner.propose(question(), lambda text: told.append(json.loads(text)))
    assert json.loads(answer.text) == proposal
    assert told == tasks


async def test_many_at_once(world: World) -> None:
    """Any number of questions may be put at once; each is answered."""
    answers = await asyncio.gather(*(world.planner.propose(question(f"web-{n}")) for n in range(20)))
    assert [answer.text for answer in answers] == [PROPOSAL] * 20
    assert sorted(world.asked) == sorted(f"web-{n}" for n in range(20))


async def test_no_more_than_there_are_connections(world: World) -> None:
    """Questions beyond the connections wait their turn and are answered when it comes."""
    world.hold()
    asking = [asyncio.ensure_future(world.planner.propose(question(f"web-{n}"))) for n in range(CONNECTIONS + 4)]
    await world.wait_until_asked(CONNECTIONS)
    for _ in range(50):  # more turns of the loop than a further question would need to get through
        await asyncio.sleep(0)
    assert len(world.asked) == CONNECTIONS
    world.release()
    assert all(answer.text for answer in await asyncio.gather(*asking))


async def test_cancelling_gives_the_place_free(world: World) -> None:
    """Cancelled questions, waiting or in flight, end at once and hold nothing."""
    world.hold()
    asking = [asyncio.ensure_future(world.planner.propose(question(f"web-{n}"))) for n in range(CONNECTIONS + 4)]
    await world.wait_until_asked(CONNECTIONS)
    for task in asking:
        task.cancel()
    ended = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in ended)
    world.release()
    answers = await asyncio.gather(*(world.planner.propose(question(f"later-{n}")) for n in range(CONNECTIONS)))
    assert [answer.text for answer in answers] == [PROPOSAL] * CONNECTIONS


async def test_closing_twice(world: World) -> None:
    """Closing again does nothing."""
    await world.planner.propose(question())
    await world.planner.close()
    await world.planner.close()
