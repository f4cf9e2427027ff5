"""The scripted plans pass the orchestrator's own compiler, and the spoiled ones do not."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from ruamel.yaml import YAML

from jada_orchestrator.adapters.claude.prompt import plannable, system_text
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.planning.compiler import Adopted, Faulted, compile_proposal
from jada_orchestrator.sandbox.model.conversation import read_conversation
from jada_orchestrator.sandbox.model.faults import WRONG_PROPOSALS, FaultKind
from jada_orchestrator.sandbox.model.planner import answer, propose
from jada_orchestrator.testing.catalogues import action, catalogue, request
from tests.unit.sandbox_model.catalogue_text import AGENT_FILES, conversation
from tests.unit.sandbox_model.test_plans import TEXTS


def undoing(declared: dict[str, Any]) -> dict[str, Any]:
    """The fields that say how an action is undone, as the builder takes them."""
    undo = declared.get("compensate")
    if undo is None:
        return {"irreversible": bool(declared.get("irreversible"))}
    return {"undo": undo["action"], "undo_input": {name: bind["from"] for name, bind in undo["input"].items()}}


@cache
def reference_catalogue() -> Catalogue:
    """The catalogue of config/agents as the orchestrator holds it: schemas, effects, undoing and amounts."""
    actions = []
    for path in AGENT_FILES:
        for name, declared in YAML(typ="safe", pure=True).load(path)["actions"].items():
            amount = declared.get("amount")
            actions.append(
                action(
                    name,
                    declared["effect"],
                    input=declared["input"],
                    output=declared["output"],
                    lookup=declared.get("lookup"),
                    amount=amount["from"] if amount else None,
                    **undoing(declared),
                )
            )
    return catalogue(*actions)


@pytest.mark.parametrize("text", TEXTS)
def test_plans_are_adopted(text: str) -> None:
    """No plan of the scripted model has a fault in the compiler's eyes."""
    proposal = propose(conversation(text))
    compiled = compile_proposal(proposal.as_text(), reference_catalogue(), request(text))
    assert isinstance(compiled, Adopted), compiled


@pytest.mark.parametrize("kind", sorted(WRONG_PROPOSALS - {FaultKind.WRONG_CASE}))
def test_spoiled_plans_are_faulted(kind: FaultKind) -> None:
    """Every ordered mistake is one that the compiler sees (the case of names it may mend)."""
    spoiled = answer(conversation(TEXTS[0]), kind)
    compiled = compile_proposal(spoiled.as_text(), reference_catalogue(), request(TEXTS[0]))
    assert isinstance(compiled, Faulted), compiled


def test_the_orchestrators_own_prompt_is_read() -> None:
    """The catalogue is found in the real system prompt, between its rules and examples, without the lookups."""
    content = '<request>\n{"text":"A car in Lisbon 3-10 May, customer c-7","today":"2026-11-23"}\n</request>'
    body = {"system": system_text(reference_catalogue()), "messages": [{"role": "user", "content": content}]}
    asked = read_conversation(body)
    assert asked.catalogue.keys() == {one.name for one in plannable(reference_catalogue())}
    assert propose(asked).outcome == "plan"
