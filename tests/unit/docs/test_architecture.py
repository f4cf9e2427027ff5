"""The map is true: its floors, its limits and its laws are the code's."""

from __future__ import annotations

import ast
import re
from typing import Final

from tests.architecture.floors import FLOORS
from tests.unit.docs.source_facts import ROOT, SOURCE, rows

ARCHITECTURE: Final = ROOT / "ARCHITECTURE.md"
LIMITS: Final = SOURCE / "domain" / "limits.py"


def limits() -> set[str]:
    """The name of every limit."""
    body = ast.parse(LIMITS.read_text(encoding="utf-8")).body
    return {node.target.id for node in body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}


def test_every_floor_is_on_the_map() -> None:
    """The tables of floors name exactly the floors of the checker, and no floor that one may not import."""
    tables = [row for row in rows(ARCHITECTURE) if len(row) == 4 and row[0].strip("`") in FLOORS]
    assert {row[0].strip("`") for row in tables} == {name for name in FLOORS if not name.startswith("__")}
    for name, _, below, _ in tables:
        named = set(re.findall(r"`(\w+)`", below))
        allowed = FLOORS[name.strip("`")].below
        assert named <= allowed, name
        assert named == allowed or "everything above" in below or "the pure floors" in below, name


def test_every_limit_has_its_reason() -> None:
    """Each limit has a docstring below it, or stands right under one that speaks for the group (law 7)."""
    body = ast.parse(LIMITS.read_text(encoding="utf-8")).body
    told = [isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body]
    silent = []
    for place, node in enumerate(body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            nearby = told[place + 1 : place + 4] + told[max(place - 1, 0) : place]
            if not any(nearby):
                silent.append(node.target.id)
    assert not silent


def test_limits_that_are_named_exist() -> None:
    """Every name in capitals that ends like a limit is one, in every document of the map."""
    known = limits()
    for name in ("ARCHITECTURE.md", "docs/failure-matrix.md", "docs/operations.md", "docs/journey.md"):
        path = ROOT / name
        named = (
            set(re.findall(r"`([A-Z_]+_(?:MAX|MS|MAX_MS))`", path.read_text(encoding="utf-8")))
            if path.exists()
            else set()
        )
        assert named <= known, name


def test_every_law_names_its_test() -> None:
    """The table of laws has the ten laws in order, and each names at least one test, or says that there is none."""
    laws = [row for row in rows(ARCHITECTURE) if len(row) == 3 and row[0].isdigit()]
    assert [row[0] for row in laws] == [str(number) for number in range(1, 11)]
    assert not [row[0] for row in laws if "::test_" not in row[2] and row[2] != "not tested yet"]
