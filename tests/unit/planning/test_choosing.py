"""Choices as the compiler sees them: what is chosen has the type of what it is chosen from."""

from __future__ import annotations

import pytest

from jada_orchestrator.planning import Adopted, Faulted, compile_proposal
from jada_orchestrator.testing.catalogues import Ref, as_text, proposal, request, task, travel_catalogue

CATALOGUE = travel_catalogue()
SEARCH = task("rooms", "trips.search", city="Lisbon")
PICK = task("pick", "jada.choose", options=Ref("rooms.offers"), criteria="the quiet one")


def codes(*tasks: object) -> list[tuple[str, str]]:
    """The faults of a plan, by code and place."""
    compiled = compile_proposal(as_text(proposal(*tasks)), CATALOGUE, request())  # type: ignore[arg-type]
    if isinstance(compiled, Adopted):
        return []
    assert isinstance(compiled, Faulted), compiled
    return [(fault.code, fault.where) for fault in compiled.faults]


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("pick.option.offer_id", []),
        ("pick.option.price", [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
        ("pick.option.nothing", [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
        ("pick.index", [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ],
)
def test_consumers_of_a_choice_are_checked(value: str, fault: list[tuple[str, str]]) -> None:
    """A field that the list's elements have fits; one of another type, or one that they lack, does not."""
    assert codes(SEARCH, PICK, task("hold", "rooms.hold", offer_id=Ref(value))) == fault


def test_a_choice_is_made_from_a_list() -> None:
    """What is no list, and what is not there, are faults where they are."""
    pick = task("pick", "jada.choose", options=Ref("rooms.offers[0]"), criteria="x")
    assert codes(SEARCH, pick) == [("BAD_REFERENCE", "tasks.pick.args.options")]
    pick = task("pick", "jada.choose", options=Ref("rooms.nothing"), criteria="x")
    assert codes(SEARCH, pick) == [("BAD_REFERENCE", "tasks.pick.args.options")]


def test_the_criteria_are_nobody_elses_words() -> None:
    """What an agent wrote never says by what is chosen."""
    pick = task("pick", "jada.choose", options=Ref("rooms.offers"), criteria=Ref("rooms.offers[0].offer_id"))
    assert codes(SEARCH, pick) == [("FORBIDDEN_SOURCE", "tasks.pick.args.criteria")]


def test_one_may_choose_from_what_another_chose() -> None:
    """The shape is followed through both."""
    first = task("first", "jada.choose", options=Ref("[rooms.offers, rooms.offers]"), criteria="x")
    second = task("second", "jada.choose", options=Ref("first.option"), criteria="y")
    assert codes(SEARCH, first, second, task("hold", "rooms.hold", offer_id=Ref("second.option.offer_id"))) == []
