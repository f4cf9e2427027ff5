"""Trouble after trouble for a fleet under load; then everything is let end, and compared."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.instances_kit.fleet import GONE_AFTER_S, Fleet, Ship, now
from benchmarks.kill9_kit.load import Frontend
from benchmarks.kill9_kit.mail import open_post
from benchmarks.kill9_kit.verdict import Verdict, half_made_now, judge
from benchmarks.kill9_kit.waiting import WaitedInVain, until
from jada_orchestrator.sandbox.booth import Sandbox
from jada_orchestrator.sandbox.inventory.audit import audit
from jada_orchestrator.testing.postgres_server import PostgresServer

KINDS: Final = ("kill", "pause", "cut", "crash", "stop")
"""kill -9 of a daemon; SIGSTOP for longer than its lease; the network to the database gone for as long; the database
restarted at once; a drain (SIGTERM) and a new start, as in a rolling upgrade."""

_TAKEOVER_S_MAX: Final = 20.0
_END_S_MAX: Final = 300.0


@dataclass(slots=True)
class Troubles:
    """What came of it."""

    seed: int
    instances: int
    troubles: dict[str, int] = field(default_factory=dict)
    takeovers_s: list[float] = field(default_factory=list)
    """From a kill, pause or cut to the first booking that another instance took over, where there was one to take."""
    rejoined: int = 0
    """How often an instance that had lost its lease began anew by itself."""
    submitted: int = 0
    seconds: float = 0.0
    on_the_way: list[str] = field(default_factory=list)
    """What stood against an outcome at some time, although the end may look clean again."""
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or half-made at any time."""
        return self.verdict.clean and not self.on_the_way


Progress = Callable[[int, Troubles], None]
"""Told after each trouble: how many there were."""


async def trouble(  # noqa: PLR0913 - what the command line offers
    folder: Path,
    server: PostgresServer,
    troubles: int,
    *,
    seed: int,
    instances: int = 3,
    at_once: int = 8,
    only: int | None = None,
    kinds: Sequence[str] = KINDS,
    progress: Progress = lambda _done, _troubles: None,
) -> Troubles:
    """Run a fleet in a folder, trouble it so often, and return what came of it.

    `only` submits so many bookings before the first trouble and none later. `kinds` are taken in turn.
    """
    begun = time.monotonic()
    found = Troubles(seed, instances)
    dice = random.Random(seed)
    async with Sandbox(folder) as sandbox, open_post(sandbox.environment) as post:
        assert sandbox.model is not None
        async with post.mailbox(sandbox.queues.outcomes) as outcomes:
            frontend = Frontend(post, sandbox.queues.requests, outcomes, sandbox.inventory, sandbox.model, seed)
            async with Fleet(folder, server, sandbox.environment, instances) as fleet:
                enough = asyncio.Event()
                submitting = asyncio.create_task(frontend.keep_busy(at_once if only is None else 0, enough.is_set))
                try:
                    await asyncio.gather(*(frontend.submit() for _ in range(only or at_once)))
                    await _accepted(fleet, only or 1)
                    for number in range(troubles):
                        await _under_way(fleet)
                        await _befall(kinds[number % len(kinds)], fleet, server, dice, found)
                        found.on_the_way += await _half_made(frontend, sandbox.inventory, found)
                        progress(number + 1, found)
                    enough.set()
                    await submitting
                    await _let_end(fleet, frontend)
                finally:
                    submitting.cancel()
                found.rejoined = sum(len(ship.daemon.events("daemon.rejoins")) for ship in fleet.ships)
            books = await asyncio.to_thread(audit, sandbox.inventory)
            found.verdict = judge(frontend.submitted, frontend.outcomes, outcomes.bodies, books, frontend.doomed)
            found.submitted = len(frontend.submitted)
    found.seconds = time.monotonic() - begun
    return found


async def _accepted(fleet: Fleet, bookings: int) -> None:
    """Wait until so many are durable: a request that a killed process had received is out of sight for a minute."""

    def accepted() -> int:
        return sum(len(ship.daemon.events("workflow.accepted")) for ship in fleet.ships)

    await until(lambda: accepted() >= bookings, f"{bookings} bookings are accepted", within_s=120)


async def _under_way(fleet: Fleet) -> None:
    """Wait until some daemon has something to lose; there may be nothing left, in a short run."""
    try:
        await until(lambda: any(ship.daemon.events("task.succeeded") for ship in fleet.ships), "work", within_s=20)
    except WaitedInVain:
        return


async def _befall(kind: str, fleet: Fleet, server: PostgresServer, dice: random.Random, found: Troubles) -> None:
    """Let one thing happen to one of them, and see that the fleet is whole again."""
    ship = dice.choice(fleet.ships)
    found.troubles[kind] = found.troubles.get(kind, 0) + 1
    since = now()
    match kind:
        case "kill":
            await ship.kill()
            await _note_takeover(fleet, ship, since, found)
            await ship.daemon.start()
        case "pause":
            await asyncio.gather(
                ship.pause(GONE_AFTER_S + dice.uniform(0.5, 3)), _note_takeover(fleet, ship, since, found)
            )
        case "cut":
            await asyncio.gather(
                ship.cut_off(GONE_AFTER_S + dice.uniform(0.5, 3)), _note_takeover(fleet, ship, since, found)
            )
        case "crash":
            await asyncio.to_thread(server.restart)
        case "stop":
            await _stopped(ship)
            await ship.daemon.start()
        case _:
            raise ValueError(f"there is no trouble {kind!r}")
    await _whole_again(fleet)


async def _stopped(ship: Ship) -> None:
    try:
        await ship.daemon.stop(within_s=90)
    except TimeoutError:
        raise AssertionError(f"asked to stop, it did not: {ship.daemon.story()}") from None


async def _note_takeover(fleet: Fleet, ship: Ship, since: float, found: Troubles) -> None:
    took = await fleet.taken_over(since, but=ship, within_s=_TAKEOVER_S_MAX if fleet.ships[1:] else 0.0)
    if took is not None:
        found.takeovers_s.append(took)


async def _whole_again(fleet: Fleet) -> None:
    """Wait until every daemon is ready, begun anew or not."""
    for ship in fleet.ships:
        await until(lambda ship=ship: _is_ready(ship), "it is ready again", otherwise=ship.daemon.story)  # type: ignore[misc]


def _is_ready(ship: Ship) -> bool:
    telling = [
        line["jada_event"]
        for line in ship.daemon.lines
        if line["jada_event"] in {"daemon.ready", "daemon.rejoins", "store.unavailable", "store.available"}
    ]
    return bool(ship.daemon.runs and telling and telling[-1] in {"daemon.ready", "store.available"})


async def _half_made(frontend: Frontend, inventory: Path, found: Troubles) -> list[str]:
    """Compare on the way: a hold that was forgotten would have run out by the end, and not be seen any more."""
    ended = frontend.outcomes  # first: what ends while the books are read is not judged yet
    return [
        each for each in half_made_now(ended, await asyncio.to_thread(audit, inventory)) if each not in found.on_the_way
    ]


async def _let_end(fleet: Fleet, frontend: Frontend) -> None:
    try:
        await until(lambda: not frontend.under_way, "every booking ends", within_s=_END_S_MAX)
    except WaitedInVain:
        return  # the verdict names them
    statuses = await fleet.stop()
    assert statuses == [0] * len(fleet.ships), [ship.daemon.story() for ship in fleet.ships]
