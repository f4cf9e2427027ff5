"""The orchestrator: start, recover, go round, drain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from enum import Enum
from typing import Any

from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.ports.journal import JournalError
from jada_orchestrator.runtime.collecting import without_collection
from jada_orchestrator.runtime.governed import GovernedPlanner
from jada_orchestrator.runtime.health import Health
from jada_orchestrator.runtime.inbox import Inbox
from jada_orchestrator.runtime.intake import Intake
from jada_orchestrator.runtime.snapshot import Phase, Snapshot
from jada_orchestrator.runtime.templated import TemplatedPlanner
from jada_orchestrator.runtime.turn import Turns
from jada_orchestrator.runtime.world import Tunables, World

_STATUS_EVERY_S = 2.0
_DRAIN_LOOK_S = 0.02
_DRAIN_EXTENSION_S = 10.0


class Ended(Enum):
    """How a run ended."""

    DRAINED = "drained"
    """It was asked to stop, and nothing was in flight any more."""
    PARKED = "parked"
    """It was asked to stop; what was still in flight is taken up at the next start."""


class Orchestrator:
    """One running orchestrator. `run` once; `stop` from a signal handler, as often as one likes."""

    def __init__(self, world: World, tunables: Tunables, extra_status: Callable[[], str] = str) -> None:
        """Begin stopped. The journal must be open. `extra_status` adds what only the host knows to the status line."""
        self._extra_status = extra_status
        self._world = world
        self._tunables = tunables
        self._inbox = Inbox()
        self._turns = Turns(world, tunables, self._inbox)
        self._intake = Intake(world, lambda: self._tunables, self._inbox, self._turns)
        self._stop = asyncio.Event()
        self._ready = asyncio.Event()
        self._phase = Phase.STARTING
        self._tasks: list[asyncio.Task[Any]] = []
        self._receivers: list[asyncio.Task[Any]] = []

    @property
    def health(self) -> Health:
        """What the turn loop knows of its state."""
        return self._turns.health

    @property
    def templates(self) -> TemplatedPlanner | None:
        """Who keeps templates, if anybody."""
        return self._world.templates

    @property
    def in_memory(self) -> int:
        """Workflows that are not done."""
        return self._turns.in_memory

    async def ready(self) -> None:
        """Wait until requests are accepted: everything unfinished is in memory and goes on."""
        await self._ready.wait()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._stop.is_set()

    def stop(self) -> None:
        """Ask for a drain: nothing more is received, what is in flight is seen to its end or parked."""
        self._stop.set()

    async def reload(self, tunables: Tunables) -> None:
        """Take new settings for what begins from now on. Raises: JournalError (then the old ones hold)."""
        await self._turns.retune(tunables)
        self._tunables = tunables
        if isinstance(self._world.planning, GovernedPlanner):
            self._world.planning.retune(tunables.governing)
        if self._world.templates is not None:
            self._world.templates.use = tunables.templates

    def prune(self, before: UtcMs) -> None:
        """Retire what ended before an instant, whatever the setting says, beside everything else."""
        self._turns.retirer.ask(before)

    async def run(self) -> Ended:
        """Recover, then go round until stopped.

        Raises: JournalError when the store is lost for good; whatever is not durable then was never acted upon.
        """
        loop = asyncio.get_running_loop()
        keeping: list[asyncio.Task[Any]] = []
        try:
            await self._turns.keeper.begin()
            keeping = [loop.create_task(each) for each in self._turns.keeper.loops()]
            with without_collection():
                if self._world.templates is not None:
                    await self._world.templates.load()
                recovered = await self._turns.recover()
            self._world.log.emit(
                "info", "daemon.recovered", f"{recovered} unfinished workflows go on", workflows=recovered
            )
            self._begin_intake()
            self._phase = Phase.READY
            self._ready.set()
            self._world.watcher.status(self.status_line())
            self._world.watcher.ready()
            self._world.log.emit("info", "daemon.ready", "Requests are accepted")
            stopping = loop.create_task(self._stop.wait())
            turning = loop.create_task(self._go_round())
            reporting = loop.create_task(self._report_status())
            retiring = loop.create_task(self._turns.retirer.run())
            try:
                endless = {turning, reporting, retiring, *keeping, *self._tasks}
                ended, _ = await asyncio.wait({stopping, *endless}, return_when=asyncio.FIRST_COMPLETED)
                for task in ended & endless:
                    self._turns.halt()
                    task.result()  # it only ends by an error, and without it the daemon would be lame
                return await self._drain(turning)
            finally:
                await _end([stopping, turning, reporting, retiring])
        finally:
            self._phase = Phase.ENDED
            async with AsyncExitStack() as ending:  # which goes on with the rest when one of them raises
                ending.push_async_callback(_end, keeping)
                ending.push_async_callback(self._turns.close)
                ending.push_async_callback(_end, self._tasks)

    def _begin_intake(self) -> None:
        loop = asyncio.get_running_loop()
        requests, replies = self._intake.request_receivers(), self._intake.reply_receivers()
        handed_requests, handed_replies = self._intake.mail_receivers()
        self._receivers = [loop.create_task(requests.run()) for _ in range(self._tunables.receivers)]
        self._receivers += [loop.create_task(each.run()) for each in handed_requests]
        reply_receivers = [loop.create_task(replies.run()) for _ in range(self._tunables.receivers)]
        reply_receivers += [loop.create_task(each.run()) for each in handed_replies]
        settlers = [loop.create_task(settler.run()) for settler in self._intake.settlers()]
        self._tasks = [*self._receivers, *reply_receivers, *settlers]

    async def _go_round(self) -> None:
        while True:
            await self._inbox.wait()
            await self._turns.turn()
            self._world.watcher.alive()

    async def _report_status(self) -> None:
        """Keep `systemctl status` true, and the watchdog fed while there is nothing to do."""
        while True:
            if self._turns.health.store_trouble is None:
                self._world.watcher.status(self.status_line())
            self._inbox.wake()
            await asyncio.sleep(_STATUS_EVERY_S)

    def status_line(self) -> str:
        """Return one line about now."""
        approvals, answers = self._turns.count(Status.AWAITING_APPROVAL), self._turns.count(Status.NEEDS_CLARIFICATION)
        running = self._turns.in_memory - approvals - answers
        parts = [f"{running} running", f"{approvals} waiting for approval"]
        parts += [f"{answers} waiting for an answer"] if answers else []
        left = self._turns.keeper.left
        parts += [f"{left} LEFT FOR A NEWER VERSION"] if left else []
        parts += [f"{self._turns.calls_in_flight} calls in flight", self._extra_status()]
        parts += [f"${self.health.spending.today_usd(self._world.clock.now()):.2f} today"]
        stopped = self._world.planning.stopped()
        parts += [f"PLANNING STOPPED: {stopped}"] if stopped is not None else []
        return ("draining: " if self._phase is Phase.DRAINING else "") + ", ".join(filter(None, parts))

    def snapshot(self) -> Snapshot:
        """Return the numbers of this moment."""
        health = self._turns.health
        return Snapshot(
            phase=self._phase,
            bookings=self._turns.counts(),
            in_memory=self._turns.in_memory,
            calls_in_flight=self._turns.calls_in_flight,
            inbox=len(self._inbox),
            left_for_newer=self._turns.keeper.left,
            retired=health.retired,
            turns=health.turns,
            commits=health.commits,
            records=health.records,
            store_trouble=health.store_trouble,
            turned_ms_ago=round((asyncio.get_running_loop().time() - health.turned_at) * 1_000),
            spent_today_usd=health.spending.today_usd(self._world.clock.now()),
            spent_usd=health.spending.total_usd,
            unpriced_calls=health.spending.unpriced,
            first_calls=replace(health.first_calls),
            planning_stopped=self._world.planning.stopped(),
            agents=self._turns.agents(),
        )

    async def _drain(self, turning: asyncio.Task[None]) -> Ended:
        """Stop receiving requests, let what is in flight end within the bound, and leave the rest to the next start."""
        self._phase = Phase.DRAINING
        self._turns.draining = True
        self._inbox.wake()  # for a turn that gives up what nothing is in flight of
        self._world.watcher.stopping()
        self._world.log.emit("info", "daemon.draining", "Nothing more is accepted; waiting for what is in flight")
        await _end(self._receivers)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._tunables.drain_ms / 1_000
        while loop.time() < give_up_at and not turning.done():
            if self._at_rest():
                break
            # Asked for in small pieces as the drain goes on, so that a process that hangs in it is killed in time.
            self._world.watcher.extend(_DRAIN_EXTENSION_S)
            await asyncio.sleep(_DRAIN_LOOK_S)
        if turning.done():
            turning.result()
        at_rest = self._at_rest()
        ended = Ended.DRAINED if at_rest else Ended.PARKED
        message = "Nothing is in flight" if at_rest else "What is still in flight is taken up at the next start"
        self._world.log.emit("info", f"daemon.{ended.value}", message, workflows=self._turns.in_memory)
        return ended

    def _at_rest(self) -> bool:
        return len(self._inbox) == 0 and self._turns.at_rest and self._intake.idle


async def _end(tasks: list[asyncio.Task[Any]]) -> None:
    """Cancel tasks and wait until all have ended, whatever each of them ended by.

    Raises: an error of ours, by which any had ended; what the store or the lease had to say is told by who ran into it.
    """
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    ours = [error for error in ended if isinstance(error, Exception) and not isinstance(error, JournalError)]
    if ours:
        raise ours[0]
