"""Answers of agents: `jada.reply/1` from a queue, and whatever a function returned.

What an answer means decides whether something is booked twice, so the reading leans to the safe side: what cannot be
understood, or may have come from a call that did have its effect, is `Lost` (unknown, to be looked up), never `Failed`.
"""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import IdempotencyKey, TaskId, WorkflowId
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.queues import AgentReply, UnreadableReply
from jada_orchestrator.wire.models import REPLY_SCHEMA
from jada_orchestrator.wire.strict_json import INTEGER_MAX, kind_of, read_json, shown

BAD_REPLY: Final = "BAD_REPLY"
"""The agent answered with what is no answer. Its author mends it; the attempt counts as unknown."""

PAYLOAD_UNREAD: Final = "PAYLOAD_UNREAD"
"""The agent's output is in a bucket that nobody here reads. The operator sets `offload.bucket`."""

EFFECT_UNKNOWN_CODES: Final = frozenset(
    {"BAD_OUTPUT", "IN_PROGRESS", "PAYLOAD_UNWRITTEN", "OUTPUT_MISSING", "OUTPUT_ALTERED", "OUTPUT_REFUSED"}
    | {"OUTPUT_UNREACHABLE"}
)
"""Codes with which the agent kit says that the action ran all the same: its output does not fit its schema, or could
not be put into the bucket, or another attempt under the same key is running now; and those with which we say that the
output could not be had from there. None is a failure; all are unknown."""

THIS_ATTEMPT_CODES: Final = frozenset(
    {"BAD_INPUT", "UNKNOWN_ACTION", "DEADLINE_PASSED", "KEY_REUSED", "PAYLOAD_MISSING", "PAYLOAD_ALTERED"}
    | {"PAYLOAD_REFUSED", "PAYLOAD_UNREACHABLE"}
)
"""Codes that speak of this attempt only: it was turned away before the agent looked whether an earlier one had its
effect, so they say nothing about one that was lost."""

_MESSAGE_CHARS_MAX: Final = 2_000


def parse(body: str) -> AgentReply | UnreadableReply:
    """Return what a message on the reply queue is. Total: whatever arrives, nothing is raised.

    Without a readable identity (workflow, task, attempt, key) it cannot be matched to a call and is unreadable. With
    one, a broken rest makes the attempt `Lost` with code `BAD_REPLY`.
    """
    read = read_json(body, mend_texts=True)
    content = read.value if isinstance(read.value, dict) else None
    if content is None:
        why = read.faults[0].message if read.faults else f"it is {kind_of(read.value)}, not an object"
        return UnreadableReply(Failure(BAD_REPLY, f"the message is no {REPLY_SCHEMA}: {why}"))
    if (problem := _identity_problem(content)) is not None:
        return UnreadableReply(Failure(BAD_REPLY, f"the message is no {REPLY_SCHEMA}: {problem}"), content)
    result = _bad(read.faults[0].message) if read.faults else _result(content)
    return AgentReply(
        workflow_id=WorkflowId(content["workflow_id"]),
        task_id=TaskId(content["task_id"]),
        attempt=content["attempt"],
        idempotency_key=IdempotencyKey(content["idempotency_key"]),
        result=result,
        usage=_usage(content.get("usage")),
    )


def read_payload(payload: bytes, call: AgentCall) -> CallEnded:
    """Return what a function's response payload says about the call. Total: whatever it is, nothing is raised.

    An object without `schema` is the output alone: a success. A `jada.reply/1` must be the answer to this call: what it
    says of workflow, task and key must agree (what it leaves out is taken to agree). An earlier attempt's number under
    the same key is right, for an agent repeats its first answer. Anything else is `Lost` with code `BAD_REPLY`: the
    function did run.
    """
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        return CallEnded(_bad(f"it is not UTF-8 ({error.reason} at byte {error.start})"))
    read = read_json(text, mend_texts=True)
    if read.faults:
        return CallEnded(_bad(read.faults[0].message))
    content = read.value
    if not isinstance(content, dict):
        return CallEnded(_bad(f"it is {kind_of(content)}, not an object"))
    if "schema" not in content:
        return CallEnded(Succeeded(content))
    if content["schema"] != REPLY_SCHEMA:
        return CallEnded(_bad(f"its schema is {shown(content['schema'])}, not {REPLY_SCHEMA!r}"))
    usage = _usage(content.get("usage"))
    if (problem := _other_call(content, call)) is not None:
        return CallEnded(_bad(problem), usage)
    return CallEnded(_result(content), usage)


def _result(content: JsonObject) -> AttemptResult:
    status = content.get("status")
    if status == "succeeded":
        output = content.get("output")
        if isinstance(output, dict):
            return Succeeded(output)
        if isinstance(content.get("output_ref"), dict):
            return Lost(Failure(PAYLOAD_UNREAD, "its output is in a bucket, and none is configured (offload.bucket)"))
        return _bad(f"it says succeeded, and its output is {kind_of(output)}, not an object")
    if status == "failed":
        return _failed(content.get("error"))
    return _bad(f"its status is {shown(status)}, neither 'succeeded' nor 'failed'")


def _failed(error: Json) -> AttemptResult:
    """The agent says that it did not happen, which is believed even where the details are missing."""
    details = error if isinstance(error, dict) else {}
    failure = Failure.told_by_agent("UNSPECIFIED", details.get("code"), details.get("message"))
    if failure.code in EFFECT_UNKNOWN_CODES:
        return Lost(failure)
    return Failed(failure, retryable=details.get("retryable") is True, answered=failure.code not in THIS_ATTEMPT_CODES)


def _identity_problem(content: JsonObject) -> str | None:
    schema = content.get("schema")
    if schema != REPLY_SCHEMA:
        return f"its schema is {shown(schema)}"
    for name in ("workflow_id", "task_id", "idempotency_key"):
        if not isinstance(content.get(name), str) or not content[name]:
            return f"{name} is {kind_of(content.get(name))}, must be a text that is not empty"
    return None if _is_count(content.get("attempt"), 1) else "attempt must be a whole number from 1"


def _other_call(content: JsonObject, call: AgentCall) -> str | None:
    """Say why a reply is the answer to another call, or None where nothing speaks against it."""
    for name in ("workflow_id", "task_id", "idempotency_key"):
        said = content.get(name)
        if said is not None and said != getattr(call, name):
            return f"it answers another call: {name} is {shown(said)}"
    attempt = content.get("attempt")
    if attempt is not None and not (_is_count(attempt, 1) and attempt <= call.attempt):
        return f"it answers another attempt: {shown(attempt)}, this is {call.attempt}"
    return None


def _usage(value: Json) -> Usage | None:
    """Return what an agent says that its models used; its price is not known here unless it is nothing."""
    if not isinstance(value, dict):
        return None
    counts = value.get("input_tokens", 0), value.get("output_tokens", 0)
    if not all(_is_count(count, 0) for count in counts):
        return None
    return Usage(input_tokens=counts[0], output_tokens=counts[1], usd="0" if counts == (0, 0) else None)


def _is_count(value: Json, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= INTEGER_MAX


def _bad(why: str) -> Lost:
    return Lost(Failure(BAD_REPLY, f"the agent's answer cannot be used: {why}"[:_MESSAGE_CHARS_MAX]))
