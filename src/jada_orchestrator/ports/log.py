"""The log: one event a line, those about a booking from the table in `engine.story`."""

from __future__ import annotations

from typing import Literal, Protocol

Level = Literal["debug", "info", "warning", "error", "critical"]


class Log(Protocol):
    """Where the runtime says what happened. Never blocks, never raises."""

    def wants(self, level: Level) -> bool:
        """Tell whether lines of this level are written at all: what is not need not be worded."""

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Write one event.

        `event` is its stable name (``task.succeeded``); `message` a sentence; fields are `workflow_id`, `request_id`,
        `tenant`, `task_id`, `attempt`, `agent` and whatever else the event has.
        """
