"""The moments at which the daemon is killed: each waits for its own; "whenever" stands in for one that never comes."""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.load import Frontend
from benchmarks.kill9_kit.waiting import WaitedInVain, until
from jada_orchestrator.sandbox.model import ScriptedModel

_WAIT_S_MAX: Final = 10.0
_RANDOM_S_MAX: Final = 1.5


@dataclass(frozen=True, slots=True)
class Scene:
    """What a moment can see and do."""

    daemon: Daemon
    frontend: Frontend
    model: ScriptedModel
    dice: random.Random


Moment = Callable[[Scene], Awaitable[None]]


async def whenever(scene: Scene) -> None:
    """Wait a random while."""
    await scene.daemon.ready()
    await asyncio.sleep(scene.dice.uniform(0, _RANDOM_S_MAX))


async def while_it_starts(scene: Scene) -> None:
    """Wait for some moment of the start itself: before, amid or after the recovery."""
    await asyncio.sleep(scene.dice.uniform(0.2, 1.5))


def on_line(*events: str) -> Moment:
    """Return the moment when the log tells of one of these events: right after the commit that made it true."""

    async def moment(scene: Scene) -> None:
        lines = scene.daemon.lines
        await scene.daemon.ready()
        wanted = sum(line["jada_event"] in events for line in lines) + scene.dice.randint(1, 5)
        await until(
            lambda: sum(line["jada_event"] in events for line in lines) >= wanted or not scene.daemon.runs,
            f"{events} are told",
            within_s=_WAIT_S_MAX,
        )

    return moment


async def while_planning(scene: Scene) -> None:
    """Have the model hold the question about a new booking, and wait until it does."""
    await scene.daemon.ready()
    request_id = await scene.frontend.submit(hold=True)
    await until(
        lambda: any(call.booking_request_id == request_id and call.state == "held" for call in scene.model.calls),
        f"{request_id} is held",
        within_s=_WAIT_S_MAX,
    )


async def while_it_undoes(scene: Scene) -> None:
    """Submit a booking that fails half way, and wait until something, perhaps another one's, is being undone."""
    await scene.daemon.ready()
    await scene.frontend.submit(doom=True)
    await on_line("compensation.started", "undo.started", "task.compensated")(scene)


async def while_it_drains(scene: Scene) -> None:
    """Ask it to end, and wait less than that takes."""
    await whenever(scene)
    if scene.daemon.runs:
        scene.daemon.signal(signal.SIGTERM)
    await asyncio.sleep(scene.dice.uniform(0, 0.3))


MOMENTS: Final[dict[str, Moment]] = {
    "after an acceptance": on_line("workflow.accepted"),
    "after a plan": on_line("plan.adopted"),
    "after an attempt began": on_line("attempt.started"),
    "after a task ended": on_line("task.succeeded", "task.failed"),
    "while it undoes": while_it_undoes,
    "whenever": whenever,
    "after an outcome": on_line("outcome.decided", "workflow.ended"),
    "while planning": while_planning,
    "while it starts": while_it_starts,
    "while it drains": while_it_drains,
}


async def wait_for(name: str, scene: Scene) -> str:
    """Wait for a moment; return its name, or "whenever" where it did not come."""
    try:
        await MOMENTS[name](scene)
    except WaitedInVain:
        return "whenever"
    finally:
        scene.model.release()  # whom it held for is about to be gone
    return name
