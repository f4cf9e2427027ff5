"""The tables of the engine know every record, and what is drawn from them is current."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, get_args

import pytest

from jada_orchestrator.adapters.journal.codec import KINDS
from jada_orchestrator.domain import foreseen, people_records, planning_records, records, retired
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.workflow import Phase, Status
from jada_orchestrator.engine.apply import APPLIERS
from jada_orchestrator.engine.story import tell_entry
from jada_orchestrator.engine.transitions import CALL_ARROWS, WORKFLOW_ARROWS, Arrow
from jada_orchestrator.testing.catalogues import request
from tests.golden.samples import samples_of
from tools.state_diagrams import state_files

ROOT: Final = Path(__file__).parents[3]
CLASSES: Final[tuple[type[Any], ...]] = get_args(Record)


def test_what_a_frontend_knows_of_a_traveller_is_told_by_its_names_alone() -> None:
    """The story goes into the log of the host: of a booking without words it has the names of the fields."""
    asked = replace(request(), text="", booking={"customer_id": "c-118", "passport": {"number": "123456789"}})
    accepted = records.WorkflowAccepted(asked, "d", Message("{}", {}), "m", CatalogueVersion("c"))
    told = tell_entry(records.Entry(1, UtcMs(0), accepted)).message
    assert "customer_id, passport" in told
    assert "118" not in told
    assert "1234" not in told


def test_the_union_holds_every_record_class() -> None:
    """A class that is written in the modules of records is in the union, so that nothing below can overlook it."""
    written = {
        each
        for module in (records, people_records, planning_records, foreseen, retired)
        for each in vars(module).values()
        if isinstance(each, type) and each.__module__ == module.__name__
    }
    assert written - {records.Entry} == set(CLASSES)


@pytest.mark.parametrize("record", CLASSES, ids=lambda each: each.__name__)
def test_every_record_is_known_everywhere(record: type[Any]) -> None:
    """Each has what it does to the state, a name in the journal, and a line in the story that can be told."""
    assert isinstance(APPLIERS[record], Callable)  # type: ignore[arg-type] # an abstract class, which isinstance takes
    kind = next(kind for kind, each in KINDS.items() if each is record)
    for sample in samples_of(kind):
        if not isinstance(sample, records.ApprovalRequested):  # the amount of a sample is no money
            assert tell_entry(records.Entry(1, 0, sample)).message  # type: ignore[arg-type] # an instant


def test_the_tables_know_nothing_else() -> None:
    """No applier, kind, or arrow for a record that is not there."""
    assert set(APPLIERS) == set(KINDS.values()) == set(CLASSES)
    names = {each.__name__ for each in CLASSES} | {"predecessors done"}
    assert {arrow.record for arrow in CALL_ARROWS | WORKFLOW_ARROWS} <= names


@pytest.mark.parametrize(
    ("arrows", "first", "states"),
    [
        (CALL_ARROWS, Phase.WAITING.value, [each.value for each in Phase]),
        (WORKFLOW_ARROWS, Status.ACCEPTED.value, [each.value for each in Status if each is not Status.REJECTED]),
    ],
)
def test_every_state_can_be_reached(arrows: frozenset[Arrow], first: str, states: list[str]) -> None:
    """From the beginning a path leads to every state; only a rejected message begins where it ends."""
    reached = {first}
    while found := {arrow.target for arrow in arrows if arrow.source in reached} - reached:
        reached |= found
    assert reached == set(states)


def test_the_drawings_are_current() -> None:
    """`docs/states` shows the tables as they are; `make docs` writes it anew."""
    for path, text in state_files().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, path
