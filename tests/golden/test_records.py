"""What was ever written to a journal is read for ever, as the same values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from jada_orchestrator.adapters.journal.codec import KINDS, RecordCodec
from jada_orchestrator.adapters.journal.packed_decoders import as_read

FOLDER: Final = Path(__file__).parent
FILES: Final = sorted(FOLDER.glob("v*/*.jsonl"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_a_stored_record_keeps_its_meaning(path: Path) -> None:
    """Every golden line decodes to the value that it stood for when it was written; later fields may only be added."""
    for line in path.read_text(encoding="utf-8").splitlines():
        golden = json.loads(line)
        record = RecordCodec().decode(golden["kind"], golden["version"], json.dumps(golden["payload"]))
        assert type(record) is KINDS[golden["kind"]]
        assert_keeps(msgspec.to_builtins(record, enc_hook=as_read), golden["value"])


def test_every_kind_has_a_golden_file() -> None:
    """A kind that can be written has a golden file; `python -m tests.golden.write` makes the missing ones."""
    assert {path.stem for path in FILES} >= set(KINDS)


def assert_keeps(now: Any, then: Any) -> None:
    """Everything that was there then is there now, with the same value and type."""
    if isinstance(then, dict):
        assert isinstance(now, dict)
        for name, value in then.items():
            assert_keeps(now[name], value)
    elif isinstance(then, list):
        assert isinstance(now, list | tuple)
        assert len(now) == len(then)
        for new, old in zip(now, then, strict=True):
            assert_keeps(new, old)
    else:
        assert (type(now), now) == (type(then), then)
