"""Reading exams: shapes add up, and every mistake is named before anything is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.service.exam.questions import BadExamError, read_exam

ROOT = Path(__file__).parents[4]
SHAPES = {
    "flight": {
        "must": ["flights.search", "flights.hold"],
        "may": ["places.*"],
        "edges": ["flights.search -> flights.hold -> payments.authorize"],
        "sources": {"flights.hold.offer_id": "flights.search.offers.offer_id", "payments.authorize.amount": ["user"]},
        "path": 3,
    },
    "money": {"must": ["payments.authorize"], "path": 2},
}


@pytest.fixture(scope="module")
def reference() -> Catalogue:
    """The catalogue of config/agents."""
    return read_catalogue(ROOT / "config" / "agents")


def question(**more: Any) -> dict[str, Any]:
    """A question that is sound."""
    base = {"id": "q-1", "level": 1, "topic": "t", "text": "Boston to Lisbon", "expect": {"outcome": "plan"}}
    return {**base, **more}


def write(folder: Path, *questions: dict[str, Any], **more: Any) -> Path:
    """Write an exam with these questions."""
    (folder / "exam.json").write_text(json.dumps({"shapes": SHAPES, "questions": questions, **more}), "utf-8")
    return folder


def test_shapes_add_up(tmp_path: Path, reference: Catalogue) -> None:
    """Counts add up, orders and sources count where their actions are wanted, the longest path is taken."""
    expect = {"outcome": "plan", "shapes": ["flight", "flight"], "must": {"flights.ticket": 1}}
    [alone] = read_exam(write(tmp_path, question(expect=expect)), reference)
    assert alone.expected.must == {"flights.search": 2, "flights.hold": 2, "flights.ticket": 1}
    assert alone.expected.edges == {("flights.search", "flights.hold")}
    assert set(alone.expected.sources) == {"flights.hold.offer_id"}
    expect = {"outcome": ["plan", "clarify"], "shapes": ["flight", "money"]}
    [both] = read_exam(write(tmp_path, question(expect=expect)), reference)
    assert ("flights.hold", "payments.authorize") in both.expected.edges
    assert both.expected.path == 3
    assert both.expected.outcomes == {"plan", "clarify"}


def test_yaml_dates_are_texts_and_levels_order_the_exam(tmp_path: Path, reference: Catalogue) -> None:
    """A date that YAML reads as one is the text that an argument has; easy questions come first."""
    (tmp_path / "a.yaml").write_text(
        "today: 2027-01-02\nquestions:\n"
        "- {id: hard, level: 2, topic: t, text: x, expect: {outcome: clarify}}\n"
        "- {id: easy, level: 1, topic: t, text: x, expect: {outcome: plan, "
        "values: [{flights.search: {depart_date: 2027-05-03}}]}}\n",
        "utf-8",
    )
    easy, hard = read_exam(tmp_path, reference)
    assert (easy.question_id, hard.question_id) == ("easy", "hard")
    assert easy.expected.values == (("flights.search", {"depart_date": "2027-05-03"}),)
    assert easy.now == 1_798_891_200_000


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"expect": {"outcome": "plans"}}, "expect.outcome"),
        ({"expect": {"outcome": "plan", "musts": []}}, "expect.musts"),
        ({"expect": {"outcome": "plan", "shapes": ["fligt"]}}, "no shape fligt; there is flight, money"),
        ({"expect": {"outcome": "plan", "must": ["flights.fly"]}}, "no action flights.fly"),
        ({"expect": {"outcome": "plan", "may": ["trains.*"]}}, "no action trains.*"),
        ({"expect": {"outcome": "plan", "edges": ["flights.search"]}}, "is no order of actions"),
        (
            {"expect": {"outcome": "plan", "edges": ["flights.hold -> flights.search"], "shapes": ["flight"]}},
            "in a ring",
        ),
        ({"expect": {"outcome": "plan", "values": [{"flights.search": {"city": "x"}}]}}, "no input field city"),
        ({"text": None}, "one of text"),
        ({"level": 0}, "level"),
        ({"id": "a b"}, "request_id"),
    ],
)
def test_a_mistake_is_named(wrong: dict[str, Any], says: str, tmp_path: Path, reference: Catalogue) -> None:
    """A field, action, shape or request that is wrong stops the exam, with its place."""
    with pytest.raises(BadExamError) as raised:
        read_exam(write(tmp_path, question(**wrong)), reference)
    assert says in str(raised.value)


def test_all_mistakes_are_named_at_once(tmp_path: Path, reference: Catalogue) -> None:
    """Doubled ids, doubled shapes and broken files are told together; an empty folder is no exam."""
    write(tmp_path, question(), question())
    (tmp_path / "more.yaml").write_text("shapes: {flight: {}}\n", "utf-8")
    (tmp_path / "broken.json").write_text("{", "utf-8")
    with pytest.raises(BadExamError) as raised:
        read_exam(tmp_path, reference)
    told = str(raised.value)
    assert "'q-1' is there 2 times" in told
    assert "shape 'flight' is there twice" in told
    assert "broken.json" in told
    (tmp_path / "empty").mkdir()
    for folder in ("empty", "nowhere"):
        with pytest.raises(BadExamError):
            read_exam(tmp_path / folder, reference)


def test_the_reference_exam_is_sound_and_varied(reference: Catalogue) -> None:
    """At least 60 questions over the reference catalogue, in eight levels, of every outcome and all listed kinds."""
    questions = read_exam(ROOT / "tests" / "exam", reference)
    assert len(questions) >= 60
    assert {one.level for one in questions} == set(range(1, 9))
    assert {outcome for one in questions for outcome in one.expected.outcomes} == {"plan", "clarify", "refuse"}
    topics = {one.topic for one in questions}
    assert {"different travellers", "change with fare rules", "contradiction", "German", "race"} <= topics
    assert sum("instructions" in one.topic for one in questions) >= 3
