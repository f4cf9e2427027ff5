"""A log that also counts: every state change passes through the log, so its counters are complete from its level on."""

from __future__ import annotations

from collections import Counter
from typing import Final

from jada_orchestrator.ports.log import Level, Log

WATCHED: Final[tuple[tuple[str, Level], ...]] = (
    ("budget.spent", "error"),
    ("dead_letter.delivered", "info"),
    ("law.broken", "critical"),
    ("message.dead_letter", "error"),
    ("message.unacceptable", "critical"),
    ("outcome.stuck", "error"),
    ("planning.answered", "info"),
    ("planning.backed_off", "warning"),
    ("planning.gave_up", "error"),
    ("queue.unreachable", "error"),
    ("task.stands", "error"),
    ("task.unresolved", "error"),
    ("workflow.quarantined", "critical"),
    ("workflow.unreadable", "critical"),
)
"""What alerts are made of. Told as 0 before it ever happens: of a number that begins at 1, Prometheus sees no increase,
and nobody would be called the first time."""


class CountingLog:
    """The port `Log`, handed on to another one, with a counter for each event."""

    def __init__(self, log: Log) -> None:
        """Take the log that writes."""
        self._log = log
        self.events: Counter[tuple[str, str]] = Counter(dict.fromkeys(WATCHED, 0))
        """By event and level."""

    def wants(self, level: Level) -> bool:
        """Tell whether lines of this level are written; those that are not are not worded, and so not counted."""
        return self._log.wants(level)

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Count one event and hand it on."""
        self.events[event, level] += 1
        self._log.emit(level, event, message, **fields)
