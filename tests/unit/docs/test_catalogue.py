"""The document of the catalogue has the fields that its reader takes."""

from __future__ import annotations

import ast
from typing import Final

import re

from jada_orchestrator.adapters.host import catalogue_reading
from jada_orchestrator.adapters.host.catalogue_files import load_catalogue
from jada_orchestrator.planning import faults_in_catalogue
from tests.unit.docs.source_facts import DOCS, ROOT, SOURCE, called, rows, texts

CATALOGUE: Final = DOCS / "catalogue.md"


def fields_taken(function: str) -> set[str]:
    """The names that a function of the reader allows by its first call of `only`."""
    tree = ast.parse((SOURCE / "adapters" / "host" / "catalogue_reading.py").read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == function:
            call = next(each for each in ast.walk(node) if isinstance(each, ast.Call) and called(each) == "only")
            return set(texts(call.args))
    raise AssertionError(f"the reader has no {function}")


def fields_told(heading: str) -> set[str]:
    """The names in the first column of a table."""
    return {name.strip(" `") for row in rows(CATALOGUE, heading) for name in row[0].split(",")}


def test_agents_have_these_fields() -> None:
    """Every field of an agent's file is explained, and no other."""
    assert fields_told("Fields of an agent") == fields_taken("agent_of")


def test_actions_have_these_fields() -> None:
    """Every field of an action is explained, and no other."""
    assert fields_told("Fields of an action") == fields_taken("_action")


def test_defaults_are_the_readers() -> None:
    """The defaults that the document names are those that the reader uses."""
    text = CATALOGUE.read_text(encoding="utf-8")
    retry = catalogue_reading._DEFAULT_RETRY  # noqa: SLF001 - the one place where the default stands
    assert f"attempts: {retry.attempts}, first: {retry.first_ms}ms, max: {retry.max_ms // 1_000}s" in text
    assert f"`{catalogue_reading._DEFAULT_TIMEOUT_MS // 1_000}s`" in text  # noqa: SLF001


def test_what_a_reference_action_is_said_to_fail_with_is_declared() -> None:
    """A code in a description, which the model reads, is among the action's `codes`, which are checked."""
    actions = load_catalogue(ROOT / "config" / "agents", audit=faults_in_catalogue).actions.values()
    told = {action.name: set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", action.description)) for action in actions}
    undeclared = {action.name: told[action.name] - set(action.codes or ()) for action in actions}
    assert sum(map(len, told.values())) > 10
    assert not {name: codes for name, codes in undeclared.items() if codes}
