"""The host: time, and whoever watches over the process."""

from __future__ import annotations

from typing import Protocol

from jada_orchestrator.domain.instants import UtcMs


class Clock(Protocol):
    """What time it is. The event loop's own clock is used for waiting; this one for instants that are recorded."""

    def now(self) -> UtcMs:
        """Return the present instant."""


class Watcher(Protocol):
    """Told about the state of the process: systemd, or nobody."""

    def ready(self) -> None:
        """Everything is up; requests are accepted."""

    def status(self, text: str) -> None:
        """One line for ``systemctl status``."""

    def alive(self) -> None:
        """The turn loop went round."""

    def stopping(self) -> None:
        """The process is draining."""

    def extend(self, seconds: float) -> None:
        """Starting or stopping goes on, and needs at most this long from now to show its next sign of life."""
