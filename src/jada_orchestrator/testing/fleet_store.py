"""The way of simulated instances to the store that they share, and the clocks of the machines they run on.

An operation is carried out where the store is. It may get there late, and its answer may come back late or never, also
when whoever asked has been paused, cut off or killed meanwhile.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.records import Entry, PlanningStarted, TaskSucceeded
from jada_orchestrator.ports.journal import (
    Append,
    JournalAmbiguousError,
    JournalError,
    JournalUnavailableError,
    Stored,
)
from jada_orchestrator.ports.ownership import Renewed, Taken, Wanted
from jada_orchestrator.testing.pausing import PausingLoop
from jada_orchestrator.testing.shared_journal import MARGIN_MS, SharedJournal, SharedStore

T = TypeVar("T")

PATIENCE_S: Final = 4.0
"""An answer that takes longer is not waited for; what was asked may still be done."""
JUMP_S_MAX: Final = 0.95 * MARGIN_MS / 1_000
"""How far the store's clock may jump forward (docs/scaling.md); the rest of the margin is for clocks' rates."""
RATE_OFF_MOST: Final = 5e-4
WALL_OFF_MS_MOST: Final = 2_000
"""Two clocks differ by at most twice as much, which is less than `LOOKUP_SAFETY_MS`."""


def drawn_pause_s(dice: random.Random) -> float:
    """Draw how long a process stands still: mostly for about as long as a lease, less or more, with its margin."""
    return dice.choice((dice.uniform(5, 10), dice.uniform(5, 15), dice.uniform(0.5, 30)))


@dataclass(frozen=True, slots=True)
class MachineClock:
    """The clocks of one machine: how fast its seconds are, where they began, and by how much its time of day is off."""

    rate: float = 1.0
    offset_s: float = 0.0
    wall_off_ms: int = 0

    @classmethod
    def drawn(cls, dice: random.Random) -> MachineClock:
        """Draw one."""
        return cls(
            1 + dice.uniform(-RATE_OFF_MOST, RATE_OFF_MOST),
            dice.uniform(0, 1e6),
            dice.randint(-WALL_OFF_MS_MOST, WALL_OFF_MS_MOST),
        )


@dataclass(slots=True)
class StoreClock:
    """The one clock by which leases are measured; it may jump."""

    loop: asyncio.AbstractEventLoop
    jumped_s: float = 0.0

    def now_s(self) -> float:
        """Return the store's time."""
        return self.loop.time() + self.jumped_s


@dataclass(slots=True)
class FleetStore(SharedStore):
    """The store; it notes in which commit each workflow began to be planned and came to its end."""

    began: dict[WorkflowId, int] = field(default_factory=dict)
    ended: dict[WorkflowId, int] = field(default_factory=dict)

    replaced: dict[WorkflowId, tuple[Entry, ...]] = field(default_factory=dict)
    """The records in the place of which tombstones stand."""
    repeated: int = 0
    """Commits that were made again after a tombstone had been put in the place of what they brought."""
    broken: list[str] = field(default_factory=list)
    """What must never happen in a store, and did."""

    def note(self, batch: Sequence[Append], number: int) -> None:
        """Note what an instance's commit brought, which is the newest one."""
        for append in batch:
            if not self.is_alive(number):
                self.broken.append(f"instance {number} wrote to {append.workflow_id} after it had been ended")
            if any(isinstance(entry.record, PlanningStarted) for entry in append.entries):
                self.began.setdefault(append.workflow_id, self.commits)
            if append.head.finished_at is not None:
                self.ended.setdefault(append.workflow_id, self.commits)


class FleetJournal(SharedJournal):
    """One instance's way to the store."""

    def __init__(
        self, store: FleetStore, dice: random.Random, loop: PausingLoop, clock: MachineClock, reads: int = 1
    ) -> None:
        """Begin with a sound way; `process` is who is paused now and then while the store works.

        A program that `reads` format 2 writes task results in it, which one that reads format 1 cannot read.
        """
        super().__init__(
            store,
            reads=reads,
            format_of=lambda each: reads if isinstance(each, TaskSucceeded) else 1,
            tombstones=2,
        )
        self._noted = store
        self.is_cut = False
        self._is_slow = False
        self.process: object = self
        self._dice = dice
        self._loop = loop
        self._clock = clock

    def elapsed_s(self) -> float:
        """Return the machine's own clock, which no pause stops."""
        return self._clock.offset_s + self._loop.time() * self._clock.rate

    async def append(self, batch: Sequence[Append]) -> None:
        """Make the batch durable; now and then its answer is lost."""
        dice = self._dice
        await self._pause_at(0.003)
        if dice.random() < 0.015:
            there_s = dice.uniform(0, dice.choice((6, 20)))
            if dice.random() < 0.5:  # a machine that hangs: what it sent gets there when its lease may long be over
                self._loop.pause(self.process, drawn_pause_s(dice))
            await self._slowly(partial(super().append, batch), "a commit", there_s, dice.uniform(0, 3))
        else:
            await asyncio.sleep(dice.uniform(0.001, 0.02))
            await super().append(batch)
        await self._pause_at(0.5 if self._is_slow else 0.006)
        if self.is_cut or dice.random() < 0.01:
            raise JournalAmbiguousError("the answer to a commit was lost (a planted fault)")

    async def retire(self, tombstones: Sequence[Append]) -> int:
        """Put tombstones; now and then that is slow, or its answer is lost."""
        dice = self._dice
        await self._pause_at(0.003)
        if dice.random() < 0.05:
            retired = await self._slowly(
                partial(super().retire, tombstones), "retiring", dice.uniform(0, 6), dice.uniform(0, 3)
            )
        else:
            await asyncio.sleep(dice.uniform(0.001, 0.02))
            retired = await super().retire(tombstones)
        if self.is_cut or dice.random() < 0.05:
            raise JournalAmbiguousError("the answer to retiring was lost (a planted fault)")
        return retired

    async def renew(self) -> Renewed:
        """Renew; the answer takes its time, and now and then very long. Then pauses are near as well."""
        dice = self._dice
        self._is_slow = dice.random() < 0.08
        if self._is_slow:
            # The keeper does not wait beyond its trust, so an answer that is heard late has come from near.
            there_s, back_s = dice.choice(((0.1, dice.uniform(4, 7)), (dice.uniform(0, 9), dice.uniform(0, 9))))
            renewed = await self._slowly(super().renew, "a renewal", there_s, back_s, 20)
        else:
            renewed = await super().renew()
            await asyncio.sleep(dice.uniform(0.001, 0.2))
        await self._pause_at(0.003)
        self._check_available()
        return renewed

    async def take(self, wanted: Sequence[Wanted]) -> Taken:
        """Take; now and then the answer is slow or lost, while what was taken is ours in the store."""
        dice = self._dice
        if dice.random() < 0.05:
            taken = await self._slowly(partial(super().take, wanted), "a take", dice.uniform(0, 3), dice.uniform(0, 6))
        else:
            taken = await super().take(wanted)
        self._read(taken.stored)
        if self._dice.random() < 0.01:
            raise JournalUnavailableError("the answer to a take was lost (a planted fault)")
        return taken

    async def claim(self, workflows_max: int) -> Sequence[Stored]:
        """Claim; see `Ownership.claim`."""
        claimed = await super().claim(workflows_max)
        self._read([stored.workflow_id for stored in claimed])
        return claimed

    def _read(self, workflows: Iterable[WorkflowId]) -> None:
        for workflow_id in workflows:
            if self._noted.formats.get(workflow_id, 1) > self.reads:
                self._noted.broken.append(f"instance {self.number} was given {workflow_id}, which it cannot read")

    async def _slowly(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        what: str,
        before_s: float,
        after_s: float,
        patience_s: float = PATIENCE_S,
    ) -> T:
        """Carry out an operation in the world: it is on its way for a while, and so is its answer."""

        async def travel() -> T:
            await asyncio.sleep(before_s)
            done = await work()
            await asyncio.sleep(after_s)
            return done

        travelling = self._loop.outside(travel())
        travelling.add_done_callback(_seen)
        try:
            async with asyncio.timeout(patience_s):
                return await asyncio.shield(travelling)
        except TimeoutError:
            raise JournalAmbiguousError(f"the answer to {what} took too long (a planted fault)") from None

    async def _pause_at(self, odds: float) -> None:
        """Now and then stop the process here, often for about as long as its lease or longer."""
        if self._dice.random() < odds:
            self._loop.pause(self.process, drawn_pause_s(self._dice))
            await asyncio.sleep(0)

    def _put_tombstone(self, append: Append) -> None:
        store = self._noted
        if not store.is_alive(self.number):
            store.broken.append(f"instance {self.number} retired {append.workflow_id} after it had been ended")
        if store.is_alive(store.owners.get(append.workflow_id)):
            store.broken.append(f"{append.workflow_id} was retired while a live instance had it")
        store.replaced[append.workflow_id] = store.workflows[append.workflow_id].entries
        super()._put_tombstone(append)

    def _write(self, batch: Sequence[Append]) -> None:
        gone = self._noted.replaced
        self._noted.repeated += any(
            each.workflow_id in gone and each.entries[0].seq <= len(gone[each.workflow_id]) for each in batch
        )
        super()._write(batch)
        self._noted.note(batch, self.number)

    def _check_available(self) -> None:
        if self.is_cut:
            raise JournalUnavailableError("the way to the store is cut (a planted fault)")
        super()._check_available()


def _seen(task: asyncio.Task[Any]) -> None:
    """Fetch the error of what nobody may wait for any more."""
    if not task.cancelled() and task.exception() is not None:
        assert isinstance(task.exception(), JournalError), task.exception()
