"""Reads the tasks of a proposal while it is still arriving.

A proposal is one JSON object whose `tasks` come before its end. Each value in it is read by the standard library's own
decoder as soon as it is whole; a text of another shape is left alone, since the whole answer is read later in any case.
"""

from __future__ import annotations

import json
from enum import Enum
from typing import Final

from jada_orchestrator.domain.limits import FORESEEN_TASK_CHARS_MAX
from jada_orchestrator.ports.planner import TaskListener

_DECODER: Final = json.JSONDecoder()
_BLANK: Final = " \t\r\n"


class _Place(Enum):
    """What the unread text begins with."""

    OBJECT = "object"
    MEMBER = "member"
    TASK = "task"
    END = "end"
    """Nothing that is of interest any more."""


class TasksAhead:
    """Told the pieces of one answer in order; tells of each task as soon as its last character has come."""

    def __init__(self, on_task: TaskListener) -> None:
        """Take who is told."""
        self._on_task = on_task
        self._unread = ""
        self._place = _Place.OBJECT

    def take(self, piece: str) -> None:
        """Read on. Never raises; costs little, whatever the text: what stays unread is bounded."""
        if self._place is _Place.END:
            return
        self._unread += piece
        try:
            while self._read_one():
                pass
        except RecursionError:
            self._place = _Place.END
        if len(self._unread) > FORESEEN_TASK_CHARS_MAX:
            self._place = _Place.END

    def _read_one(self) -> bool:
        """Read one thing if it is whole; tell whether there may be another."""
        self._unread = self._unread.lstrip(_BLANK)
        if not self._unread:
            return False
        match self._place:
            case _Place.OBJECT:
                return self._expect("{", _Place.MEMBER)
            case _Place.MEMBER:
                return self._member()
            case _Place.TASK:
                return self._task()
            case _Place.END:
                return False

    def _expect(self, sign: str, then: _Place) -> bool:
        self._place = then if self._unread.startswith(sign) else _Place.END
        self._unread = self._unread[1:]
        return self._place is not _Place.END

    def _member(self) -> bool:
        """Pass over a member of the proposal, up to the one that holds the tasks."""
        text = self._unread.lstrip("," + _BLANK)
        if text and not text.startswith('"'):
            self._place = _Place.END
            return False
        name = _decoded(text)
        if name is None:
            return False
        rest = text[name[1] :].lstrip(_BLANK)
        if not rest.startswith(":"):
            return False
        value = rest[1:].lstrip(_BLANK)
        if name[0] == "tasks":
            if not value:
                return False
            self._unread = value
            return self._expect("[", _Place.TASK)
        whole = _decoded(value)
        if whole is None or not value[whole[1] :].lstrip(_BLANK).startswith((",", "}")):
            return False  # what comes next may belong to it: of `0.5`, the first two characters are a 0 and more
        self._unread = value[whole[1] :]
        return True

    def _task(self) -> bool:
        text = self._unread.lstrip("," + _BLANK)
        if not text:
            return False
        if not text.startswith("{"):
            self._place = _Place.END
            return False
        whole = _decoded(text)
        if whole is None:
            return False
        self._unread = text[whole[1] :]
        self._on_task(text[: whole[1]])
        return True


def _decoded(text: str) -> tuple[object, int] | None:
    """Return the JSON value that a text begins with, and where it ends; None when it is not whole, or none."""
    try:
        return _DECODER.raw_decode(text)
    except ValueError:
        return None
