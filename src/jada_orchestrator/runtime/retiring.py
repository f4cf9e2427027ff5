"""Retention: what ended long ago leaves the tables that are in daily use, piece by piece beside the turns.

A turn never waits for it, but where something comes for the very workflow that is being retired: then for that commit.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeAlias

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import (
    FORGET_EVERY_MS,
    INSTANCES_KEPT_MS,
    RETIRE_LOOK_MS,
    RETIRE_PAUSE_MIN_MS,
    RETIRE_PAUSE_TIMES,
    RETIRE_RECORDS_MAX,
    RETIRE_WORKFLOWS_MAX,
    SPENDING_KEPT_DAYS,
)
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.retiring import may_retire, tombstone_of
from jada_orchestrator.ports.journal import (
    Append,
    Journal,
    JournalAmbiguousError,
    JournalCorruptError,
    JournalUnavailableError,
    JournalVersionError,
    Stored,
)
from jada_orchestrator.runtime.heads import head_of
from jada_orchestrator.runtime.health import Health, tell_unreadable
from jada_orchestrator.runtime.world import Tunables, World

_DAY_MS: Final = 86_400_000
_TELL_EVERY: Final = 1_000


Unreadable: TypeAlias = Callable[[Stored, str], None]
"""Told of a workflow that cannot be folded, and of why."""


@dataclass(slots=True)
class Retiring:
    """Retires a piece at a time. `is_known` tells which workflows something of this process may be acting upon."""

    journal: Journal
    unreadable: Unreadable
    is_known: Callable[[WorkflowId], bool] = lambda _: False
    left_out: dict[WorkflowId, int] = field(default_factory=dict)
    """Workflows that cannot be folded, or are not over although their heads say so, and how many records each keeps."""
    under_way: frozenset[WorkflowId] = frozenset()
    """Workflows of which a tombstone is just being written."""

    async def piece(
        self,
        before: UtcMs,
        now: UtcMs,
        workflows_max: int = RETIRE_WORKFLOWS_MAX,
        records_max: int = RETIRE_RECORDS_MAX,
    ) -> int:
        """Retire the oldest of what ended before an instant; return how many there were, 0 when none is left.

        Raises: JournalError.
        """
        left_out_before = -1
        tombstones: list[Append] = []
        while not tombstones and len(self.left_out) > left_out_before:  # what comes after them may well be retired
            left_out_before = len(self.left_out)
            tombstones = await self._tombstones(before, now, workflows_max, records_max)
        tombstones = [each for each in tombstones if not self.is_known(each.workflow_id)]
        if not tombstones:
            return 0
        self.under_way = frozenset(each.workflow_id for each in tombstones)
        try:
            return await self.journal.retire(tombstones)
        finally:
            self.under_way = frozenset()

    async def _tombstones(self, before: UtcMs, now: UtcMs, workflows_max: int, records_max: int) -> list[Append]:
        tombstones: list[Append] = []
        workflows_max, records_max = workflows_max + len(self.left_out), records_max + sum(self.left_out.values())
        for stored in await self.journal.retirable(before, workflows_max, records_max):
            tombstone = self._tombstone(stored, now)
            if tombstone is not None:
                tombstones.append(tombstone)
            await asyncio.sleep(0)  # a fold takes a millisecond or less, and others wait for the loop
        return tombstones

    def _tombstone(self, stored: Stored, now: UtcMs) -> Append | None:
        workflow = self._fold(stored) if stored.workflow_id not in self.left_out else None
        if workflow is None:
            return None
        if not may_retire(workflow):
            self.left_out[stored.workflow_id] = len(stored.entries)
            return None
        entry = tombstone_of(workflow, now)
        return Append(stored.workflow_id, (entry,), head_of(fold(stored.workflow_id, (entry,))))

    def _fold(self, stored: Stored) -> Workflow | None:
        try:
            return fold(stored.workflow_id, stored.entries)
        except Exception:  # noqa: BLE001 - one unreadable workflow must not keep the others from being retired (law 10)
            self.left_out[stored.workflow_id] = len(stored.entries)
            self.unreadable(stored, traceback.format_exc())
            return None


class Retirer:
    """Retires by itself for as long as the process lives: `run` it beside the turns."""

    def __init__(
        self,
        world: World,
        tunables: Callable[[], Tunables],
        health: Health,
        is_in_memory: Callable[[WorkflowId], bool],
        is_draining: Callable[[], bool],
    ) -> None:
        """Begin with nothing asked for; the setting alone says what is retired."""
        self._world = world
        self._tunables = tunables
        self._health = health
        self._is_draining = is_draining
        self._retiring = Retiring(
            world.journal, partial(tell_unreadable, world), lambda each: is_in_memory(each) or each in self._left_alone
        )
        self._left_alone: frozenset[WorkflowId] = frozenset()
        self._put = asyncio.Event()
        self._put.set()
        self._asked = asyncio.Event()
        self._asked_before = UtcMs(0)
        self._untold = 0
        self._forget_at_s = 0.0

    def ask(self, before: UtcMs) -> None:
        """Retire once what ended before an instant, whatever the setting says; it begins at once."""
        self._asked_before = max(self._asked_before, before)
        self._asked.set()

    @asynccontextmanager
    async def leaving_alone(self, workflows: Iterable[WorkflowId]) -> AsyncIterator[None]:
        """Retire none of these workflows within the block, which begins as soon as none is just being retired."""
        self._left_alone = frozenset(workflows)
        try:
            if not self._retiring.under_way.isdisjoint(self._left_alone):
                await self._put.wait()
            yield
        finally:
            self._left_alone = frozenset()

    async def run(self) -> None:
        """Go on for ever, but for a start, which has enough to do. Raises: JournalSupersededError, as a turn would."""
        wait_s = self._look_s()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._asked.wait()
            self._asked.clear()
            wait_s = await self._once()

    def _look_s(self) -> float:
        """Return how long nothing is looked for after nothing was found: the shorter, the younger what is retired."""
        keep_ms = self._tunables().retention_ms
        return min(RETIRE_LOOK_MS, max(1_000, keep_ms // 20) if keep_ms else RETIRE_LOOK_MS) / 1_000

    async def _once(self) -> float:
        """Retire one piece, and return how many seconds the store is left alone then."""
        keep_ms, now = self._tunables().retention_ms, self._world.clock.now()
        before = max(self._asked_before, UtcMs(now - keep_ms) if keep_ms else UtcMs(0))
        look_s = self._look_s()
        if self._health.store_trouble is not None or self._is_draining():
            return look_s
        loop = asyncio.get_running_loop()
        try:
            await self._forget_instances(now)
            began_s = loop.time()
            retired = await self._piece(before, now) if before else 0
        except (JournalUnavailableError, JournalAmbiguousError):
            return look_s  # turns run into it, too, and tell; what was retired all the same is found retired
        except (JournalCorruptError, JournalVersionError) as error:
            message = f"What ended long ago cannot be read, and nothing is retired for an hour: {error}"
            self._world.log.emit("error", "retention.stopped", message)
            return FORGET_EVERY_MS / 1_000
        self._tell(retired, before)
        if not retired:
            if self._asked_before <= before:  # else somebody asked for more meanwhile
                self._asked_before = UtcMs(0)
            return look_s
        return max(RETIRE_PAUSE_MIN_MS / 1_000, (loop.time() - began_s) * RETIRE_PAUSE_TIMES)

    async def _piece(self, before: UtcMs, now: UtcMs) -> int:
        self._put.clear()
        try:
            retired = await self._retiring.piece(before, now)
        finally:
            self._put.set()
        self._health.retired += retired
        return retired

    async def _forget_instances(self, now: UtcMs) -> None:
        """Have the store forget instances that ended long ago: there is one more with each start."""
        at_s = asyncio.get_running_loop().time()
        if self._world.ownership is None or at_s < self._forget_at_s:
            return
        await self._world.ownership.forget_ended(INSTANCES_KEPT_MS, now // _DAY_MS - SPENDING_KEPT_DAYS)
        self._forget_at_s = at_s + FORGET_EVERY_MS / 1_000

    def _tell(self, retired: int, before: UtcMs) -> None:
        """Say what was retired, once it is all, and now and then while there is much."""
        self._untold += retired
        if self._untold >= _TELL_EVERY or (self._untold and not retired):
            message = f"{self._untold} bookings that ended long ago were retired: one record stands for each"
            self._world.log.emit("info", "workflows.retired", message, workflows=self._untold, before=before)
            self._untold = 0
