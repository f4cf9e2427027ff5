"""Logs and a watcher that say nothing; two of them keep what they are told."""

from __future__ import annotations

from jada_orchestrator.ports.log import Level


class NoLog:
    """The port `Log`, into nothing: where nobody asks afterwards."""

    def wants(self, level: Level) -> bool:
        """Want everything."""
        return True

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Forget one event."""


class QuietLog:
    """The port `Log`, in memory: `lines` holds ``(level, event, message, fields)``."""

    def __init__(self) -> None:
        """Begin empty."""
        self.lines: list[tuple[Level, str, str, dict[str, object]]] = []

    def wants(self, level: Level) -> bool:
        """Want everything."""
        return True

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Keep one event."""
        self.lines.append((level, event, message, fields))

    def events(self) -> list[str]:
        """Return the names of the events, in order."""
        return [event for _, event, _, _ in self.lines]


class QuietWatcher:
    """The port `Watcher`, in memory."""

    def __init__(self) -> None:
        """Begin untold."""
        self.is_ready = False
        self.is_stopping = False
        self.lines: list[str] = []
        self.rounds = 0
        self.extensions: list[float] = []

    def ready(self) -> None:
        """Note that everything is up."""
        self.is_ready = True

    def status(self, text: str) -> None:
        """Keep the line."""
        self.lines.append(text)

    def alive(self) -> None:
        """Count the round."""
        self.rounds += 1

    def stopping(self) -> None:
        """Note that it drains."""
        self.is_stopping = True

    def extend(self, seconds: float) -> None:
        """Keep what was asked for."""
        self.extensions.append(seconds)
