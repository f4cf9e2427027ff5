"""No record changes its shape without raising the format of records: older programs beside this one rely on it."""

from __future__ import annotations

from typing import Final

import pytest

from jada_orchestrator.adapters.journal.codec import KINDS, SINCE, RecordCodec
from tests.golden import formats

NEWEST: Final = RecordCodec().format


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_as_it_was_when_its_format_was_made(kind: str) -> None:
    """A new kind, version or field (also one with a default) has to be in a format that no release knows yet."""
    number = SINCE.get(kind, 1)
    assert formats.recorded(number).get(kind) == formats.shape_of(kind), (
        f"{kind} is not what format {number} says: name it in `codec.SINCE` with a newer format, so that older "
        "programs leave its workflows alone, then run `python -m tests.golden.write`"
    )


def test_formats_are_numbered_without_a_gap() -> None:
    """Every format up to the newest has records of its own."""
    assert sorted({1, *SINCE.values()}) == list(range(1, NEWEST + 1))


def test_a_shape_is_told_by_what_a_record_can_hold() -> None:
    """Two kinds with other fields have other shapes."""
    assert formats.shape_of("task_skipped") != formats.shape_of("task_succeeded")
