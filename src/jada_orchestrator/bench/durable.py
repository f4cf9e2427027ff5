"""Durable task results a second, the makespan of one booking alone, and the delay from ready to dispatched."""

from __future__ import annotations

import time
from pathlib import Path

from jada_orchestrator.bench.booking import LEVELS, TASKS, bench_catalogue, bench_proposal
from jada_orchestrator.bench.figures import Figure, Timed, median, percentile
from jada_orchestrator.bench.floors import group_commit, one_after_another, recorded_booking
from jada_orchestrator.bench.stage import NullFunctions, Setting, new_folder, open_stage
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.records import AttemptStarted, OutcomeDecided
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.journal import Append

_NEEDS = {
    **{f"hold{i}": (f"search{i}",) for i in range(4)},
    "quote": tuple(f"hold{i}" for i in range(4)),
    "policy": ("quote",),
    "pay": ("policy", "quote"),
    "mail": ("pay",),
}
"""What each task of the plan waits for."""


_PYTHON = (
    "Python, in one loop; no part of it is large any more. Of 100 us of processor time a task (sampled): on the "
    "writer's thread 16, encoding and SQLite, of which the floor consists; on the loop's thread deciding 16 (an input "
    "made of outputs and held against its schema, holds and money checked, an answer fenced and held against its "
    "schema), the turn's own order with inbox and intake 13, performing 12: no command is lost or doubled, each call "
    "has its key and is a task of the loop; the plan 12, spread over its tasks: its text read strictly, judged, laid "
    "out; slots 9: fairness, bulkheads, breakers; folding 6; the loop itself 6; the audit 5: no broken law becomes "
    "durable; what follows from a state, and what is outstanding 5. The target leaves 21 us for all of these "
    "together. Compiled to machine code, with classes of its own kind, the whole would shrink by 30 (docs/decisions, "
    "30)"
)

_ALONE = (
    "a sync of the disk and two changes of thread a level, as the floor has them; then Python: two tasks a level are "
    "decided, granted, audited and handed out. That runs a sixth more functions a task than a full turn, and each "
    "takes twice the time and more, since everybody waits for the disk between two levels and wakes with cold caches: "
    "a hash that takes 1.2 us in a full turn takes 8.6; and a commit after such a pause takes a quarter longer than "
    "one that follows the last at once, as the floor's do"
)


def booking_setting(bookings: int, at_once: int) -> Setting:
    """Return the twelve-task booking, so often, so many at once."""
    return Setting(bench_catalogue(), bench_proposal(), bookings, at_once)


async def throughput(folder: Path, at_once: int, bookings: int, runs: int) -> Figure:
    """Measure durable task results a second with so many bookings at once, each run beside its floor."""
    pattern = await recorded_booking(folder, booking_setting(1, 1))
    ours: list[Timed] = []
    floors: list[Timed] = []
    for _ in range(runs):
        floors.append(await group_commit(folder, pattern, bookings, at_once))
        ours.append(await _run(folder, booking_setting(bookings, at_once)))
    results = bookings * TASKS
    return Figure(
        measure=f"durable task results, {at_once} bookings at once",
        unit="/s",
        value=median([results / timed.wall_s for timed in ours]),
        better="more",
        floor_name="the same records, group-committed",
        floor=median([results / timed.wall_s for timed in floors]),
        target=0.35,
        runs=runs,
        cpu_us=median([timed.cpu_s / results * 1e6 for timed in ours]),
        floor_cpu_us=median([timed.cpu_s / results * 1e6 for timed in floors]),
        limited_by=_PYTHON,
    )


async def _run(folder: Path, setting: Setting) -> Timed:
    async with open_stage(new_folder(folder), setting) as stage:
        began, cpu = time.perf_counter(), time.process_time()
        await stage.completed(setting.bookings)
        return Timed(stage.outcomes.at - began, time.process_time() - cpu)


class WatchedFunctions(NullFunctions):
    """Null agents that note when each call came and went."""

    def __init__(self) -> None:
        """Begin with nothing noted."""
        super().__init__()
        self.first_at: dict[WorkflowId, float] = {}
        self.ended_at: dict[WorkflowId, dict[str, float]] = {}
        self.delays_s: list[float] = []
        """From the last result that a task waited for to its own call."""

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Note and succeed."""
        now = time.perf_counter()
        ended = self.ended_at.setdefault(call.workflow_id, {})
        self.first_at.setdefault(call.workflow_id, now)
        needs = _NEEDS.get(call.task_id)
        if needs is not None:
            self.delays_s.append(now - max(ended[need] for need in needs))
        answer = await super().call(target, call)
        ended[call.task_id] = time.perf_counter()
        return answer


async def alone(folder: Path, bookings: int, runs: int) -> list[Figure]:
    """Measure the makespan of bookings one after another: from the first call made to the outcome sent."""
    pattern = await recorded_booking(folder, booking_setting(1, 1))
    begin = _first_result(pattern)
    upto = begin + LEVELS
    last = pattern[upto - 1].entries
    assert any(isinstance(entry.record, OutcomeDecided) for entry in last), "one commit for each level"
    ours: list[float] = []
    floors: list[float] = []
    for _ in range(runs):
        floors += await one_after_another(folder, pattern[:upto], begin, bookings)
        ours += await _makespans(folder, bookings)
    return [
        Figure(
            measure=f"makespan of one booking alone, {name}",
            unit="ms",
            value=percentile(ours, share) * 1e3,
            better="less",
            floor_name=f"its {LEVELS} commits one after another, {name}",
            floor=percentile(floors, share) * 1e3,
            target=target,
            runs=runs,
            limited_by=_ALONE,
        )
        for name, share, target in (("p50", 0.5, 1.6), ("p99", 0.99, 2.5))
    ]


def _first_result(pattern: list[Append]) -> int:
    """Return which commit is the first after that which let the first calls go."""
    return 1 + next(
        number
        for number, append in enumerate(pattern)
        if any(isinstance(entry.record, AttemptStarted) for entry in append.entries)
    )


async def _makespans(folder: Path, bookings: int) -> list[float]:
    functions = WatchedFunctions()
    took: list[float] = []
    async with open_stage(new_folder(folder), booking_setting(0, 1), functions=functions) as stage:
        for number in range(bookings):
            functions.first_at.clear()
            stage.requests.add(1)
            await stage.completed(number + 1)
            [first_at] = functions.first_at.values()
            took.append(stage.outcomes.at - first_at)
    return took


async def dispatch_delay(folder: Path, at_once: int, bookings: int, runs: int) -> list[Figure]:
    """Measure how long a task that has become ready waits for its call, with so many bookings at once."""
    pattern = await recorded_booking(folder, booking_setting(1, 1))
    delays: list[float] = []
    commits: list[float] = []
    for _ in range(runs):
        timed = await group_commit(folder, pattern, bookings, at_once)
        commits.append(timed.wall_s / (len(pattern) * -(-bookings // at_once)))
        functions = WatchedFunctions()
        async with open_stage(new_folder(folder), booking_setting(bookings, at_once), functions=functions) as stage:
            await stage.completed(bookings)
        delays += functions.delays_s
    return [
        Figure(
            measure=f"ready to dispatched, {at_once} bookings at once, {name}",
            unit="ms",
            value=percentile(delays, share) * 1e3,
            better="less",
            floor_name=f"one commit of {at_once} bookings",
            floor=median(commits) * 1e3,
            runs=runs,
            limited_by="at full load a turn takes what came meanwhile: the delay is the length of one to two turns",
        )
        for name, share in (("p50", 0.5), ("p99", 0.99))
    ]
