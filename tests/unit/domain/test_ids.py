"""The derivations of names that are ours."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain.ids import (
    ACTION_NAME_PATTERN,
    REQUEST_ID_PATTERN,
    TASK_ID_PATTERN,
    RequestId,
    TaskId,
    WorkflowId,
    call_id_of,
    idempotency_key_of,
    outcome_id_of,
    refused_workflow_id_of,
    task_of_call,
    workflow_id_of,
)

WORKFLOW = WorkflowId("wf-lt6ubf4gvl3r6yl2vrq3m2cszq")


def test_a_call_of_a_list_leads_back_to_its_task() -> None:
    """What belongs to a task is found by the id of each of its calls."""
    assert task_of_call(call_id_of(TaskId("hold_room"), 12)) == "hold_room"
    assert task_of_call(TaskId("hold_room")) == "hold_room"


def test_derivations_never_change() -> None:
    """These values are in journals and in agents' memories: another derivation would book everything twice."""
    assert workflow_id_of(RequestId("web-7f3c2a")) == "wf-6jnj43t43vekqayabxswolp5ar"
    assert refused_workflow_id_of("web-7f3c2a") == "wf-reho6eqpvigxwizgzdgvmrkelt"
    assert idempotency_key_of(WORKFLOW, 1, TaskId("hold_flight")) == "jk-5182eb5d118e948fcc211b9041f43e4419638689"
    assert (
        idempotency_key_of(WORKFLOW, 1, TaskId("hold_flight"), "undo") == "jk-49d3cdf6602b6038deaf8fea536090ab1d39dac3"
    )
    assert idempotency_key_of(WORKFLOW, 2, TaskId("hold_flight")) == "jk-7dce01205cd215a8dc59735277c3b1d12ed8be75"
    assert (
        idempotency_key_of(WORKFLOW, 1, TaskId("hold_flight"), "find-do-1")
        == "jk-1be9095a3afafd596f1c7fed4b28a2ab0d9d81fc"
    )
    assert outcome_id_of(WORKFLOW, 3) == "wf-lt6ubf4gvl3r6yl2vrq3m2cszq.3"


def test_a_refused_message_never_shares_a_workflow_with_a_request() -> None:
    """What was turned away cannot take the place of a request whose id is the same text."""
    assert refused_workflow_id_of("x") != workflow_id_of(RequestId("x"))


def test_parts_of_a_key_do_not_run_into_each_other() -> None:
    """Revision 1 of task `1a` and revision 11 of task `a` have keys of their own."""
    assert idempotency_key_of(WORKFLOW, 1, TaskId("1a")) != idempotency_key_of(WORKFLOW, 11, TaskId("a"))


def test_a_request_id_of_any_characters_has_a_workflow() -> None:
    """The derivation is total: lone surrogates, which JSON can carry, do not make it fail."""
    assert workflow_id_of(RequestId("\ud800")).startswith("wf-")


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True),
        ("A-1._:z", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
    ],
)
def test_request_ids(text: str, valid: bool) -> None:
    """A request id is 1-128 of the contract's characters, to the very end of the text."""
    assert bool(REQUEST_ID_PATTERN.match(text)) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [("hold_2", True), ("2hold", False), ("Hold", False), ("a" * 64, True), ("a" * 65, False), ("a\n", False)],
)
def test_task_ids(text: str, valid: bool) -> None:
    """A task id is lower snake case, at most 64 characters."""
    assert bool(TASK_ID_PATTERN.match(text)) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [("flights.hold", True), ("ground-cars.hold_2", True), ("hold", False), ("a.b.c", False), (".b", False)],
)
def test_action_names(text: str, valid: bool) -> None:
    """An action is named `agent.verb`."""
    assert bool(ACTION_NAME_PATTERN.match(text)) is valid
