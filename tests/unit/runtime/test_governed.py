"""The governed planner: who waits, what is told once, what money allows, and what the cache says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from jada_orchestrator.capacity.budgets import BudgetLimits, Budgets
from jada_orchestrator.capacity.governor import Governor, GovernorSettings
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.usage import PlannerSignal, Usage
from jada_orchestrator.ports.planner import CallEstimate, PlannerError, PlannerQuestion
from jada_orchestrator.runtime.governed import GovernedPlanner, Governing
from jada_orchestrator.testing.planner import FAKE_USAGE, ScriptedPlanner
from jada_orchestrator.testing.quiet import QuietLog
from jada_orchestrator.testing.virtual_time import VirtualClock, run_virtually
from tests.unit.adapters.claude.questions import HAIKU, SONNET, question

PROPOSAL = {"outcome": "refuse", "reason": "no", "questions": [], "tasks": [], "result": []}
EXPECTED = {SONNET: Decimal("0.02"), HAIKU: Decimal("0.005")}


class Fixed:
    """Estimates that never change; a model that is not listed has no known price."""

    def estimate(self, asked: PlannerQuestion) -> CallEstimate:
        expected = EXPECTED.get(asked.model)
        return CallEstimate(100, 900, expected, None if expected is None else expected * 3)


class Place:
    """A governed planner around a scripted one."""

    def __init__(self, governing: Governing | None = None, connections: int = 16) -> None:
        self.log = QuietLog()
        self.inner = ScriptedPlanner(lambda _: PROPOSAL)
        self.governor = Governor(GovernorSettings(connections=connections))
        self.clock = clock = VirtualClock(asyncio.get_running_loop())
        governing = governing or Governing()
        budgets = Budgets(governing.limits)
        self.budgets = budgets
        self.planner = GovernedPlanner(
            self.inner, Fixed(), self.governor, budgets, clock=clock, log=self.log, governing=governing
        )

    def fail(self, signal: PlannerSignal, count: int = 1, retry_after_ms: int | None = None) -> None:
        kind = "stopped" if signal == "spent" else "wait"
        self.inner.fail(
            *[
                PlannerError(kind, Failure("X", signal), retry_after_ms=retry_after_ms, signal=signal)  # type: ignore[arg-type]
                for _ in range(count)
            ]
        )

    async def fails(self, asked: PlannerQuestion | None = None) -> PlannerError:
        with pytest.raises(PlannerError) as caught:
            await self.planner.propose(asked or question())
        return caught.value


def virtually(test: Callable[[], Awaitable[None]]) -> None:
    """Run an asynchronous test on virtual time."""

    async def main() -> None:
        await test()

    run_virtually(main())


def test_everybody_waits_once_for_a_429() -> None:
    """After one 429 nobody else is refused: all wait together, one goes first, and all are answered."""

    async def test() -> None:
        place = Place()
        place.fail("slow_down", retry_after_ms=20_000)
        await place.fails()
        loop = asyncio.get_running_loop()
        began = loop.time()
        answers = await asyncio.gather(*(place.planner.propose(question()) for _ in range(30)))
        assert loop.time() - began == pytest.approx(20, abs=0.1)
        assert min(answer.waited_ms for answer in answers) >= 19_000
        assert len(place.inner.questions) == 31
        assert place.log.events() == ["planning.slowed", "planning.resumed"]

    virtually(test)


def test_one_probe_while_it_is_closed() -> None:
    """While the service is overloaded, a single question at a time is put, each later than the one before."""

    async def test() -> None:
        place = Place()
        place.fail("overloaded", 6)
        for _ in range(3):
            await place.fails()
        asked = [asyncio.ensure_future(place.planner.propose(question())) for _ in range(20)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert sum(isinstance(result, PlannerError) for result in results) == 3
        assert place.planner.tally.probes_at_once_max == 1
        assert place.planner.waiting == 0

    virtually(test)


def test_a_spend_limit_is_told_once_and_stops_planning() -> None:
    """The operator is told once, however many probes are refused; `stopped` says why until one is answered."""

    async def test() -> None:
        place = Place()
        place.fail("spent", 4)
        await place.fails()
        assert place.planner.stopped() == "X: spent"
        for _ in range(3):
            await place.fails()
        await place.planner.propose(question())
        assert place.planner.stopped() is None
        assert place.log.events().count("planning.stopped") == 1

    virtually(test)


def test_a_probe_is_wanted_once_its_time_has_come() -> None:
    """While the spend limit holds nobody is sent for nothing; then one question is, and no other beside it."""

    async def test() -> None:
        place = Place()
        place.fail("spent")
        await place.fails()
        assert not place.planner.wants_a_probe()
        await asyncio.sleep(600)
        assert place.planner.stopped() is not None
        assert place.planner.wants_a_probe()
        place.inner.hold()
        probe = asyncio.ensure_future(place.planner.propose(question()))
        await place.inner.wait_until_asked(2)
        assert not place.planner.wants_a_probe()
        place.inner.release()
        await probe
        assert place.planner.stopped() is None
        assert not place.planner.wants_a_probe()

    virtually(test)


def test_who_asks_a_cheaper_model_holds_up_nobody_at_the_own_one() -> None:
    """One tenant is short and waits for the cheaper model to recover: the others' model is open, and they go on."""

    async def test() -> None:
        limits = BudgetLimits(tenant_day=Decimal("0.03"))
        place = Place(Governing(when_short="cheaper", cheaper_model=HAIKU, limits=limits))
        place.fail("slow_down", retry_after_ms=60_000)
        await place.fails(question(model=HAIKU))
        place.budgets.restore([("acme", Decimal("0.02"))], place.clock.now())
        short = asyncio.ensure_future(place.planner.propose(question()))
        await asyncio.sleep(0)
        assert place.planner.waiting == 1
        other = replace(question(), request=replace(question().request, tenant="zeta"))  # type: ignore[arg-type]
        began = asyncio.get_running_loop().time()
        assert (await place.planner.propose(other)).model == SONNET
        assert asyncio.get_running_loop().time() - began < 1
        assert (await short).model == HAIKU

    virtually(test)


def test_a_bookings_questions_side_by_side_share_its_budget() -> None:
    """Several choices of one booking at once: what those under way may cost, and did cost, counts for the rest."""

    async def test() -> None:
        place = Place(Governing(limits=BudgetLimits(booking=Decimal("0.05"))))
        asked = [asyncio.ensure_future(place.planner.propose(question())) for _ in range(12)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        refused = [result for result in results if isinstance(result, PlannerError)]
        assert {error.failure.code for error in refused} == {"BUDGET_BOOKING"}
        spent = Decimal(place.planner.tally.usage.usd or "NaN")
        assert spent <= Decimal("0.05")
        another = replace(question(), workflow_id=WorkflowId("wf-another"))
        await place.planner.propose(another)

    virtually(test)


def test_the_fallback_model_is_asked_while_the_own_one_is_overloaded() -> None:
    """With a fallback model nobody waits for the breaker; the own model is probed by and by and taken again."""

    async def test() -> None:
        place = Place(Governing(fallback_model=HAIKU))
        place.fail("overloaded", 3)
        for _ in range(3):
            await place.fails()
        answer = await place.planner.propose(question())
        assert answer.model == HAIKU
        await asyncio.sleep(5)
        assert (await place.planner.propose(question())).model == SONNET

    virtually(test)


def test_a_cut_stream_does_not_cost_the_booking() -> None:
    """An answer that broke off because the service is in trouble is waited for, not counted as a bad answer."""

    async def test() -> None:
        place = Place()
        place.inner.fail(PlannerError("bad_answer", Failure("CUT", "cut"), usage=FAKE_USAGE, signal="overloaded"))
        error = await place.fails()
        assert (error.kind, error.usage) == ("wait", FAKE_USAGE)

    virtually(test)


def test_a_question_given_up_while_waiting_is_never_put() -> None:
    """Cancelling a question that waits takes nothing, and one that was just given leave gives everything back."""

    async def test() -> None:
        place = Place(connections=1)
        place.inner.hold()
        first = asyncio.ensure_future(place.planner.propose(question()))
        second = asyncio.ensure_future(place.planner.propose(question()))
        await place.inner.wait_until_asked(1)
        assert place.planner.waiting == 1
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        place.inner.release()
        await place.planner.propose(question())
        assert len(place.inner.questions) == 2
        assert place.governor.under_way == 0

    virtually(test)


def test_a_tenants_budget_waits_for_the_next_day() -> None:
    """When a tenant's day is used up, its questions are told to wait for midnight; other tenants go on."""

    async def test() -> None:
        place = Place(Governing(limits=BudgetLimits(tenant_day=Decimal("0.03"))))
        for _ in range(3):
            await place.planner.propose(question())
        error = await place.fails()
        assert (error.kind, error.failure.code) == ("stopped", "BUDGET_TENANT_DAY")
        assert error.retry_after_ms == 16 * 3_600_000  # virtual clocks begin at 08:00
        assert place.planner.stopped() is None
        other = question()
        await place.planner.propose(replace(other, request=replace(other.request, tenant="zeta")))  # type: ignore[arg-type]
        assert "budget.spent" in place.log.events()

    virtually(test)


def test_the_days_budget_stops_planning_until_midnight() -> None:
    """When everybody's day is used up, intake is told to stop; after midnight planning goes on by itself."""

    async def test() -> None:
        place = Place(Governing(limits=BudgetLimits(day=Decimal("0.021"))))
        await place.planner.propose(question())
        await place.fails()
        assert "daily budget" in str(place.planner.stopped())
        await asyncio.sleep(16 * 3_600)
        assert place.planner.stopped() is None
        await place.planner.propose(question())

    virtually(test)


@pytest.mark.parametrize(("when_short", "model"), [("cheaper", HAIKU), ("wait", None), ("attention", None)])
def test_what_becomes_of_a_question_when_money_is_short(when_short: str, model: str | None) -> None:
    """As configured: a cheaper model is asked, or the question waits, or a person decides."""

    async def test() -> None:
        governing = Governing(
            when_short=when_short,  # type: ignore[arg-type]
            cheaper_model=HAIKU,
            limits=BudgetLimits(day=Decimal("0.01")),
        )
        place = Place(governing)
        if model is not None:
            assert (await place.planner.propose(question())).model == model
        else:
            kind = "stopped" if when_short == "wait" else "attention"
            assert (await place.fails()).kind == kind

    virtually(test)


def test_a_bookings_own_budget_goes_to_a_person() -> None:
    """A booking that has used its own budget up cannot wait for a better day."""

    async def test() -> None:
        place = Place(Governing(limits=BudgetLimits(booking=Decimal("0.05"))))
        await place.planner.propose(replace(question(), spent=Usage(usd="0.03")))
        error = await place.fails(replace(question(), spent=Usage(usd="0.031")))
        assert (error.kind, error.failure.code) == ("attention", "BUDGET_BOOKING")

    virtually(test)


def test_an_unknown_price_is_not_free() -> None:
    """With a budget, a model whose price nobody knows is not asked; without one it is."""

    async def test() -> None:
        asked = question(model="claude-unheard-of")
        assert (await Place(Governing(limits=BudgetLimits(day=Decimal(1)))).fails(asked)).failure.code == (
            "BUDGET_PRICE_UNKNOWN"
        )
        await Place().planner.propose(asked)

    virtually(test)


def test_new_budgets_let_waiting_questions_go() -> None:
    """A reload with a higher budget takes effect at once."""

    async def test() -> None:
        place = Place(Governing(limits=BudgetLimits(day=Decimal("0.01"))))
        await place.fails()
        place.planner.retune(Governing(limits=BudgetLimits(day=Decimal(1))))
        assert place.planner.stopped() is None
        await place.planner.propose(question())

    virtually(test)


def test_a_budget_is_warned_of_at_eighty_per_cent() -> None:
    """The operator is warned once when four fifths are spent."""

    async def test() -> None:
        place = Place(Governing(limits=BudgetLimits(day=Decimal("0.025"))))
        for _ in range(5):
            place.budgets.limits = BudgetLimits(day=Decimal("0.0055") * 5)
            with_price = replace(question(), model=HAIKU)
            await place.planner.propose(with_price)
        assert place.log.events().count("budget.nearly_spent") == 1

    virtually(test)


def test_a_cold_cache_is_warned_of_once() -> None:
    """Answer after answer without a single token from a cache that must be warm is a warning; rare answers are not."""

    async def test() -> None:
        place = Place()
        for _ in range(8):
            await place.planner.propose(question())
            await asyncio.sleep(600)
        assert place.log.events() == []
        for _ in range(8):
            await place.planner.propose(question())
            await asyncio.sleep(10)
        assert place.log.events() == ["cache.cold"]

    virtually(test)
