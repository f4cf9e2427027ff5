"""docs/plans.md shows what `jada plan` prints of the very proposals beside it."""

from __future__ import annotations

import json
import re
from io import StringIO
from typing import Final

import pytest
from rich.console import Console

from jada_orchestrator.cli.plan_pictures import dot_of, mermaid_of, plan_tree
from jada_orchestrator.domain.house import HOUSE_ACTIONS
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.planning import Adopted, compile_proposal
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.service.dry_run import told_in
from jada_orchestrator.testing.catalogues import request
from tests.unit.docs.source_facts import ROOT

PAGE: Final = (ROOT / "docs/plans.md").read_text(encoding="utf-8")
SHOWN: Final = re.findall(r"```json\n(\{\n.*?)\n```\n\n```text\n(.*?)\n```", PAGE, re.DOTALL)
STAYS: Final = [
    {"city": city, "check_in": "2027-05-03", "check_out": "2027-05-06", "guests": 2} for city in ("Lisbon", "Madrid")
]


def plan_of(text: str) -> Plan:
    """The plan of a proposal over the reference catalogue."""
    catalogue = read_catalogue(ROOT / "config/agents")
    compiled = compile_proposal(text, catalogue, request(booking={"stays": STAYS}), answers=told_in(text))
    assert isinstance(compiled, Adopted), compiled
    return compiled.plan


@pytest.mark.parametrize(("text", "picture"), SHOWN, ids=["condition", "list", "alternative", "house"])
def test_a_picture_is_what_is_printed(text: str, picture: str) -> None:
    """Each proposal of the page compiles, and its tree is the one below it."""
    console = Console(file=StringIO(), width=110, no_color=True)
    console.print(plan_tree(plan_of(text)))
    assert isinstance(console.file, StringIO)
    assert [line.rstrip() for line in console.file.getvalue().splitlines()] == picture.splitlines()


def test_every_way_to_decide_has_its_picture() -> None:
    """A condition, a list, an alternative, an optional task and each action of the house are shown."""
    written = [set().union(*json.loads(text)["tasks"]) for text, _ in SHOWN]
    assert ["when" in written[0], "for_each" in written[1], "instead_of" in written[2]] == [True, True, True]
    assert "optional" in written[3]
    assert set(HOUSE_ACTIONS) <= {task["action"] for task in json.loads(SHOWN[3][0])["tasks"]}


def test_other_programs_draw_what_decides() -> None:
    """Conditions are hexagons, lists stacks, and the way to a stand-in carries its codes."""
    condition, listed, other, _ = (plan_of(text) for text, _ in SHOWN)
    assert 'search_car{{"search_car<br/>cars.search<br/>when to_number(hold_hotel.total.amount) &lt; `900`"}}' in (
        mermaid_of(condition)
    )
    assert 'hold[["hold<br/>hotels.hold<br/>for each item of search"]]' in mermaid_of(listed)
    assert 'hold -.->|"SOLD_OUT PRICE_CHANGED"| hold_next' in mermaid_of(other)
    assert "shape=hexagon" in dot_of(condition)
    assert "peripheries=2" in dot_of(listed)
    assert 'hold -> hold_next [style=dashed, label="SOLD_OUT PRICE_CHANGED"];' in dot_of(other)
