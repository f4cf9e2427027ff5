"""Kill and restart, again and again, under load; then let everything end, and compare."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.load import Frontend
from benchmarks.kill9_kit.mail import Mailbox, open_post
from benchmarks.kill9_kit.moments import MOMENTS, Scene, wait_for
from benchmarks.kill9_kit.verdict import Verdict, half_made_now, judge
from benchmarks.kill9_kit.waiting import WaitedInVain, until
from jada_orchestrator.sandbox.booth import Sandbox
from jada_orchestrator.sandbox.inventory.audit import audit

_END_S_MAX: Final = 300.0
"""How long the last bookings may take: what a killed process had received is visible again after a minute."""
_LOOK_EVERY_KILLS: Final = 10


class DaemonFell(AssertionError):
    """The daemon ended by itself, which nobody asked for; the text has its last words."""


@dataclass(slots=True)
class Killing:
    """What came of it."""

    seed: int
    kills: Counter[str] = field(default_factory=Counter)
    """How often it was killed at which moment."""
    recoveries_s: list[float] = field(default_factory=list)
    """From the start of the process to `daemon.recovered`, of every start that came so far."""
    in_flight_at_recovery: list[int] = field(default_factory=list)
    submitted: int = 0
    ended: int = 0
    """Bookings whose end the frontend was told of."""
    doomed: dict[str, int] = field(default_factory=dict)
    dead_letters: int = 0
    seconds: float = 0.0
    on_the_way: list[str] = field(default_factory=list)
    """What stood against an outcome at some time, although the end may look clean again."""
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled or half-made at any time, and nothing ended otherwise than ordered."""
        return self.verdict.clean and not self.on_the_way


Progress = Callable[[Killing], None]
"""Told after each kill."""


async def kill_again_and_again(
    folder: Path,
    kills: int,
    *,
    seed: int,
    at_once: int = 8,
    only: int | None = None,
    moments: Sequence[str] = tuple(MOMENTS),
    progress: Progress = lambda _: None,
    enough: asyncio.Event | None = None,
) -> Killing:
    """Start everything in a folder, kill the daemon so often, and return what came of it.

    Once `enough` is set no more kills follow: what is under way is let end, and judged as it would have been later.

    `only` submits so many bookings before the first kill, and none later, for a run that is to be short: a request
    that a killed process had received is out of sight for a minute. `moments` are taken in turn.

    Raises: DaemonFell, when the daemon ended by itself.
    """
    begun = time.monotonic()
    killing = Killing(seed)
    dice = random.Random(seed)
    async with Sandbox(folder) as sandbox, open_post(sandbox.environment) as post:
        assert sandbox.model is not None
        async with post.mailbox(sandbox.queues.outcomes) as outcomes, post.mailbox(sandbox.queues.dead_letter) as dead:
            frontend = Frontend(post, sandbox.queues.requests, outcomes, sandbox.inventory, sandbox.model, seed)
            daemon = Daemon(folder, {**sandbox.environment, "JADA_LOG_LEVEL": "debug"})
            scene = Scene(daemon, frontend, sandbox.model, dice)
            enough = enough or asyncio.Event()
            submitting = asyncio.create_task(frontend.keep_busy(at_once if only is None else 0, enough.is_set))
            try:
                async with daemon:
                    for _ in range(only or 0):
                        await frontend.submit()
                    await daemon.told("workflow.accepted", count=only or 1)
                    for number in range(kills):
                        if enough.is_set():
                            break
                        await _kill_once(killing, scene, moments[number % len(moments)])
                        if number % _LOOK_EVERY_KILLS == _LOOK_EVERY_KILLS - 1:
                            await _look(killing, frontend, sandbox.inventory)
                        killing.submitted, killing.ended = len(frontend.submitted), len(frontend.outcomes)
                        killing.seconds = time.monotonic() - begun
                        progress(killing)
                    enough.set()
                    await submitting
                    await _let_end(daemon, frontend)
            finally:
                submitting.cancel()
            await _settle(killing, frontend, outcomes, sandbox.inventory)
            killing.dead_letters = len(dead.mail)
    killing.seconds = time.monotonic() - begun
    return killing


async def _kill_once(killing: Killing, scene: Scene, name: str) -> None:
    moment = await wait_for(name, scene)
    if not scene.daemon.runs and moment != "while it drains":
        raise DaemonFell(scene.daemon.story())
    if scene.daemon.runs:
        await scene.daemon.kill()
    killing.kills[moment] += 1
    _note_recovery(killing, scene.daemon)
    await scene.daemon.start()


def _note_recovery(killing: Killing, daemon: Daemon) -> None:
    for line, seen_at in zip(daemon.lines, daemon.seen_at, strict=True):
        if line["jada_event"] == "daemon.recovered":
            killing.recoveries_s.append(seen_at - daemon.started_at)
            killing.in_flight_at_recovery.append(line["jada_workflows"])


async def _look(killing: Killing, frontend: Frontend, inventory: Path) -> None:
    """Compare on the way: a hold that was forgotten would have run out by the end, and not be seen any more."""
    ended = frontend.outcomes  # first: what ends while the books are read is not judged yet
    found = half_made_now(ended, await asyncio.to_thread(audit, inventory))
    killing.on_the_way += [each for each in found if each not in killing.on_the_way]


async def _let_end(daemon: Daemon, frontend: Frontend) -> None:
    try:
        await until(lambda: not frontend.under_way or not daemon.runs, "every booking ends", within_s=_END_S_MAX)
    except WaitedInVain:
        return  # the verdict names them
    if not daemon.runs:
        raise DaemonFell(daemon.story())
    await daemon.stop()


async def _settle(killing: Killing, frontend: Frontend, outcomes: Mailbox, inventory: Path) -> None:
    told: list[Any] = outcomes.bodies
    books = await asyncio.to_thread(audit, inventory)
    killing.verdict = judge(frontend.submitted, frontend.outcomes, told, books, frontend.doomed)
    killing.submitted, killing.ended = len(frontend.submitted), len(frontend.outcomes)
    killing.doomed = dict(Counter(map(str, frontend.doomed.values())))
