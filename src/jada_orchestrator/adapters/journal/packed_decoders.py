"""Attempts and answers as they are read back: what was told and what was answered is left unread.

Recovery reads some twenty such records of every booking, and looks into few of them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from jada_orchestrator.domain.documents import JsonObject, Packed, packed
from jada_orchestrator.domain.events import Purpose, Side
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import AttemptStarted, TaskSucceeded
from jada_orchestrator.domain.usage import Usage


class RawAttempt(msgspec.Struct, gc=False):
    """`AttemptStarted` as it is stored, what was told not yet read."""

    task_id: TaskId
    side: Side
    purpose: Purpose
    number: int
    input: msgspec.Raw
    deadline: UtcMs


class RawSuccess(msgspec.Struct, gc=False):
    """`TaskSucceeded`, likewise."""

    task_id: TaskId
    purpose: Purpose
    number: int
    output: msgspec.Raw
    usage: Usage | None = None


_read_attempt: Final = msgspec.json.Decoder(RawAttempt).decode
_read_success: Final = msgspec.json.Decoder(RawSuccess).decode


def decode_attempt(payload: bytes | str) -> AttemptStarted:
    """Return the record. Raises: ValueError, as `msgspec` does."""
    raw = _read_attempt(payload)
    text = bytes(raw.input)
    told = None if text == b"null" else _object(text)
    return AttemptStarted(raw.task_id, raw.side, raw.purpose, raw.number, told, raw.deadline)


def decode_success(payload: bytes | str) -> TaskSucceeded:
    """Return the record. Raises: ValueError, as `msgspec` does."""
    raw = _read_success(payload)
    return TaskSucceeded(raw.task_id, raw.purpose, raw.number, _object(bytes(raw.output)), raw.usage)


def _object(text: bytes) -> Packed:
    if text[:1] != b"{":
        msg = "what was told or answered is no object"
        raise ValueError(msg)
    return Packed(text)


# --- For whatever writes and reads whole records ----------------------------------------------------------------------


def as_stored(value: object) -> msgspec.Raw:
    """Return the text of what is kept as text; an ``enc_hook``. Raises: TypeError, for everything else."""
    if isinstance(value, Packed):
        return msgspec.Raw(value.text)
    msg = f"a {type(value).__name__} is no JSON"
    raise TypeError(msg)


def as_read(value: object) -> JsonObject:
    """Return what is kept as text as the object that it is, likewise."""
    if isinstance(value, Packed):
        return value.opened()
    msg = f"a {type(value).__name__} is no JSON"
    raise TypeError(msg)


def as_kept(cls: type, value: object) -> Packed:
    """Return the text of an object that was read; a ``dec_hook``. Raises: ValueError, for everything else."""
    if cls is Packed and isinstance(value, dict):
        return packed(value)
    msg = "what was told or answered is no object"
    raise ValueError(msg)
