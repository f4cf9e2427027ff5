"""Writes golden files for kinds of records that have none yet: `python -m tests.golden.write`. It changes no file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import msgspec

from jada_orchestrator.adapters.journal.codec import KINDS, RecordCodec
from jada_orchestrator.adapters.journal.packed_decoders import as_read
from tests.golden import formats
from tests.golden.samples import samples_of

FOLDER: Final = Path(__file__).parent / "v1"


def lines_of(kind: str) -> list[str]:
    """One line a sample: what is stored, and the value that it stands for, for ever."""
    lines = []
    for record in samples_of(kind):
        encoded = RecordCodec().encode(record)
        line = {
            "kind": encoded.kind,
            "version": encoded.version,
            "payload": json.loads(encoded.payload),
            "value": msgspec.to_builtins(record, enc_hook=as_read),
        }
        lines.append(json.dumps(line, ensure_ascii=False))
    return lines


def main() -> None:
    """Write what is missing."""
    for kind in KINDS:
        path = FOLDER / f"{kind}.jsonl"
        if not path.exists():
            path.write_text("\n".join(lines_of(kind)) + "\n", encoding="utf-8")
            print(f"wrote {path.name}")  # noqa: T201 - a script that says what it did
        if formats.record(kind):
            print(f"recorded the shape of {kind} in its format")  # noqa: T201 - likewise


if __name__ == "__main__":
    main()
