"""The documents point to what is there: files, headings and tests."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from tests.unit.docs.source_facts import ROOT, documents, names_of_tests

_LINK: Final = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_TEST: Final = re.compile(r"\b((?:tests/)?(?:[a-z_0-9]+/)+[a-z_0-9]+\.py)(?:::(test_[a-z0-9_]+))?")
_FENCE: Final = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def anchor_of(heading: str) -> str:
    """The anchor that code hosts make of a heading."""
    plain = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    """The anchors of a Markdown file."""
    text = _FENCE.sub("", path.read_text(encoding="utf-8"))
    return {anchor_of(line.lstrip("#")) for line in text.splitlines() if line.startswith("#")}


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(path: Path) -> None:
    """Every relative link of every document names a file or folder of the checkout, and a heading that is in it."""
    dead = []
    for target in _LINK.findall(_FENCE.sub("", path.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        to = (path.parent / name).resolve() if name else path
        if not to.exists() or (anchor and to.suffix == ".md" and anchor not in anchors(to)):
            dead.append(target)
    assert not dead


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tests_that_are_named_exist(path: Path) -> None:
    """Every `file.py::test_name` in a document is a test of the checkout, so that a renamed one is noticed."""
    known = names_of_tests()
    dead = []
    for file, test in _TEST.findall(path.read_text(encoding="utf-8")):
        full = file if file.startswith("tests/") else f"tests/{file}"
        if test and test not in known.get(full, set()):
            dead.append(f"{file}::{test}")
    assert not dead


def test_a_dead_link_is_seen() -> None:
    """The pattern finds plain links and images, and anchors follow the rules of code hosts."""
    assert _LINK.findall("see [a](b.md#c) and ![d](e.svg)") == ["b.md#c", "e.svg"]
    assert anchor_of(" What `jada` does: 1, 2") == "what-jada-does-1-2"
