"""What an agent answers: `jada.reply/1`, and the exceptions with which it says no."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from jada_orchestrator.agent.task import JsonObject, Task

REPLY_SCHEMA: Final = "jada.reply/1"

BAD_INPUT: Final = "BAD_INPUT"
"""The task, or its input, is not what the action declares. Nothing was done."""
BAD_OUTPUT: Final = "BAD_OUTPUT"
"""The function ran, and what it returned is not what the action declares: an effect may have happened."""
UNKNOWN_ACTION: Final = "UNKNOWN_ACTION"
"""This agent has no such action. Nothing was done."""
DEADLINE_PASSED: Final = "DEADLINE_PASSED"
"""The deadline had passed before this attempt began. This attempt did nothing (an earlier one may have)."""
IN_PROGRESS: Final = "IN_PROGRESS"
"""Another attempt under the same key is running now. Retryable: its answer will be given again."""
KEY_REUSED: Final = "KEY_REUSED"
"""The key was used before with another action or input. Nothing was done; the caller has a fault."""
INTERNAL: Final = "INTERNAL"
"""A read failed in a way that its author did not foresee. Retryable, because a read changes nothing."""

_REFUSED: Final = re.compile("[\ud800-\udfff\ufffe\uffff]")
_CODE: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")


class AgentError(Exception):
    """Raised by an agent's function: the action did not happen, for a reason that has a code.

    Raise it only when nothing was changed, or when what was changed has been undone; let anything else escape as the
    exception that it is, so that the orchestrator treats the attempt as unknown and looks it up. The operator reads
    code and message in `jada why`. `retryable` says that the same call may succeed later; such a failure is not
    remembered.
    """

    def __init__(self, code: str, message: str, retryable: bool = False) -> None:  # noqa: FBT001, FBT002 - a published signature
        if not _CODE.fullmatch(code):
            raise ValueError(f"an error code is 1-64 capital letters, digits and underscores, not {code!r}")
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.retryable = retryable


class AgentSetupError(Exception):
    """Raised while an agent is defined or started: its author made a mistake; the text says how to mend it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that an agent used of a model, so that the booking's cost is complete."""

    model: str
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """An output together with what it cost; a function that used no model returns the output alone."""

    output: Mapping[str, Any]
    usage: Usage | None = None


def succeeded(answer: Answer) -> JsonObject:
    """The part of a reply that is remembered under the key, for a success."""
    outcome: JsonObject = {"status": "succeeded", "output": dict(answer.output)}
    if answer.usage is not None:
        outcome["usage"] = asdict(answer.usage)
    return outcome


def failed(code: str, message: str, *, retryable: bool) -> JsonObject:
    """The part of a reply that is remembered under the key, for a failure."""
    return {"status": "failed", "error": {"code": code, "message": message, "retryable": retryable}}


def reply_to_task(task: Task, outcome: JsonObject) -> JsonObject:
    """The whole reply: the outcome under this attempt's own number."""
    return {
        "schema": REPLY_SCHEMA,
        "workflow_id": task.workflow_id,
        "task_id": task.task_id,
        "attempt": task.attempt,
        "idempotency_key": task.idempotency_key,
        **outcome,
    }


def reply_to_broken_task(body: object, faults: tuple[str, ...]) -> JsonObject:
    """A reply to what is not a task: names every fault and carries back whatever identifies the sender's call."""
    outcome = failed(BAD_INPUT, "not a task: " + "; ".join(faults), retryable=False)
    known = body if isinstance(body, Mapping) else {}
    identity = {name: known.get(name) for name in ("workflow_id", "task_id", "attempt", "idempotency_key")}
    return {"schema": REPLY_SCHEMA, **identity, **outcome}


def encode(message: JsonObject) -> str:
    """JSON as the contract has it: UTF-8, no NaN; raises TypeError or ValueError for what JSON cannot say.

    Characters that SQS refuses, and halves of characters, are escaped: otherwise the answer could never be sent.
    """
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _REFUSED.sub(lambda found: f"\\u{ord(found.group()):04x}", text)
