"""The loop's lag is measured, and what holds the loop is named."""

from __future__ import annotations

import asyncio
import inspect

import pytest

from jada_orchestrator.adapters.host.loop_watch import BLOCKED_S, TICK_S, LagMeter, watch_loop
from jada_orchestrator.ports.log import Level
from jada_orchestrator.testing.quiet import QuietLog


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


class AwaitedLog(QuietLog):
    """A log whose first line can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.told = asyncio.Event()

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        super().emit(level, event, message, **fields)
        self.told.set()


def metered() -> tuple[LagMeter, Clock, QuietLog]:
    """A meter whose loop has come round once."""
    clock, log = Clock(), QuietLog()
    meter = LagMeter(log, now=clock)
    meter.came_round()
    return meter, clock, log


def test_lag_is_how_late_the_loop_comes_round() -> None:
    """A loop that comes round when it should has no lag; the largest and the 99th of a hundred are told."""
    meter, clock, log = metered()
    for lag_s in [0.0] * 97 + [0.01, 0.02]:
        clock.s += TICK_S + lag_s
        meter.came_round()

    assert meter.lag().max_s == pytest.approx(0.02)
    assert meter.lag().p99_s == pytest.approx(0.01)
    assert meter.lag().blocked == 0
    assert log.lines == []


def test_what_held_the_loop_is_told_once_it_comes_round() -> None:
    """The line has how long it was, and where; of many in a row one is told, and all are counted."""
    meter, clock, log = metered()
    for _ in range(3):
        clock.s += TICK_S + BLOCKED_S + 0.03
        meter.look(inspect.currentframe)
        meter.came_round()

    [(level, event, message, _)] = log.lines
    assert (level, event) == ("warning", "loop.blocked")
    assert "80 ms" in message
    assert "test_what_held_the_loop_is_told_once_it_comes_round (test_loop_watch.py:" in message
    assert meter.lag().blocked == 3


def test_a_loop_that_is_not_held_is_not_looked_at() -> None:
    """A stack is taken only while the loop is later than it may be."""
    meter, clock, _ = metered()
    clock.s += TICK_S + BLOCKED_S / 2

    meter.look(inspect.currentframe)

    assert not meter.has_seen


async def test_a_running_loop_is_caught_where_it_is_held() -> None:
    """The thread beside a real loop sees the function that does not let it go round."""
    log = AwaitedLog()
    meter = LagMeter(log)

    def hold_the_loop() -> None:
        while not meter.has_seen:
            pass

    with watch_loop(meter):
        hold_the_loop()
        await log.told.wait()

    assert "hold_the_loop" in log.lines[0][2]
