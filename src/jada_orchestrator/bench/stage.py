"""The real runtime on a stage: a real SQLite journal and turn loop; null agents, requests and outcomes in memory."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.adapters.journal.opening import Store
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.bench.booking import MODEL, OUTPUT, booking
from jada_orchestrator.domain.catalogue import Catalogue, LambdaTransport, SqsTransport
from jada_orchestrator.domain.events import RequestArrived, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall, CallEnded, FunctionCaller, WorkerSender
from jada_orchestrator.ports.log import Level
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.ports.queues import AgentReply, Delivery, MessageSource, OutcomeMessage, UnreadableReply
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import Tunables, Wire, World
from jada_orchestrator.service.interpreter import tune_interpreter
from jada_orchestrator.testing.planner import ScriptedPlanner
from jada_orchestrator.testing.quiet import QuietWatcher

_RECENT: Final = 2_000
_FOR_EVER_S: Final = 1e6


class SilentLog:
    """The port `Log`, wanting nothing: what is measured is not the log."""

    def wants(self, level: Level) -> bool:
        """Want nothing."""
        return False

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Forget one event, unless it tells that the measurement is worthless."""
        if level in {"critical", "error"}:
            raise AssertionError(f"{event}: {message}")


class NullFunctions:
    """The port `FunctionCaller`: every call succeeds at once with `OUTPUT`."""

    def __init__(self) -> None:
        """Begin with no call made."""
        self.calls = 0
        self._ended = CallEnded(Succeeded(OUTPUT))

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Succeed."""
        self.calls += 1
        return self._ended

    async def close(self) -> None:
        """Do nothing."""


class NullWorkers:
    """The port `WorkerSender`: takes every task and never answers, so that workflows wait."""

    def __init__(self) -> None:
        """Begin with nothing taken."""
        self.taken = 0
        self.recent: deque[AgentCall] = deque(maxlen=_RECENT)
        """Few, so that this stand-in's own memory does not count."""

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Leave it to `send`."""
        return None

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Take it."""
        self.taken += 1
        self.recent.append(call)
        return None

    async def close(self) -> None:
        """Do nothing."""


class NullSource:
    """The port `MessageSource`, empty for ever."""

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for ever."""
        await asyncio.sleep(_FOR_EVER_S)
        return ()

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Forget them."""

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Forget them."""

    async def close(self) -> None:
        """Do nothing."""


class NumberedSource(NullSource):
    """Delivers messages whose bodies are the numbers from `first` on, so many of them, as fast as they are taken."""

    def __init__(self, count: int, first: int = 0) -> None:
        """Make nothing yet: a message is made when it is received."""
        self._next = first
        self._end = first + count
        self._more = asyncio.Event()
        self.deleted = 0

    @property
    def waiting(self) -> int:
        """Messages that were not received yet."""
        return self._end - self._next

    def add(self, count: int) -> None:
        """Have so many more come."""
        self._end += count
        self._more.set()

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Return the next ones; wait while there are none."""
        while self._next >= self._end:
            self._more.clear()
            await self._more.wait()
        await asyncio.sleep(0)  # once round the loop, as a real queue does
        taken = range(self._next, min(self._next + messages_max, self._end))
        self._next = taken.stop
        return [Delivery(Message(str(number), {}), "handle", str(number), 1, 0) for number in taken]

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Count them."""
        self.deleted += len(deliveries)


class CountedOutcomes:
    """The port `OutcomeSink`: counts, and wakes whoever waits for so many."""

    def __init__(self) -> None:
        """Begin with none."""
        self.count = 0
        self.by_tenant: Counter[str] = Counter()
        self.at = 0.0
        """When the last one came, by `time.perf_counter`."""
        self._awaited = 0
        self._enough = asyncio.Event()

    async def publish(self, outcome: OutcomeMessage) -> None:
        """Count one."""
        self.count += 1
        self.by_tenant[outcome.group] += 1
        if self.count >= self._awaited:
            self.at = time.perf_counter()
            self._enough.set()

    async def dead_letter(self, message: Message, failure: Failure) -> None:
        """Refuse: nothing that is measured here may end so."""
        raise AssertionError(f"{failure.code}: {failure.message}")

    async def close(self) -> None:
        """Do nothing."""

    async def until(self, count: int) -> None:
        """Wait until so many have come in all."""
        self._awaited = count
        if self.count < count:
            self._enough.clear()
            await self._enough.wait()


@dataclass(slots=True)
class Stage:
    """What a measurement needs to know of a running orchestrator."""

    orchestrator: Orchestrator
    requests: NumberedSource
    outcomes: CountedOutcomes
    clock: SystemClock
    running: asyncio.Task[object]

    async def completed(self, count: int) -> None:
        """Wait until so many bookings have ended, or raise what ended the orchestrator before."""
        await self.reached(self.outcomes.until(count))

    async def reached(self, waiting: Awaitable[object]) -> None:
        """Wait for something, or raise what ended the orchestrator before."""
        task = asyncio.ensure_future(waiting)
        await asyncio.wait({self.running, task}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            self.running.result()
            raise AssertionError("the orchestrator ended before what was waited for")


@dataclass(frozen=True, slots=True)
class Setting:
    """How a stage is set."""

    catalogue: Catalogue
    proposal: str
    bookings: int
    at_once: int
    calls_at_once: int = 1_000_000
    plan: Callable[[PlannerQuestion], str] | None = None
    """What is answered instead of `proposal`, by the question."""
    booking_of: Callable[[int, Message], RequestArrived] = lambda number, message: booking(number, message=message)


def new_folder(parent: Path) -> Path:
    """Return a new folder for one store."""
    return Path(tempfile.mkdtemp(dir=parent))


@asynccontextmanager
async def open_stage(
    folder: Path,
    setting: Setting,
    *,
    functions: FunctionCaller | None = None,
    workers: WorkerSender | None = None,
    replies: MessageSource | None = None,
    parse_reply: Callable[[str], AgentReply | UnreadableReply] | None = None,
    journal_of: Callable[[Path], SqliteJournal] = SqliteJournal,
    store: Store | None = None,
) -> AsyncIterator[Stage]:
    """Run an orchestrator in the background, and stop and close everything at the end.

    Without a `store` it has a new SQLite journal in the folder.
    """
    tune_interpreter()  # as the daemon does
    clock = SystemClock()
    store = store or Store(journal_of(folder / "journal.db"))
    await store.journal.open()
    requests, outcomes = NumberedSource(setting.bookings), CountedOutcomes()
    world = World(
        journal=store.journal,
        ownership=store.ownership,
        planner=ScriptedPlanner(setting.plan or (lambda _: setting.proposal), remembers=False),
        functions=functions or NullFunctions(),
        workers=workers or NullWorkers(),
        requests=requests,
        replies=replies or NullSource(),
        outcomes=outcomes,
        clock=clock,
        log=SilentLog(),
        watcher=QuietWatcher(),
        wire=Wire(
            parse_request=lambda message, _: setting.booking_of(int(message.body), message),
            parse_reply=parse_reply or _no_reply,
            encode_outcome=lambda *_: "{}",
        ),
    )
    tunables = Tunables(
        catalogue=setting.catalogue,
        model=MODEL,
        outcome_queue="outcomes",
        reply_to_allowed=frozenset(),
        calls_in_flight_max=setting.calls_at_once,
        workflows_in_flight_max=setting.at_once,
        receivers=2,
        drain_ms=2_000,
    )
    orchestrator = Orchestrator(world, tunables)
    stage = Stage(orchestrator, requests, outcomes, clock, asyncio.create_task(orchestrator.run()))
    try:
        yield stage
    finally:
        stage.orchestrator.stop()
        try:
            await stage.running
        finally:
            await store.journal.close()


def _no_reply(body: str) -> AgentReply | UnreadableReply:
    return UnreadableReply(Failure("NO_REPLY", body))
