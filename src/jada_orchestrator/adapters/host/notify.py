"""systemd's side of the process: one datagram for each thing to tell (sd_notify(3)).

Nothing here waits: a manager that does not read must not stop the loop whose health it watches.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from jada_orchestrator.ports.host import Watcher

_EXTENSION_SHARE: Final = 3
_ALIVE_SHARE: Final = 4
"""Signs of life are sent four times within the watchdog's time: one that is lost changes nothing."""


class NullWatcher:
    """Nobody watches."""

    def ready(self) -> None:
        """Tell nobody."""

    def status(self, text: str) -> None:
        """Tell nobody."""

    def alive(self) -> None:
        """Tell nobody."""

    def stopping(self) -> None:
        """Tell nobody."""

    def extend(self, seconds: float) -> None:
        """Tell nobody."""


class SystemdWatcher:
    """The port `Watcher` on systemd's notification socket."""

    def __init__(
        self, address: str, *, watchdog_s: float | None = None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the socket's address (``@`` begins an abstract one) and the watchdog's time, if there is a watchdog."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._every_s = None if watchdog_s is None else watchdog_s / _ALIVE_SHARE
        self._alive_at: float | None = None
        self._extended_at: float | None = None
        self._monotonic = monotonic
        self.lost = 0
        """Datagrams that the manager did not take."""

    def ready(self) -> None:
        """Everything is up; requests are accepted."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""
        self._send("STATUS=" + text.replace("\n", " "))

    def alive(self) -> None:
        """The turn loop went round. Sent no more often than the watchdog needs."""
        if self._every_s is None:
            return
        now = self._monotonic()
        if self._alive_at is None or now - self._alive_at >= self._every_s:
            self._alive_at = now
            self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The process is draining."""
        self._send("STOPPING=1")

    def extend(self, seconds: float) -> None:
        """More time is needed than the unit's own limit may leave. Sent once in a third of what it asks for."""
        now = self._monotonic()
        if self._extended_at is None or now - self._extended_at >= seconds / _EXTENSION_SHARE:
            self._extended_at = now
            self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def close(self) -> None:
        """Release the socket. May be called twice."""
        self._socket.close()

    def _send(self, text: str) -> None:
        try:
            self._socket.sendto(text.encode("utf-8", "replace"), socket.MSG_DONTWAIT, self._address)
        except OSError:
            # Full, gone, or refused by a sandbox: being watched is a service to us, never a condition of working.
            self.lost += 1


def open_watcher(environ: Mapping[str, str] | None = None) -> Watcher:
    """Return the watcher that the environment names: systemd's, or nobody."""
    names = os.environ if environ is None else environ
    address = names.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return NullWatcher()
    return SystemdWatcher(address, watchdog_s=_watchdog_s(names))


def _watchdog_s(names: Mapping[str, str]) -> float | None:
    """Return the watchdog's time, None where there is none or it is meant for another process (WATCHDOG_PID)."""
    meant_for = names.get("WATCHDOG_PID", "")
    if meant_for and meant_for != str(os.getpid()):
        return None
    microseconds = names.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdecimal() and int(microseconds) > 0 else None
