"""Attempts and answers as they are read back, with what was told and answered left unread."""

from __future__ import annotations

from typing import Any

import pytest

from jada_orchestrator.adapters.journal.codec import RecordCodec
from jada_orchestrator.adapters.journal.packed_decoders import RawAttempt, RawSuccess
from jada_orchestrator.domain.documents import packed
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import AttemptStarted, TaskSucceeded
from jada_orchestrator.ports.journal import JournalCorruptError


@pytest.mark.parametrize(("raw", "record"), [(RawAttempt, AttemptStarted), (RawSuccess, TaskSucceeded)])
def test_every_field_of_the_record_is_read(raw: type[Any], record: type[Any]) -> None:
    """What is read has the record's own fields, in its order: none is forgotten when one is added."""
    assert raw.__struct_fields__ == record.__struct_fields__


@pytest.mark.parametrize("told", [None, {}, {"city": "Lisboa", "nights": 2}, {"note": "a\ud800b"}])
def test_what_was_told_comes_back(told: dict[str, object] | None) -> None:
    """An attempt comes back with what it was told, or with the silence of one that was told before."""
    kept = None if told is None else packed(told)
    record = AttemptStarted(TaskId("t"), "do", "call", 1, kept, UtcMs(5))
    encoded = RecordCodec().encode(record)
    assert RecordCodec().decode(encoded.kind, encoded.version, encoded.payload) == record


def test_lone_surrogates_beside_an_answer_come_back() -> None:
    """A record whose own fields no UTF-8 can say is read the longer way, its answer as well."""
    record = TaskSucceeded(TaskId("t\ud800"), "call", 1, packed({"note": "ü"}))
    encoded = RecordCodec().encode(record)
    assert RecordCodec().decode(encoded.kind, encoded.version, encoded.payload) == record


@pytest.mark.parametrize("output", ["[]", "null", "5", '"{}"', '{"a":1', "{}}"])
def test_an_answer_that_is_no_object_is_damage(output: str) -> None:
    """Whatever stands where an answer is to be, and is none, is found when it is read, and not later."""
    payload = f'{{"task_id":"t","purpose":"call","number":1,"output":{output}}}'
    with pytest.raises(JournalCorruptError):
        RecordCodec().decode("task_succeeded", 1, payload)


@pytest.mark.parametrize("told", ["[]", "5", '"null"', "nul"])
def test_an_input_that_is_no_object_is_damage(told: str) -> None:
    """Likewise of what an attempt was told."""
    payload = f'{{"task_id":"t","side":"do","purpose":"call","number":1,"input":{told},"deadline":5}}'
    with pytest.raises(JournalCorruptError):
        RecordCodec().decode("attempt_started", 1, payload)
