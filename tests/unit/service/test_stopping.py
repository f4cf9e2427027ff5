"""A stop that is asked for at any time: a start is broken off, what runs drains, what closes is not hurried."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from jada_orchestrator.service.stopping import StartBrokenOffError, StopRequests, ignore_from_now_on


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """What a test has done to the process's signals is undone."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


async def test_a_signal_that_comes_at_the_very_end_ends_nothing() -> None:
    """Between the last of the daemon and the end of its process nothing can end it otherwise than it ends by itself."""
    stops, loop = StopRequests(), asyncio.get_running_loop()
    with stops.heard(loop):
        loop.add_signal_handler(signal.SIGHUP, stops.ask)
    ignore_from_now_on(loop, [signal.SIGHUP])
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        os.kill(os.getpid(), number)
    await asyncio.sleep(0)
    assert not stops.asked


async def test_both_signals_are_heard_and_only_the_first_counts() -> None:
    """Whichever comes, what is to be done is done once; a second one changes nothing."""
    stops, done = StopRequests(), asyncio.Queue[str]()
    with stops.heard(asyncio.get_running_loop()):
        stops.act(lambda: done.put_nowait("stop"))
        os.kill(os.getpid(), signal.SIGINT)
        assert await done.get() == "stop"
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        stops.ask()
    assert stops.asked
    assert done.empty()


async def test_a_start_is_broken_off_and_closes_what_it_opened() -> None:
    """What is inside is cancelled once, comes to its end in peace, and the task goes on."""
    stops, closed = StopRequests(), asyncio.Event()

    async def start() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stops.ask()  # a second time, while it is closing
            await asyncio.sleep(0)
            closed.set()

    asyncio.get_running_loop().call_soon(stops.ask)
    with pytest.raises(StartBrokenOffError), stops.breaking_off():
        await start()
    assert closed.is_set()
    async with asyncio.timeout(5):
        await asyncio.sleep(0)


async def test_a_stop_that_came_earlier_breaks_the_next_start_off() -> None:
    """Asked while a lost life was closing, nothing is begun anew."""
    stops = StopRequests()
    stops.act(None)
    stops.ask()
    with pytest.raises(StartBrokenOffError), stops.breaking_off():
        await asyncio.sleep(0)


async def test_what_runs_is_not_cancelled() -> None:
    """Once the daemon runs, a stop is its own to carry out; once it closes, nobody's."""
    stops, told = StopRequests(), []
    with stops.breaking_off():
        stops.act(lambda: told.append("drain"))
        stops.ask()
        await asyncio.sleep(0)
        stops.act(None)
        await asyncio.sleep(0)
    assert told == ["drain"]


async def test_somebody_else_s_cancelling_is_theirs() -> None:
    """A task that others cancel ends as cancelled."""
    stops = StopRequests()

    async def main() -> None:
        with stops.breaking_off():
            await asyncio.Event().wait()

    task = asyncio.create_task(main())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
