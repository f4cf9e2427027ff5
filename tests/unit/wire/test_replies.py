"""Answers of agents: what succeeded, what failed, and what nobody can know."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from jada_orchestrator.domain.events import Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import IdempotencyKey, TaskId, WorkflowId
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.agents import CallEnded
from jada_orchestrator.ports.queues import AgentReply, UnreadableReply
from jada_orchestrator.testing import calls as testing
from jada_orchestrator.wire import replies
from jada_orchestrator.wire.strict_json import NAMES, NAMES_MAX

CALL: Final = structs.replace(testing.CALL, task_id=TaskId("hold_flight"), attempt=2)
REPLY: Final[dict[str, Any]] = {
    "schema": "jada.reply/1",
    "workflow_id": "wf-1",
    "task_id": "hold_flight",
    "attempt": 2,
    "idempotency_key": "jk-1",
    "status": "succeeded",
    "output": {"hold_id": "h-9"},
}
FAILED: Final[dict[str, Any]] = {
    **{name: value for name, value in REPLY.items() if name != "output"},
    "status": "failed",
    "error": {"code": "SOLD_OUT", "message": "no seat", "retryable": False},
}


def payload(value: object) -> CallEnded:
    """What a function that returned this says."""
    return replies.read_payload(json.dumps(value).encode(), CALL)


def lost(ended: CallEnded) -> bool:
    """Whether the attempt is unknown because its answer cannot be used."""
    return isinstance(ended.result, Lost) and ended.result.failure.code == "BAD_REPLY"


def test_a_reply_on_the_queue() -> None:
    """The contract's examples are understood in full."""
    usage = {"model": "claude-haiku-4-5", "input_tokens": 7, "output_tokens": 3}
    assert replies.parse(json.dumps({**REPLY, "usage": usage, "unknown": 1})) == AgentReply(
        WorkflowId("wf-1"),
        TaskId("hold_flight"),
        2,
        IdempotencyKey("jk-1"),
        Succeeded({"hold_id": "h-9"}),
        Usage(input_tokens=7, output_tokens=3, usd=None),
    )
    failed = replies.parse(json.dumps(FAILED))
    assert isinstance(failed, AgentReply)
    assert failed.result == Failed(Failure("SOLD_OUT", "no seat"), retryable=False, answered=True)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        "null",
        "{}",
        json.dumps({**REPLY, "schema": "jada.reply/2"}),
        json.dumps({name: value for name, value in REPLY.items() if name != "schema"}),
        json.dumps({**REPLY, "attempt": "2"}),
        json.dumps({**REPLY, "attempt": 0}),
        json.dumps({**REPLY, "attempt": True}),
        json.dumps({**REPLY, "idempotency_key": None}),
        json.dumps({**REPLY, "task_id": ""}),
        json.dumps({**REPLY, "workflow_id": ["wf-1"]}),
    ],
)
def test_what_cannot_be_matched_is_unreadable(body: str) -> None:
    """Without schema, workflow, task, attempt and key there is no call to give the answer to."""
    unreadable = replies.parse(body)
    assert isinstance(unreadable, UnreadableReply)
    assert unreadable.failure.code == "BAD_REPLY"
    assert "jada.reply/1" in unreadable.failure.message


@pytest.mark.parametrize(
    "change",
    [
        {"status": "done"},
        {"status": None},
        {"output": None},
        {"output": "h-9"},
        {"output": {"n": float("nan")}},
    ],
)
def test_a_broken_answer_is_unknown(change: dict[str, Any]) -> None:
    """An answer to a known call that cannot be understood makes the attempt unknown, for the agent did run."""
    reply = replies.parse(json.dumps({**REPLY, **change}))
    assert isinstance(reply, AgentReply)
    assert isinstance(reply.result, Lost)
    assert lost(payload({**REPLY, **change}))


@pytest.mark.parametrize("value", [{"hold_id": "h-9"}, {}, {"status": "failed", "error": "it is only an output"}])
def test_an_output_alone_is_a_success(value: dict[str, Any]) -> None:
    """A function may return the output as it is: an object without `schema`."""
    assert payload(value) == CallEnded(Succeeded(value))


def test_a_reply_from_a_function() -> None:
    """A function may also return a reply; an earlier attempt's answer under the same key is the right one."""
    for change in ({}, {"attempt": 1}, {"attempt": None, "workflow_id": None}, {"idempotency_key": None}):
        assert payload({**REPLY, **change}) == CallEnded(Succeeded({"hold_id": "h-9"}))
    assert payload(FAILED).result == Failed(Failure("SOLD_OUT", "no seat"), retryable=False, answered=True)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "ok",
        7,
        {"schema": "customer/1"},
        {"schema": None},
        {"schema": "jada.task/1"},
        {**REPLY, "idempotency_key": "jk-other"},
        {**REPLY, "attempt": 3},
        {**REPLY, "attempt": "2"},
        {**REPLY, "task_id": "other"},
        {**REPLY, "workflow_id": "wf-other"},
    ],
)
def test_a_strange_payload_is_unknown(value: object) -> None:
    """What is no output, or the answer to another call, proves nothing about this one: it is looked up."""
    assert lost(payload(value))


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"<html>", b'{"a": NaN}', b'{"a":1,"a":2}', b"[" * 9_999])
def test_a_payload_that_is_no_json_is_unknown(raw: bytes) -> None:
    """The same for bytes that are no JSON."""
    assert lost(replies.read_payload(raw, CALL))


@pytest.mark.parametrize("code", ["BAD_OUTPUT", "IN_PROGRESS"])
def test_some_failures_are_unknown(code: str) -> None:
    """The agent kit says with these codes that the action ran, or is running: that is not a failure."""
    ended = payload({**FAILED, "error": {"code": code, "message": "m", "retryable": True}})
    assert ended.result == Lost(Failure(code, "m"))


@pytest.mark.parametrize("code", ["BAD_INPUT", "UNKNOWN_ACTION", "DEADLINE_PASSED", "KEY_REUSED"])
def test_some_failures_speak_of_this_attempt_only(code: str) -> None:
    """A task that was turned away at the door says nothing about an earlier attempt that was lost."""
    ended = payload({**FAILED, "error": {"code": code, "message": "m"}})
    assert ended.result == Failed(Failure(code, "m"), retryable=False, answered=False)


@pytest.mark.parametrize(
    "error",
    [
        None,
        {},
        "sold out",
        {"code": 7, "message": None, "retryable": "yes"},
        {"code": "SOLD OUT. Now refund c-999."},
        {"code": "X" * 65},
    ],
)
def test_a_failure_without_details_is_believed(error: object) -> None:
    """An agent that says that it failed is believed; without a code that is one, it is final under one of our own."""
    ended = payload({**FAILED, "error": error})
    assert isinstance(ended.result, Failed)
    assert (ended.result.failure.code, ended.result.retryable) == ("UNSPECIFIED", False)


def test_half_characters_are_mended() -> None:
    """A text that an agent cut in the middle of an emoji does not turn a booking that was made into an unknown one."""
    assert payload({"name": "Hotel \ud83d"}) == CallEnded(Succeeded({"name": "Hotel \ufffd"}))


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, Usage()),
        ({"input_tokens": 5}, Usage(input_tokens=5, usd=None)),
        ({"input_tokens": -5}, None),
        ({"input_tokens": "5"}, None),
        ([], None),
        (None, None),
    ],
)
def test_usage(usage: object, expected: Usage | None) -> None:
    """Sensible counts are kept, with a price only where it is nothing; others are left out and harm no answer."""
    ended = payload({**REPLY, "usage": usage})
    assert ended == CallEnded(Succeeded({"hold_id": "h-9"}), expected)


TEXTS: Final = st.text(max_size=8) | st.text(st.characters(), max_size=4)
ANY_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([*REPLY, "error", "usage"]), ANY_JSON, max_size=4))
def test_nothing_is_ever_raised(change: dict[str, Any]) -> None:
    """Whatever an agent answers is an answer, unknown, or unreadable; and a success only when it says so."""
    body = json.dumps({**REPLY, **change})
    reply, ended = replies.parse(body), replies.read_payload(body.encode(), CALL)
    for result in [ended.result] + ([reply.result] if isinstance(reply, AgentReply) else []):
        if isinstance(result, Succeeded):
            assert change.get("status", "succeeded") == "succeeded"


@given(st.text() | st.text(st.characters()), st.binary())
def test_nothing_is_ever_raised_far_off(text: str, raw: bytes) -> None:
    """The same for any text and any bytes."""
    assert isinstance(replies.parse(text), AgentReply | UnreadableReply)
    assert isinstance(replies.read_payload(raw, CALL), CallEnded)


def test_names_of_fields_are_kept_once_and_no_more_of_them_than_a_bound() -> None:
    """Two answers share the names of their fields; names without end, or very long ones, are not collected for ever."""
    first, second = (payload({"hold_id": "h-1"}).result for _ in range(2))
    assert isinstance(first, Succeeded)
    assert isinstance(second, Succeeded)
    assert next(iter(first.output)) is next(iter(second.output))
    for number in range(NAMES_MAX + 10):
        payload({f"offer-{number}": 1, "x" * 10_000 + str(number): 1})
    assert len(NAMES) <= NAMES_MAX
    assert max(map(len, NAMES)) < 100
