"""The journey names what is there: files, functions and records."""

from __future__ import annotations

import re
from typing import Final

from jada_orchestrator.adapters.journal.codec import KINDS
from tests.unit.docs.source_facts import DOCS, SOURCE

JOURNEY: Final = DOCS / "journey.md"
_FILE: Final = re.compile(r"`((?:[a-z_]+/)*[a-z_]+\.py)`((?: `[A-Za-z_.]+`)*)")


def test_files_and_functions_are_there() -> None:
    """Every module of ours that the journey names is there, and has the functions that are named right after it."""
    missing = []
    text = JOURNEY.read_text(encoding="utf-8")
    for file, names in _FILE.findall(text):
        paths = [path for path in SOURCE.rglob("*.py") if path.as_posix().endswith(f"/{file}")]
        if not paths:
            missing.append(file)
            continue
        source = "".join(path.read_text(encoding="utf-8") for path in paths)
        for name in re.findall(r"`([A-Za-z_.]+)`", names):
            last = name.rpartition(".")[2]
            if not re.search(rf"(?:def|class) {last}\b", source):
                missing.append(f"{file} {name}")
    assert not missing


def test_records_are_kinds_of_the_journal() -> None:
    """Every numbered line of a story is of a kind that the journal has."""
    kinds = re.findall(r"^ ?\d+  \d\d:\d\d:\d\d\.\d{3}  ([a-z_]+) ", JOURNEY.read_text(encoding="utf-8"), re.MULTILINE)
    assert kinds
    assert set(kinds) <= set(KINDS)
