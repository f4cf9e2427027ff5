"""Reading a proposal: the quick ways read what the thorough ones do."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jada_orchestrator.domain.limits import CONSTANT_NESTING_MAX, TASK_ARGUMENTS_MAX
from jada_orchestrator.planning.proposal import Argument, Proposal, ProposedTask, parse_proposal

_ARGUMENT: dict[str, Any] = {"name": "city", "kind": "const", "value": "Lisbon"}
_TASK: dict[str, Any] = {
    "id": "find",
    "action": "trips.search",
    "after": ["first"],
    "optional": True,
    "control": [],
    "args": [_ARGUMENT],
}


def _read(task: object) -> Proposal | tuple[tuple[str, str], ...]:
    """Return what a proposal with this task is read as, or the faults by code and place."""
    found = parse_proposal(json.dumps({"outcome": "plan", "tasks": [task]}))
    return found if isinstance(found, Proposal) else tuple((fault.code, fault.where) for fault in found)


def _nested(levels: int) -> object:
    value: object = "Lisbon"
    for _ in range(levels):
        value = [value]
    return value


def test_a_task_as_it_is_offered_is_read_like_one_with_more() -> None:
    """All that a model is offered and nothing else, read in one go, is what the same task with no `on_codes` is."""
    wanted = ProposedTask("find", "find", "trips.search", ("first",), True, (Argument("city", "const", "Lisbon"),))
    found = _read(_TASK)
    assert isinstance(found, Proposal)
    assert found.tasks == (wanted,)
    assert found.notes == ()
    assert found == _read({**_TASK, "on_codes": []})


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "Find"},
        {"id": " find"},
        {"id": 7},
        {"action": "Trips.Search"},
        {"action": None},
        {"after": ["First"]},
        {"after": [7]},
        {"after": "first"},
        {"optional": "yes"},
        {"optional": 1},
        {"control": {}},
        {"control": False},
        {"control": [{"kind": "when", "value": "first.ok"}]},
        {"args": {}},
        {"args": ["city"]},
        {"args": [_ARGUMENT] * (TASK_ARGUMENTS_MAX + 1)},
        {"args": [{**_ARGUMENT, "kind": "CONST"}]},
        {"args": [{**_ARGUMENT, "kind": ["const"]}]},
        {"args": [{**_ARGUMENT, "value": 7}]},
        {"args": [{**_ARGUMENT, "more": "x"}]},
        {"args": [{"name": "city", "kind": "const"}]},
    ],
    ids=str,
)
def test_whatever_else_there_is_in_a_task_is_told_as_of_one_with_more(changed: dict[str, Any]) -> None:
    """What the quick way does not take has the notes and the faults that it has in a task that it never takes."""
    found = _read({**_TASK, **changed})
    assert found == _read({**_TASK, **changed, "on_codes": []})


@pytest.mark.parametrize("key", [*_TASK, "other"])
def test_what_is_nested_too_deep_is_told_before_all_else(key: str) -> None:
    """Only of what is of the wrong shape is the depth looked at, and then it is the one fault that is told."""
    assert _read({**_TASK, key: _nested(CONSTANT_NESTING_MAX)}) == (("NOT_JSON", ""),)
    assert _read({**_TASK, key: _nested(CONSTANT_NESTING_MAX // 2)}) != (("NOT_JSON", ""),)


def test_a_deep_list_instead_of_a_proposal_is_told_to_be_too_deep() -> None:
    """The depth comes before the question whether it is an object at all."""
    found = parse_proposal(json.dumps(_nested(CONSTANT_NESTING_MAX + 1)))
    assert isinstance(found, tuple)
    assert [(fault.code, "levels deep" in fault.message) for fault in found] == [("NOT_JSON", True)]
