"""The planner that knows templates: when it asks, when it does not, and what it learns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final

import pytest

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import PlannerFailureKind, RequestArrived
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.limits import TEMPLATE_FAILURES_MIN
from jada_orchestrator.domain.template import TEMPLATE_MODEL
from jada_orchestrator.ports.planner import PlannerError
from jada_orchestrator.runtime.templated import TemplatedPlanner, TemplateUse
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import House, parse_request

PLAN: Final = proposal(
    task("look_at_lisbon", "trips.search", city="Lisbon"),
    task("hold_it", "rooms.hold", offer_id=Ref("look_at_lisbon.offers[0].offer_id")),
    result={"hold_id": "hold_it.hold_id"},
)
LISBON: Final[JsonObject] = {"city": "Lisbon"}
PORTO: Final[JsonObject] = {"city": "Porto"}


class Gate:
    """Whether plans can be made at all."""

    waiting = 0

    def __init__(self) -> None:
        self.why: str | None = None

    probes = False

    def stopped(self) -> str | None:
        return self.why

    def waiting_for(self) -> frozenset[WorkflowId]:
        return frozenset()

    def wants_a_probe(self) -> bool:
        return self.probes


class Scene:
    """A house whose planner keeps templates."""

    def __init__(self) -> None:
        self.house = House(lambda _: PLAN)
        self.gate = Gate()

    def world(self, use: TemplateUse | None = None) -> Any:
        world = self.house.world()
        self.planner = TemplatedPlanner(
            self.house.planner, self.gate, world.journal, clock=self.house.clock, log=self.house.log
        )
        self.planner.use = use or TemplateUse()
        wire = replace(world.wire, parse_request=_without_text)
        return replace(world, planner=self.planner, templates=self.planner, planning=self.gate, wire=wire)

    async def teach(self) -> None:
        """Have one booking completed with the model, and its template kept."""
        self.house.send("first", booking=LISBON)
        await self.house.until(lambda: ("first", "completed") in self.house.outcomes())
        await self.house.until(lambda: self.house.store.templates)

    async def ends(self, request_id: str, within_s: float = 600) -> None:
        await self.house.until(lambda: (request_id, "completed") in self.house.outcomes(), within_s=within_s)

    def asked(self) -> int:
        return len(self.house.planner.questions)


def _without_text(message: Any, model: str) -> Any:
    """Read the tests' own format, with the structured booking that it carries and without any text."""
    parsed = parse_request(message, model)
    given = json.loads(message.body).get("booking")
    if not isinstance(parsed, RequestArrived) or given is None:
        return parsed
    return replace(parsed, request=replace(parsed.request, text="", booking=given))


def scene(act: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    """Play a scene on virtual time."""

    async def main() -> None:
        await act(Scene())

    run_virtually(main())


def test_a_known_shape_completes_while_the_model_is_down_and_an_unknown_one_waits() -> None:
    """The skeleton of the first booking serves the next one, which is marked; nobody pretends to know another shape."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world(TemplateUse(after_ms=5_000))):
            await now.teach()
            now.house.planner.hold()
            now.house.send("second", booking=PORTO)
            now.house.send("other", booking={**PORTO, "guests": 2})
            await now.ends("second", within_s=10)
            done = now.house.durable("second")
            assert done is not None
            assert done.by_template
            assert done.outcomes[-1].content["model"] == TEMPLATE_MODEL
            search = next(one for one in done.tasks.values() if one.planned.action == "trips.search")
            assert search.do.input == {"city": "Porto"}
            await asyncio.sleep(600)
            waiting = now.house.durable("other")
            assert waiting is not None
            assert waiting.plan is None
            now.house.planner.release()
            await now.ends("other")

    scene(act)


def test_while_planning_is_stopped_nobody_waits_for_the_bound() -> None:
    """A spend limit stops all planning; a known shape goes on at once."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world(TemplateUse(after_ms=3_600_000))):
            await now.teach()
            now.house.planner.hold()
            now.gate.why = "the spend limit is reached"
            now.house.send("second", booking=PORTO)
            await now.ends("second", within_s=5)

    scene(act)


def test_one_of_a_known_shape_finds_out_that_planning_goes_on_again() -> None:
    """Where every request has a template nobody else would ask: the one whose question is wanted as a probe does."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world()):
            await now.teach()
            now.gate.why, now.gate.probes = "the spend limit is reached", True
            now.house.planner.hold()
            now.house.send("second", booking=PORTO)
            await asyncio.sleep(5)
            now.house.planner.release()
            await now.ends("second")
            done = now.house.durable("second")
            assert done is not None
            assert not done.by_template

    scene(act)


@pytest.mark.parametrize(
    ("kind", "code", "use", "by_template"),
    [
        ("stopped", "MODEL_SPEND_LIMIT", TemplateUse(), True),
        ("stopped", "BUDGET_DAY", TemplateUse(), False),
        ("stopped", "BUDGET_DAY", TemplateUse(for_money=True), True),
        ("attention", "BUDGET_BOOKING", TemplateUse(for_money=True), True),
        ("wait", "MODEL_OVERLOADED", TemplateUse(), False),
        ("stopped", "MODEL_SPEND_LIMIT", TemplateUse("never"), False),
    ],
)
def test_which_failures_a_template_answers(
    kind: PlannerFailureKind, code: str, use: TemplateUse, by_template: bool
) -> None:
    """A single overload is weather; what lasts, and what an operator wants so, is answered by a template."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world()):
            await now.teach()
            now.planner.use = use
            now.house.planner.fail(PlannerError(kind, Failure(code, "so it is")))
            now.house.send("second", booking=PORTO)
            await now.ends("second")
            done = now.house.durable("second")
            assert done is not None
            assert done.by_template is by_template

    scene(act)


def test_an_overload_that_lasts_is_no_weather() -> None:
    """After as many failures in a row the model counts as out of reach."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world()):
            await now.teach()
            down = PlannerError("wait", Failure("MODEL_OVERLOADED", "busy"))
            now.house.planner.fail(*[down for _ in range(TEMPLATE_FAILURES_MIN)])
            now.house.send("second", booking=PORTO)
            await now.ends("second")
            done = now.house.durable("second")
            assert done is not None
            assert done.by_template
            assert now.asked() == 1 + TEMPLATE_FAILURES_MIN

    scene(act)


def test_by_policy_no_model_is_asked() -> None:
    """`prefer` uses what is known at once, and so does a pin, for its own shape only; forgotten, the model is asked."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world()):
            await now.teach()
            now.planner.use = TemplateUse("prefer")
            now.house.send("second", booking=PORTO)
            await now.ends("second")
            now.planner.use = TemplateUse()
            [key] = now.house.store.templates
            assert await now.planner.pin(key, pinned=True)
            assert now.house.store.templates[key].pinned
            now.house.send("third", booking=PORTO)
            await now.ends("third")
            assert now.asked() == 1
            assert await now.planner.forget(key)
            assert not await now.planner.forget(key)
            assert now.house.store.templates == {}
            now.house.send("fourth", booking=LISBON)
            await now.ends("fourth")
            assert now.asked() == 2

    scene(act)


def test_templates_survive_the_process() -> None:
    """What was learnt is known to the next process, also when its model is down from the start."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world()):
            await now.teach()
        now.house.planner.hold()
        async with now.house.process(now.world(TemplateUse(after_ms=1_000))):
            now.house.send("second", booking=PORTO)
            await now.ends("second")

    scene(act)


def test_a_plan_of_the_house_itself_is_learnt_from_or_not_and_hurts_nobody() -> None:
    """A booking that waited and completed does not end the daemon, whatever it teaches."""
    plan = proposal(task("pause", "jada.wait", seconds=5), *PLAN["tasks"])

    async def act(now: Scene) -> None:
        now.house = House(lambda _: plan)
        async with now.house.process(now.world()) as orchestrator:
            now.house.send("first", booking=LISBON)
            await now.ends("first")
            now.house.send("second", booking=PORTO)
            await now.ends("second")
            assert orchestrator.in_memory == 0
        assert now.house.store.templates == {}

    scene(act)


def test_a_slow_answer_is_not_cut_off() -> None:
    """Where tasks of an answer arrive, the model is in reach, however long it takes."""

    async def act(now: Scene) -> None:
        async with now.house.process(now.world(TemplateUse(after_ms=10))):
            await now.teach()
            now.house.send("second", booking=LISBON)
            await now.ends("second")
            done = now.house.durable("second")
            assert done is not None
            assert not done.by_template

    scene(act)
