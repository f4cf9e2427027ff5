"""Telling systemd: what is sent, how often, and that nothing waits for it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from jada_orchestrator.adapters.host.clock import SystemClock
from jada_orchestrator.adapters.host.notify import NullWatcher, SystemdWatcher, open_watcher


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """A socket that stands for systemd's."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield listening


def told(manager: socket.socket) -> list[str]:
    """All that has arrived."""
    messages = []
    while True:
        try:
            messages.append(manager.recv(4_096).decode())
        except BlockingIOError:
            return messages


def test_states_are_told(manager: socket.socket) -> None:
    """Ready, one line of status and stopping each are one datagram."""
    watcher = SystemdWatcher(manager.getsockname())
    watcher.ready()
    watcher.status("3 bookings\nunder way: ä")
    watcher.alive()
    watcher.stopping()
    watcher.close()
    assert told(manager) == ["READY=1", "STATUS=3 bookings under way: ä", "STOPPING=1"]


def test_signs_of_life_are_as_rare_as_the_watchdog_allows(manager: socket.socket) -> None:
    """However often the loop goes round, life is told four times within the watchdog's time."""
    now = [0.0]
    watcher = SystemdWatcher(manager.getsockname(), watchdog_s=4.0, monotonic=lambda: now[0])
    for now[0] in (0.0, 0.5, 0.9, 1.0, 1.5, 2.1):
        watcher.alive()
    watcher.close()
    assert told(manager) == ["WATCHDOG=1"] * 3


def test_a_manager_that_does_not_read_holds_nobody_up(manager: socket.socket) -> None:
    """A full socket, and one that is gone, cost a datagram, which is counted, and no waiting."""
    watcher = SystemdWatcher(manager.getsockname())
    while not watcher.lost:
        watcher.ready()
    watcher.close()
    gone = SystemdWatcher("/nonexistent/notify")
    gone.ready()
    gone.close()
    assert gone.lost == 1


def test_nobody_watches_without_a_socket() -> None:
    """Without NOTIFY_SOCKET all is told to nobody."""
    watcher = open_watcher({})
    assert isinstance(watcher, NullWatcher)
    watcher.ready()
    watcher.status("x")
    watcher.alive()
    watcher.stopping()


@pytest.mark.parametrize(
    ("pid", "messages"), [(str(os.getpid()), ["WATCHDOG=1"]), ("1", [])], ids=["this process", "another"]
)
def test_the_watchdog_of_another_process_is_not_fed(manager: socket.socket, pid: str, messages: list[str]) -> None:
    """WATCHDOG_USEC counts only for the process that WATCHDOG_PID names."""
    names = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": pid}
    watcher = open_watcher(names)
    watcher.alive()
    assert isinstance(watcher, SystemdWatcher)
    watcher.close()
    assert told(manager) == messages


def test_the_clock_counts_milliseconds_since_1970() -> None:
    """The clock's instant is after this was written and before the year 2100."""
    assert 1_763_000_000_000 < SystemClock().now() < 4_102_444_800_000


def test_more_time_is_asked_for_in_good_time_and_not_at_every_step(manager: socket.socket) -> None:
    """EXTEND_TIMEOUT_USEC is sent at once, and again when a third of what was asked for has gone by."""
    instants = iter((0.0, 1.0, 3.0, 3.5))
    watcher = SystemdWatcher(manager.getsockname(), monotonic=lambda: next(instants))
    for _ in range(4):
        watcher.extend(9.0)
    watcher.close()
    assert told(manager) == ["EXTEND_TIMEOUT_USEC=9000000"] * 2
