"""`jada simulate`: the reference catalogue is covered, and what a missing compensation would leave behind is shown."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Final

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.planning import is_valid
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.testing.catalogues import proposal, request, task, travel_catalogue, travel_proposal
from jada_orchestrator.testing.explorer import CannotImagineError, explore, imagine
from jada_orchestrator.testing.simulated_planner import plan_for

ROOT: Final = Path(__file__).parents[2]
CATALOGUE: Final = ROOT / "config" / "agents"
REFERENCE: Final = read_catalogue(CATALOGUE)
TRIP: Final = Path(__file__).parent / "plans" / "trip.json"


def test_the_reference_catalogue_is_covered(capsys: pytest.CaptureFixture[str]) -> None:
    """No single failure and no crash of a whole trip leaves anything behind that nobody is told of."""
    assert main(["simulate", "--plan", str(TRIP), "--catalogue", str(CATALOGUE), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["covered"]
    assert told["baseline"]["status"] == "completed"
    assert told["cases"] > 300
    assert {"completed", "compensated", "cancelled", "needs_attention"} <= {f["status"] for f in told["findings"]}
    assert not any(finding["unnamed"] or finding["broken"] for finding in told["findings"])


def test_a_missing_compensation_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On a catalogue in which nothing undoes a ticket, the plan is not covered, and the tickets are what would stay."""
    folder = tmp_path / "agents"
    shutil.copytree(CATALOGUE, folder)
    flights = folder / "flights.yaml"
    text = flights.read_text(encoding="utf-8")
    line = '    compensate: {action: flights.cancel, input: {booking_ids: {from: "output.[booking_id]"}}}\n'
    assert line in text
    flights.write_text(text.replace(line, ""), encoding="utf-8")
    assert main(["simulate", "--plan", str(TRIP), "--catalogue", str(folder), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["missing_compensations"] == ["flights.ticket"]
    assert any("flights.ticket" in fault for fault in told["catalogue_faults"])
    assert not told["covered"]
    left = {sentence for finding in told["findings"] for sentence in finding["named"] if "IRREVERSIBLE" in sentence}
    assert any(sentence.startswith("ticket_flight (flights.ticket)") for sentence in left)


def test_people_are_shown_what_is_left_behind(capsys: pytest.CaptureFixture[str]) -> None:
    """The table for people counts the cases and names what a person would have to see to."""
    assert main(["simulate", "--plan", str(TRIP), "--catalogue", str(CATALOGUE)]) == 0
    text = capsys.readouterr().out
    assert "Covered" in text
    assert "undoing it fails for good" in text
    assert "hold_flight (flights.hold)" in text


def test_a_plan_that_cannot_be_adopted_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is explored of a plan with faults; the faults are told."""
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(proposal(task("one", "flights.unheard_of"))), encoding="utf-8")
    assert main(["simulate", "--plan", str(path), "--catalogue", str(CATALOGUE), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["cases"] == 0
    assert any("flights.unheard_of" in fault for fault in told["faults"])
    assert main(["simulate", "--plan", str(path), "--catalogue", str(CATALOGUE)]) == 1
    assert "cannot be adopted" in capsys.readouterr().out


def test_what_is_no_proposal_is_a_mistake_of_usage(tmp_path: Path) -> None:
    """Exit status 2, and a sentence."""
    path = tmp_path / "plan.json"
    path.write_text("not json", encoding="utf-8")
    assert main(["simulate", "--plan", str(path), "--catalogue", str(CATALOGUE)]) == 2


def test_actions_without_lookup_are_covered_too() -> None:
    """The small catalogue of the tests has actions without lookups, or that honour no keys."""
    exploration = explore(json.dumps(travel_proposal()), travel_catalogue(), request())
    assert exploration.is_covered, [finding for finding in exploration.findings if not finding.is_safe]


@pytest.mark.parametrize("kind", ["branches", "list", "stand_in", "mixed"])
def test_what_decides_on_tasks_is_explored(kind: str) -> None:
    """Both ways of every condition, each call of a list, and whoever stands in: nothing is left behind untold."""
    exploration = explore(json.dumps(plan_for(kind)), travel_catalogue(), request())
    assert exploration.is_covered, [finding for finding in exploration.findings if not finding.is_safe]
    cases = {finding.case for finding in exploration.findings}
    places = {finding.where for finding in exploration.findings}
    expected = {
        "branches": any(case.endswith("the conditions turned") for case in cases),
        "list": "hold[0]" in places and "hold" not in places,
        "stand_in": "hold fails with SOLD_OUT" in cases and "seat" in places,
        "mixed": "pay[1]" in places,
    }
    assert expected[kind], sorted(cases)


@pytest.mark.parametrize("name", sorted(REFERENCE.actions))
def test_an_answer_can_be_imagined_for_every_reference_action(name: str) -> None:
    """What is made up for a schema satisfies it, inputs and outputs alike."""
    action = REFERENCE.actions[ActionName(name)]
    for schema in (action.input_schema, action.output_schema):
        assert is_valid(schema, imagine(schema))


def test_what_is_known_is_used_again() -> None:
    """A property that the input has too is answered as it was asked, where its schema allows that."""
    schema = {"type": "object", "properties": {"offer_id": {"type": "string"}, "seats": {"type": "integer"}}}
    assert imagine(schema, {"offer_id": "LX-1", "seats": "none"}) == {"offer_id": "LX-1", "seats": 1}


def test_a_schema_beyond_imagination_is_told() -> None:
    """Nothing false is ever made up."""
    with pytest.raises(CannotImagineError, match="string"):
        imagine({"type": "string", "pattern": "^(?=.*q)(?=.*z).{9}$"})
