"""The reference catalogue agrees with itself and with the agents that it describes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from ruamel.yaml import YAML

from jada_orchestrator.sandbox.agents.catalogue import SCHEMAS, catalogue_folder, copies, main
from tests.unit.sandbox.conftest import AGENTS

FILES = sorted(catalogue_folder().glob("*.yaml"))
AGENT_DOCUMENTS: dict[str, dict[str, Any]] = {path.stem: YAML(typ="safe").load(path) for path in FILES}
ACTIONS: dict[str, dict[str, Any]] = {
    name: action for agent in AGENT_DOCUMENTS.values() for name, action in agent["actions"].items()
}
EFFECTS = sorted(name for name, action in ACTIONS.items() if action["effect"] != "read")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_file_is_named_after_its_agent_and_so_are_the_actions(path: Path) -> None:
    """Whoever sees the name of an action knows the file in which it is declared."""
    agent = AGENT_DOCUMENTS[path.stem]
    assert agent["agent"] == path.stem
    assert all(name.startswith(f"{path.stem}.") for name in agent["actions"])


@pytest.mark.parametrize("agent", sorted(AGENT_DOCUMENTS))
def test_what_is_declared_is_implemented_and_the_other_way_round(agent: str) -> None:
    """Each agent registers exactly the actions of its file, with the same effects."""
    declared = {name: action["effect"] for name, action in AGENT_DOCUMENTS[agent]["actions"].items()}
    assert {name: action.effect for name, action in AGENTS[agent].actions.items()} == declared


def test_the_agents_load_schemas_that_are_those_of_the_catalogue() -> None:
    """The copies beside the agents say what the YAML says; `python -m …sandbox.agents.catalogue` renews them."""
    wanted = copies(catalogue_folder())
    assert {path.stem: path.read_text(encoding="utf-8") for path in SCHEMAS.glob("*.json")} == wanted
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_schemas_are_valid_closed_on_input_and_named_on_output(name: str) -> None:
    """Inputs refuse fields that they do not know; outputs say which of their fields are always there."""
    action = ACTIONS[name]
    for side in ("input", "output"):
        jsonschema_rs.validator_for(action[side])
        assert set(action[side]["required"]) <= set(action[side]["properties"])
    assert action["input"]["additionalProperties"] is False


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_is_undone_or_declared_irreversible_and_can_be_looked_up(name: str) -> None:
    """A reserve is undone by something; a commit is undone by something or says that nothing does."""
    action = ACTIONS[name]
    assert ("compensate" in action) != action.get("irreversible", False)
    assert action["effect"] == "commit" or "compensate" in action
    assert ACTIONS[action["lookup"]]["effect"] == "read"


@pytest.mark.parametrize("name", [name for name in EFFECTS if "compensate" in ACTIONS[name]])
def test_a_compensation_gets_every_input_that_it_needs(name: str) -> None:
    """Its bindings fill all that the undoing action requires, from fields that the undone one always gives."""
    action = ACTIONS[name]
    undoing, bindings = ACTIONS[action["compensate"]["action"]], action["compensate"]["input"]
    assert set(undoing["input"]["required"]) <= set(bindings) <= set(undoing["input"]["properties"])
    for binding in bindings.values():
        field = re.fullmatch(r"output\.\[?([a-z_]+)\]?", binding["from"])
        assert field is not None
        assert field[1] in action["output"]["required"]


def test_money_is_counted_once() -> None:
    """The customer's money leaves through one action, so that a plan's commits add up to what is paid."""
    assert {name: action["amount"] for name, action in ACTIONS.items() if "amount" in action} == {
        "payments.capture": {"from": "input.amount"}
    }


def test_reads_need_nothing_that_effects_need() -> None:
    """What changes nothing has nothing to undo, to look up or to pay."""
    reads = [action for action in ACTIONS.values() if action["effect"] == "read"]
    assert not [action for action in reads if {"compensate", "lookup", "amount", "irreversible"} & set(action)]
