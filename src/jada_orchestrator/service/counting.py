"""A log that also counts: every state change passes through the log, so its counters are complete from its level on."""

from __future__ import annotations

from collections import Counter

from jada_orchestrator.ports.log import Level, Log


class CountingLog:
    """The port `Log`, handed on to another one, with a counter for each event."""

    def __init__(self, log: Log) -> None:
        """Take the log that writes."""
        self._log = log
        self.events: Counter[tuple[str, str]] = Counter()
        """By event and level."""

    def wants(self, level: Level) -> bool:
        """Tell whether lines of this level are written; those that are not are not worded, and so not counted."""
        return self._log.wants(level)

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Count one event and hand it on."""
        self.events[event, level] += 1
        self._log.emit(level, event, message, **fields)
