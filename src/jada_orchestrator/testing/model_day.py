"""A day of bad weather at the model's API, on virtual time: what the governor makes of it, counted at the endpoint.

The endpoint is a stand-in that answers as the real one does in good and bad stretches; the runtime, the engine and the
governor in front of it are the real ones. Each booking is one search, since only planning is looked at.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from jada_orchestrator.capacity.budgets import BudgetLimits, Budgets
from jada_orchestrator.capacity.governor import Governor, GovernorSettings
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import PlannerFailureKind, RequestArrived
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.usage import PlannerSignal, RateLimit, Usage
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.log import Level
from jada_orchestrator.ports.planner import CallEstimate, PlannerAnswer, PlannerError, PlannerQuestion, TaskListener
from jada_orchestrator.ports.queues import UnreadableReply
from jada_orchestrator.runtime.governed import GovernedPlanner
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import Tunables, Wire, World
from jada_orchestrator.testing.aws import FakeFunctions, FakeQueues
from jada_orchestrator.testing.catalogues import Ref, as_text, proposal, request, task, travel_catalogue
from jada_orchestrator.testing.journal import MemoryJournal, MemoryStore
from jada_orchestrator.testing.quiet import QuietLog, QuietWatcher
from jada_orchestrator.testing.virtual_time import VirtualClock, run_virtually

Weather: TypeAlias = Literal["rate", "overloaded", "spent", "down", "cut"]
"""Too many requests; 529; spend limit; connections refused; streams that break off, billed."""

MODEL: Final = "claude-sonnet-4-6"
CONNECTIONS: Final = 16
DAY_S: Final = 86_400
HOUR_S: Final = 3_600
_REQUESTS, _OUTCOMES, _REPLIES, _DEAD = "requests", "outcomes", "replies", "dead"
_PLAN: Final = as_text(
    proposal(task("rooms", "trips.search", city="Lisbon"), result={"offer": Ref("rooms.offers[0].offer_id").expression})
)
_BILLED: Final = Usage(input_tokens=300, output_tokens=900, cache_read_tokens=6_000, usd="0.0162")
_CUT: Final = Usage(input_tokens=300, output_tokens=200, cache_read_tokens=6_000, usd="0.0057")


@dataclass(slots=True)
class Stretch:
    """A stretch of bad weather, and what the endpoint saw in it."""

    weather: Weather
    begins_s: float
    ends_s: float
    calls: int = 0
    failures: int = 0
    known_at_s: float | None = None
    """When the third failure had been told: from then on the limit is known to be closed."""
    at_once_max: int = 0
    """The most calls at once among those that were made when the limit was known to be closed."""
    first_answer_s: float | None = None
    """After its end."""
    full_rate_s: float | None = None
    """After its end: no gate holds anybody back, or nobody waits."""


@dataclass(slots=True)
class DayReport:
    """What the day came to."""

    requests: int
    calls: int = 0
    answered: int = 0
    refused: int = 0
    billed_failures: int = 0
    usage: Usage = field(default_factory=Usage)
    completed: int = 0
    lost: int = 0
    stretches: list[Stretch] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """What the operator was told, by the names of the events."""
    waiting_while_stopped_max: int = 0
    """Bookings without a plan in memory while planning was stopped, the rest being in the queue."""

    def lines(self) -> list[str]:
        """Return the report for people."""
        calls = f"{self.calls} calls: {self.answered} answered, {self.refused} refused unbilled"
        found = [
            f"{self.requests} requests: {self.completed} completed, {self.lost} lost",
            f"{calls}, {self.billed_failures} billed and of no use",
            f"{self.usage.total_input_tokens} input and {self.usage.output_tokens} output tokens, ${self.usage.usd}",
            f"while planning was stopped, at most {self.waiting_while_stopped_max} bookings waited in memory",
        ]
        return found + [_line(stretch) for stretch in self.stretches]


def _line(stretch: Stretch) -> str:
    closed = f"{stretch.at_once_max} at once when known to be closed"
    first, full = _seconds(stretch.first_answer_s), _seconds(stretch.full_rate_s)
    lasted = stretch.ends_s - stretch.begins_s
    return (
        f"{stretch.weather} for {lasted:.0f} s: {stretch.calls} calls, {closed}; "
        f"first answer {first} after its end, full rate {full} after it"
    )


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.0f} s"


BAD_DAY: Final[tuple[tuple[Weather, float, float], ...]] = (
    ("rate", 2 * HOUR_S, 2.5 * HOUR_S),
    ("overloaded", 5 * HOUR_S, 5.5 * HOUR_S),
    ("down", 8 * HOUR_S, 9 * HOUR_S),
    ("cut", 11 * HOUR_S, 11.5 * HOUR_S),
    ("spent", 13 * HOUR_S, 17 * HOUR_S),
    ("overloaded", 20 * HOUR_S, 20.2 * HOUR_S),
)
"""Six hours and a half of the day are bad: weather, from, to."""


class WeatherEndpoint:
    """The model's API as `ports.planner.Planner`: a stand-in that counts what it is asked."""

    def __init__(self, report: DayReport, dice: random.Random) -> None:
        """Answer by the report's stretches, and write into it what was seen."""
        self._report = report
        self._dice = dice
        self._at_once = 0
        self._minute = -1
        self._in_minute = 0

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Answer, or fail as the weather has it; tells of no tasks."""
        del on_task
        loop = asyncio.get_running_loop()
        stretch = self._stretch(loop.time())
        report = self._report
        report.calls += 1
        closed = stretch is not None and stretch.known_at_s is not None and loop.time() > stretch.known_at_s
        if stretch is not None:
            stretch.calls += 1
        if closed:
            self._at_once += 1
            assert stretch is not None
            stretch.at_once_max = max(stretch.at_once_max, self._at_once)
        try:
            return await self._answer(question, stretch)
        finally:
            if closed:
                self._at_once -= 1

    async def close(self) -> None:
        """Nothing is held."""

    def estimate(self, question: PlannerQuestion) -> CallEstimate:
        """Return what most calls use."""
        return CallEstimate(300, 900, Decimal("0.0162"), Decimal("0.05"))

    def _stretch(self, now_s: float) -> Stretch | None:
        return next((each for each in self._report.stretches if each.begins_s <= now_s < each.ends_s), None)

    async def _answer(self, question: PlannerQuestion, stretch: Stretch | None) -> PlannerAnswer:
        loop = asyncio.get_running_loop()
        minute = int(loop.time() // 60)
        self._minute, self._in_minute = minute, 1 if minute != self._minute else self._in_minute + 1
        if stretch is not None and (stretch.weather != "rate" or self._in_minute > 1):
            await self._fail(stretch)
        seconds = self._dice.uniform(2, 6)
        await asyncio.sleep(seconds)
        report = self._report
        report.answered += 1
        report.usage += _BILLED
        for past in report.stretches:
            if past.ends_s <= loop.time() and past.first_answer_s is None:
                past.first_answer_s = loop.time() - past.ends_s
        limits = (RateLimit("requests", 600, 600 - self._in_minute, self._in_minute * 100),)
        return PlannerAnswer(_PLAN, question.model, _BILLED, round(seconds * 1_000), 800, limits)

    async def _fail(self, stretch: Stretch) -> None:
        kind: PlannerFailureKind = "wait"
        signal: PlannerSignal = "overloaded"
        usage, retry_after_ms, delay_s = Usage(), None, 0.3
        match stretch.weather:
            case "rate":
                signal, retry_after_ms = "slow_down", 20_000
            case "overloaded":
                pass
            case "spent":
                kind, signal = "stopped", "spent"
            case "down":
                delay_s = 5.0
            case "cut":
                kind, usage, delay_s = "bad_answer", _CUT, 4.0
        await asyncio.sleep(delay_s)
        loop = asyncio.get_running_loop()
        stretch.failures += 1
        if stretch.failures == 3 and stretch.weather != "rate":
            # Calls that are under way now were made before anybody could know.
            stretch.known_at_s = loop.time() + delay_s
        report = self._report
        report.usage += usage
        report.billed_failures += usage.output_tokens > 0
        report.refused += usage.output_tokens == 0
        failure = Failure(f"MODEL_{stretch.weather.upper()}", f"the endpoint is {stretch.weather}")
        raise PlannerError(kind, failure, retry_after_ms=retry_after_ms, usage=usage, signal=signal)


class _DayLog(QuietLog):
    """Keeps what concerns planning as a whole."""

    def wants(self, level: Level) -> bool:
        """Want what an operator must know."""
        return level in {"warning", "error", "critical"}


def run_day(
    requests: int = 1_000,
    weather: Sequence[tuple[Weather, float, float]] = BAD_DAY,
    *,
    seed: int = 1,
    limits: BudgetLimits | None = None,
) -> DayReport:
    """Run a day of requests, evenly spread, and half a day more for what is left. Deterministic by its seed."""
    return run_virtually(_day(requests, weather, seed, limits))


async def _day(
    requests: int, weather: Sequence[tuple[Weather, float, float]], seed: int, limits: BudgetLimits | None
) -> DayReport:
    loop = asyncio.get_running_loop()
    report = DayReport(requests, stretches=[Stretch(kind, begins, ends) for kind, begins, ends in weather])
    clock = VirtualClock(loop)
    log = _DayLog()
    endpoint = WeatherEndpoint(report, random.Random(seed))
    governor = Governor(GovernorSettings(connections=CONNECTIONS))
    planner = GovernedPlanner(endpoint, endpoint, governor, Budgets(limits), clock=clock, log=log)
    queues = FakeQueues(clock)
    queues.create(_REQUESTS, _OUTCOMES, _REPLIES, _DEAD)
    store = MemoryStore()
    journal = MemoryJournal(store)
    await journal.open()
    world = World(
        journal=journal,
        planner=planner,
        functions=_functions(),
        workers=queues.workers(lambda _: ""),
        requests=queues.source(_REQUESTS),
        replies=queues.source(_REPLIES),
        outcomes=queues.outcomes(_DEAD),
        clock=clock,
        log=log,
        watcher=QuietWatcher(),
        wire=Wire(parse_request=_parse, parse_reply=_no_reply, encode_outcome=lambda *_: "{}"),
        planning=planner,
    )
    orchestrator = Orchestrator(world, _tunables())
    running = loop.create_task(orchestrator.run())
    watching = loop.create_task(_watch(report, governor, planner, orchestrator))
    for number in range(requests):
        await asyncio.sleep(DAY_S * number / requests - loop.time())
        queues.put(_REQUESTS, f"web-{number}")
    give_up_at = 1.5 * DAY_S
    while loop.time() < give_up_at and not _all_done(store, requests):  # noqa: ASYNC110 - virtual time costs nothing
        await asyncio.sleep(10)
    watching.cancel()
    orchestrator.stop()
    await running
    await planner.close()
    report.completed = sum(stored.head.status == "completed" for stored in store.workflows.values())
    report.lost = requests - report.completed
    report.told = [
        event for event in log.events() if event.startswith(("planning.s", "planning.i", "planning.resumed"))
    ]
    return report


def _all_done(store: MemoryStore, requests: int) -> bool:
    return len(store.workflows) == requests and all(stored.head.done for stored in store.workflows.values())


async def _watch(report: DayReport, governor: Governor, planner: GovernedPlanner, orchestrator: Orchestrator) -> None:
    """Note when the full rate was back after each stretch, and how many bookings wait in memory."""
    loop = asyncio.get_running_loop()
    while True:
        counts = orchestrator.snapshot().bookings
        unplanned = counts.get("planning", 0) + counts.get("accepted", 0)
        if planner.stopped() is not None:
            report.waiting_while_stopped_max = max(report.waiting_while_stopped_max, unplanned)
        for stretch in report.stretches:
            back = governor.is_fully_open(MODEL) or (planner.waiting == 0 and unplanned == 0)
            if stretch.ends_s <= loop.time() and stretch.full_rate_s is None and back:
                stretch.full_rate_s = loop.time() - stretch.ends_s
        await asyncio.sleep(5)


def _functions() -> FakeFunctions:
    functions = FakeFunctions()

    def search(call: AgentCall) -> JsonObject:
        offer = {"offer_id": f"o-{call.workflow_id}", "price": {"amount": "10.00", "currency": "USD"}}
        return {"offers": [offer]}

    functions.add("jada-trips", search)
    return functions


def _tunables() -> Tunables:
    return Tunables(
        catalogue=travel_catalogue(),
        model=MODEL,
        outcome_queue=_OUTCOMES,
        reply_to_allowed=frozenset({_OUTCOMES}),
        calls_in_flight_max=50,
        workflows_in_flight_max=1_000,
        receivers=1,
        drain_ms=1_000,
    )


def _parse(message: Message, model: str) -> RequestArrived:
    return RequestArrived(request(request_id=message.body), json.dumps(message.body), message, model)


def _no_reply(body: str) -> UnreadableReply:
    return UnreadableReply(Failure("NONE", body))
