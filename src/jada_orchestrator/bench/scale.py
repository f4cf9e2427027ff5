"""Ten thousand bookings in flight, and a hundred thousand waiting: memory, and the loop's own lag.

    python -m jada_orchestrator.bench.scale parked 10000     # prints JSON
    python -m jada_orchestrator.bench.scale waiting 100000

Each runs in a process of its own, so that the memory is its own.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from jada_orchestrator.bench.booking import OUTPUT, bench_catalogue, bench_proposal, booking
from jada_orchestrator.bench.figures import Figure, median, percentile
from jada_orchestrator.bench.stage import NullFunctions, NullSource, NullWorkers, Setting, Stage, new_folder, open_stage
from jada_orchestrator.domain.catalogue import AgentLimits, Catalogue, LambdaTransport, SqsTransport
from jada_orchestrator.domain.events import Succeeded
from jada_orchestrator.domain.ids import AgentName
from jada_orchestrator.domain.limits import ACTION_TIMEOUT_MAX_MS
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.queues import AgentReply, Delivery
from jada_orchestrator.wire import replies

_TICK_S: Final = 0.005
_LAG_S: Final = 3.0
_REPLIES_PER_S: Final = 500
_REPLIES_EACH: Final = 10
_OUTPUT: Final = json.dumps(OUTPUT).encode()


@dataclass(frozen=True, slots=True)
class Parked:
    """What so many bookings in mid-flight cost."""

    bookings: int
    bytes_each: float
    lag_p50_ms: float
    lag_p99_ms: float
    lag_max_ms: float
    replies_per_s: float
    """What came in while the lag was measured."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What requests that wait in the queue cost: resident memory with few and with many behind."""

    waiting: int
    rss_few: int
    rss_many: int


class FreshFunctions(NullFunctions):
    """Null agents whose every answer is an object of its own, as one that was read from the wire is."""

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Succeed."""
        self.calls += 1
        return replies.read_payload(_OUTPUT, call)


class SlowReplies(NullSource):
    """Replies of workers: ten at a time, as they are released."""

    def __init__(self, workers: NullWorkers) -> None:
        """Answer calls that the workers took."""
        self._workers = workers
        self._free = asyncio.Semaphore(0)
        self._calls: dict[str, AgentCall] = {}
        self.sent = 0

    def release(self) -> None:
        """Let ten replies come."""
        self._free.release()

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Return the next ten when they are released."""
        await self._free.acquire()
        recent = self._workers.recent
        calls = [recent.popleft() for _ in range(min(_REPLIES_EACH, messages_max, len(recent)))]
        numbered = {str(number): call for number, call in enumerate(calls, self.sent)}
        self.sent += len(calls)
        self._calls.update(numbered)
        return [Delivery(Message(number, {}), "handle", number, 1, 0) for number in numbered]

    def parse(self, body: str) -> AgentReply:
        """Return the reply to the call of this number."""
        call = self._calls.pop(body)
        return AgentReply(call.workflow_id, call.task_id, call.attempt, call.idempotency_key, Succeeded(OUTPUT))


def holds_wait() -> Catalogue:
    """Return the catalogue in which reservations are made by workers, and everything else by functions.

    On a slow host calls would otherwise be given up while they are meant to wait, and thousands at once be made again.
    """
    found = bench_catalogue()
    rooms = replace(found.agents[AgentName("rooms")], transport=SqsTransport("rooms"), limits=AgentLimits(1_000_000))
    patient = {name: replace(action, timeout_ms=ACTION_TIMEOUT_MAX_MS) for name, action in found.actions.items()}
    return replace(found, agents={**found.agents, rooms.name: rooms}, actions=patient)


async def parked(bookings: int) -> Parked:
    """Bring so many bookings to where they wait for their reservations, and look at memory and lag."""
    workers = NullWorkers()
    slow = SlowReplies(workers)
    warm = 200
    setting = Setting(holds_wait(), bench_proposal(), warm, bookings + warm)
    with tempfile.TemporaryDirectory() as folder:
        async with open_stage(
            new_folder(Path(folder)),
            setting,
            functions=FreshFunctions(),
            workers=workers,
            replies=slow,
            parse_reply=slow.parse,
        ) as stage:
            await until_waiting(workers, 4 * warm)
            before = _rss(collect=True)
            stage.requests.add(bookings)
            await until_waiting(workers, 4 * (warm + bookings))
            each = (_rss(collect=True) - before) / bookings
            lags = await _lags(slow)
    return Parked(
        bookings,
        each,
        percentile(lags, 0.5) * 1e3,
        percentile(lags, 0.99) * 1e3,
        max(lags) * 1e3,
        slow.sent / _LAG_S,
    )


async def until_waiting(workers: NullWorkers, calls: int) -> None:
    """Return when so many calls were given to the workers in all."""
    while workers.taken < calls:  # noqa: ASYNC110 - an event set by each of 40,000 calls would be part of what is measured
        await asyncio.sleep(0.01)


async def _lags(slow: SlowReplies) -> list[float]:
    """Return by how much each tick of the loop came late, with replies coming in evenly all the time."""
    found: list[float] = []
    began = time.perf_counter()
    released = 0
    while (now := time.perf_counter()) < began + _LAG_S:
        while released * _REPLIES_EACH < (now - began) * _REPLIES_PER_S:
            slow.release()
            released += 1
        due = now + _TICK_S
        await asyncio.sleep(_TICK_S)
        found.append(max(0.0, time.perf_counter() - due))
    return found


async def waiting(requests: int) -> Waiting:
    """Work on a thousand bookings at a time, first with few, then with so many requests behind them.

    The queue holds the requests, as SQS does; what is measured is that this process takes no more of them than it may.
    """
    at_once = 100

    def booked(number: int, message: Message) -> Any:  # noqa: ANN401 - as `Setting` has it
        return booking(number, message=message)

    setting = Setting(holds_wait(), bench_proposal(), at_once, at_once, booking_of=booked)
    workers = NullWorkers()
    with tempfile.TemporaryDirectory() as folder:
        async with open_stage(new_folder(Path(folder)), setting, workers=workers) as stage:
            await until_waiting(workers, 4 * at_once)
            few = _rss(collect=True)
            stage.requests.add(requests)
            await asyncio.sleep(1.0)
            many = _rss(collect=True)
            assert stage.requests.waiting >= requests - 20, "what cannot be admitted stays in the queue"
            assert _in_memory(stage) <= at_once
    return Waiting(requests, few, many)


def _in_memory(stage: Stage) -> int:
    return stage.orchestrator.in_memory


def _rss(*, collect: bool) -> int:
    """Return the resident memory of this process in bytes."""
    if collect:
        gc.collect()
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def _in_process_of_its_own(what: str, count: int) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jada_orchestrator.bench.scale", what, str(count), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"measuring {what} failed with status {process.returncode}")
    found: dict[str, Any] = json.loads(output)
    return found


async def memory_and_lag(bookings: int, requests: int, runs: int) -> list[Figure]:
    """Measure both."""
    found = [Parked(**await _in_process_of_its_own("parked", bookings)) for _ in range(runs)]
    behind = [Waiting(**await _in_process_of_its_own("waiting", requests)) for _ in range(runs)]
    load = f"{bookings:,} in flight, {median([each.replies_per_s for each in found]):,.0f} replies/s"
    return [
        Figure(
            f"memory of one waiting booking, {bookings:,} in flight",
            "KB",
            median([each.bytes_each for each in found]) / 1e3,
            "less",
            target=15.0,
            runs=runs,
            limited_by="answers as text, and the objects of tasks and calls; what bookings of a kind share counts once",
        ),
        Figure(
            f"lag of the loop, p99, {load}",
            "ms",
            median([each.lag_p99_ms for each in found]),
            "less",
            target=20.0,
            runs=runs,
            limited_by="the length of a turn, and the collector's passes over what is in memory",
        ),
        Figure(
            f"memory with {requests:,} requests waiting in the queue",
            "MB",
            median([each.rss_many for each in behind]) / 1e6,
            "less",
            floor_name="the same with none waiting",
            floor=median([each.rss_few for each in behind]) / 1e6,
            target=1.1,
            runs=runs,
            limited_by="nothing is received that cannot be admitted",
        ),
    ]


if __name__ == "__main__":
    import uvloop

    asked, number = sys.argv[1], int(sys.argv[2])
    result = uvloop.run(parked(number)) if asked == "parked" else uvloop.run(waiting(number))
    print(json.dumps(asdict(result)))  # noqa: T201 - whoever started it reads it
