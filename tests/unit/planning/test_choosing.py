"""Choices as the compiler sees them: what is chosen has the type of what it is chosen from."""

from __future__ import annotations

import json

import pytest

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.limits import CHOICE_OPTION_CHARS_MAX
from jada_orchestrator.planning import Adopted, Faulted, chosen_index, compile_proposal, shortened
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


@pytest.mark.parametrize(
    "option",
    [
        {f"field-{number}": "x" * 500 for number in range(10_000)},
        {"rooms": [{"notes": ["y" * 500] * 500}] * 500},
        {"n" * 5_000: {"n" * 5_000: {"n" * 5_000: 1}}},
        {str(number): number for number in range(100_000)},
        ["z" * 500] * 10_000,
        "w" * 100_000,
    ],
    ids=["many fields", "nested lists", "long names", "many numbers", "a list", "a text"],
)
def test_what_an_option_costs_is_bounded(option: Json) -> None:
    """However much an agent answers, what the model is asked stays short, and the beginning is there."""
    short = json.dumps(shortened(option))
    assert len(short) < 1.5 * CHOICE_OPTION_CHARS_MAX
    assert short[:20] == json.dumps(option)[:20]


def test_a_usual_option_is_shown_whole() -> None:
    """The offers of an honest agent lose nothing."""
    option = {
        "offer_id": "o-1",
        "price": {"amount": "100.00", "currency": "USD"},
        "stars": 4,
        "near": ["Alfama"],
        "x": None,
    }
    assert shortened(option) == option


@pytest.mark.parametrize(
    "answer",
    [
        '{"index": 2}', '{"index": -1}', '{"index": 1.0}', '{"index": true}', '{"index": "0"}', '{"index": null}',
        '{"index": 1e999}', '{"index": [0]}', '{"index": 0, "index": 1}', '{"option": {"offer_id": "o-1"}}', "[0]", "0",
        "", "null", "o-1", '{"index": ' + "9" * 5_000 + "}", "[" * 100_000,
    ],
)  # fmt: skip
def test_an_answer_that_names_no_place_names_nothing(answer: str) -> None:
    """Only a whole number within the list is a place in it; what else is said is not guessed at."""
    assert chosen_index(answer, 2) is None


def test_what_an_answer_says_besides_its_place_is_not_heard() -> None:
    """An item that is invented beside the index stays unread."""
    assert chosen_index('{"index": 1, "option": {"offer_id": "o-9"}, "tasks": []}', 2) == 1


@pytest.mark.parametrize(
    ("condition", "fault"),
    [
        ("pick.option.note == 'go'", [("BAD_CONDITION", "tasks.hold.when")]),
        ("contains(pick.option.offer_id, 'go')", [("BAD_CONDITION", "tasks.hold.when")]),
        ("to_number(pick.option.price.amount) < `100`", []),
    ],
)
def test_the_words_of_what_was_chosen_decide_nothing(condition: str, fault: list[tuple[str, str]]) -> None:
    """A condition may look at a chosen option's numbers, as at those of any output, never at its texts."""
    found = codes(SEARCH, PICK, task("hold", "rooms.hold", when=condition, offer_id=Ref("pick.option.offer_id")))
    assert [each for each in found if each[0] == "BAD_CONDITION"] == fault
