"""How long a start takes with bookings in mid-flight, beside merely reading the journal."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.bench.booking import MODEL, OUTPUT, bench_catalogue, bench_proposal, booking
from jada_orchestrator.bench.figures import Figure, Timed, median
from jada_orchestrator.bench.stage import NullFunctions, Setting, new_folder, open_stage
from jada_orchestrator.domain.catalogue import Catalogue, LambdaTransport
from jada_orchestrator.domain.events import AttemptEnded, ProposalReceived, SlotGranted, Succeeded
from jada_orchestrator.domain.ids import workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import step
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.journal import Append
from jada_orchestrator.runtime.heads import head_of

_COMMIT = 500


class CountedFunctions(NullFunctions):
    """Null agents that keep every call waiting, and wake whoever waits for so many workflows to be heard of."""

    def __init__(self, awaited: int) -> None:
        """Begin with nobody heard of."""
        super().__init__()
        self._heard: set[str] = set()
        self._awaited = awaited
        self.all_heard = asyncio.Event()

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Note who calls, and never answer."""
        self._heard.add(call.workflow_id)
        if len(self._heard) == self._awaited:
            self.all_heard.set()
        await asyncio.get_running_loop().create_future()
        return await super().call(target, call)


async def recovery(folder: Path, bookings: int, runs: int) -> Figure:
    """Measure from making the orchestrator until each booking's calls are made again."""
    catalogue = bench_catalogue()
    filled = new_folder(folder)
    await _fill(filled, bookings, catalogue)
    ours: list[Timed] = []
    floors: list[Timed] = []
    for _ in range(runs):
        here = folder / f"copy-{bookings}-{len(ours)}"
        shutil.copytree(filled, here)
        floors.append(await _read(here))
        functions = CountedFunctions(bookings)
        setting = Setting(catalogue, bench_proposal(), 0, bookings)
        began, cpu = time.perf_counter(), time.process_time()
        async with open_stage(here, setting, functions=functions) as stage:
            await stage.reached(functions.all_heard.wait())
            ours.append(Timed(time.perf_counter() - began, time.process_time() - cpu))
        shutil.rmtree(here)
    return Figure(
        measure=f"recovery of {bookings:,} bookings in mid-flight, until all calls are made again",
        unit="ms",
        value=median([timed.wall_s for timed in ours]) * 1e3,
        better="less",
        floor_name="reading the journal",
        floor=median([timed.wall_s for timed in floors]) * 1e3,
        runs=runs,
        cpu_us=median([timed.cpu_s for timed in ours]) / bookings * 1e6,
        floor_cpu_us=median([timed.cpu_s for timed in floors]) / bookings * 1e6,
        limited_by="folding each record, and one commit of what is taken up again",
    )


async def _read(folder: Path) -> Timed:
    began, cpu = time.perf_counter(), time.process_time()
    journal = SqliteJournal(folder / "journal.db")
    await journal.open()
    async for _ in journal.unfinished():
        pass
    timed = Timed(time.perf_counter() - began, time.process_time() - cpu)
    await journal.close()
    return timed


async def _fill(folder: Path, bookings: int, catalogue: Catalogue) -> None:
    """Write so many bookings, whose searches have ended and whose reservations are under way."""
    journal = SqliteJournal(folder / "journal.db")
    await journal.open()
    await journal.put_catalogue(catalogue)
    now = UtcMs(int(time.time() * 1_000))
    batch: list[Append] = []
    for number in range(bookings):
        workflow, entries = _in_mid_flight(number, catalogue, now)
        batch.append(Append(workflow.workflow_id, tuple(entries), head_of(workflow)))
        if len(batch) == _COMMIT or number == bookings - 1:
            await journal.append(batch)
            batch = []
    await journal.close()


def _in_mid_flight(number: int, catalogue: Catalogue, now: UtcMs) -> tuple[Workflow, list[Entry]]:
    arrived = booking(number)
    workflow = Workflow(workflow_id_of(arrived.request.request_id))
    entries = step(workflow, arrived, now, catalogue)
    entries += step(workflow, ProposalReceived(1, bench_proposal(), MODEL, Usage(), 2_000, 500), now, catalogue)
    for after_ms in (0, 100):
        for (task_id, side), *_ in list(claimable(workflow)):
            entries += step(workflow, SlotGranted(task_id, side), UtcMs(now + after_ms), catalogue)
        if after_ms == 0:
            for task_id, side in list(workflow.active):
                ended = AttemptEnded(task_id, side, "call", 1, 1, Succeeded(OUTPUT))
                entries += step(workflow, ended, UtcMs(now + 50), catalogue)
    return workflow, entries
