"""The failure matrix is true as far as a test can see: its tests, its log events, its codes and its outcomes exist."""

from __future__ import annotations

import re
from typing import Final, get_args

from jada_orchestrator.domain.records import OutcomeType
from tests.unit.docs.source_facts import DOCS, ROOT, codes, log_events, names_of_tests, rows

MATRIX: Final = DOCS / "failure-matrix.md"
NOT_TESTED: Final = "not tested yet"

UNTESTED: Final[frozenset[str]] = frozenset()
"""Rows that no test shows yet, by their first cell. Taken out as tests land; nothing is put in without saying so."""

_TEST: Final = re.compile(r"`([a-z_0-9/]+\.py)::(test_[a-z0-9_]+)`")
_EVENT: Final = re.compile(r"`([a-z_]+\.[a-z_]+)`")
_CODE: Final = re.compile(r"`([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)`")


def matrix() -> list[list[str]]:
    """The rows of all tables."""
    return rows(MATRIX)


def test_every_row_is_whole() -> None:
    """Each row has its five cells, none of them empty."""
    assert not [row[0] for row in matrix() if len(row) != 5 or not all(row)]


def test_every_row_names_a_test() -> None:
    """Each row names at least one test, or is one of the rows that are listed as untested; the list is not stale."""
    silent = {row[0] for row in matrix() if not _TEST.findall(row[4])}
    assert {row[0] for row in matrix() if row[4] == NOT_TESTED} == silent
    assert silent == UNTESTED


def test_every_named_test_exists() -> None:
    """Each test is a function of the file that is named."""
    known = names_of_tests()
    named = [(file, test) for row in matrix() for file, test in _TEST.findall(row[4])]
    assert named
    assert not [f"{file}::{test}" for file, test in named if test not in known.get(f"tests/{file}", set())]


def test_every_event_exists() -> None:
    """What the operator sees is in the log: each event of the third column is one."""
    known = log_events()
    assert not [event for row in matrix() for event in _EVENT.findall(row[2]) if event not in known]


def test_every_code_exists() -> None:
    """Each code of a row is one that the source has, and limits are no codes."""
    known = set(codes())
    limits = (ROOT / "src" / "jada_orchestrator" / "domain" / "limits.py").read_text(encoding="utf-8")
    named = {code for row in matrix() for code in _CODE.findall(" ".join(row))}
    assert not {code for code in named - known if code not in limits}


def test_every_outcome_exists() -> None:
    """A row that says what the frontend gets in backticks says it in the contract's words."""
    words = {word for row in matrix() for word in re.findall(r"`([a-z_]+)`", row[3])}
    assert words - {"questions"} <= set(get_args(OutcomeType))
