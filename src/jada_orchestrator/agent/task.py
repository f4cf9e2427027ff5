"""The task that an agent receives: `jada.task/1`, typed, or every reason why it is not one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, cast

JsonObject: TypeAlias = dict[str, Any]

TASK_SCHEMA: Final = "jada.task/1"
_SHOWN_MAX: Final = 40  # Characters of a wrong value that a fault quotes.


@dataclass(frozen=True, slots=True)
class Task:
    """One call of one action.

    `idempotency_key` is the same for every attempt at the task; `attempt` counts from 1. `deadline` is the instant
    (UTC) after which nobody waits for the answer any more. `model` is the model that the catalogue gives to this agent,
    if it uses one.
    """

    workflow_id: str
    request_id: str
    tenant: str
    task_id: str
    attempt: int
    idempotency_key: str
    action: str
    input: JsonObject
    deadline: datetime | None = None
    model: str | None = None
    reply_to: str | None = None
    traceparent: str | None = None

    def seconds_left(self, now: datetime | None = None) -> float | None:
        """Seconds until the deadline (negative when it has passed), or None when there is none."""
        if self.deadline is None:
            return None
        return (self.deadline - (now or datetime.now(UTC))).total_seconds()


@dataclass(frozen=True, slots=True)
class TaskFaults:
    """Why a message is not a task: every fault, each a sentence that begins with the field."""

    faults: tuple[str, ...]


def parse_task(body: object, *, traceparent: str | None = None) -> Task | TaskFaults:
    """Reads a decoded `jada.task/1` body; fields that are not known are ignored, as the contract asks."""
    if not isinstance(body, Mapping):
        return TaskFaults((f"body: is {_kind(body)}, not an object",))
    reader = _Reader(cast("Mapping[str, object]", body))
    schema = body.get("schema", TASK_SCHEMA)
    if schema != TASK_SCHEMA:
        reader.faults.append(f"schema: is {schema!r}, this agent understands {TASK_SCHEMA!r}")
    task = Task(
        workflow_id=reader.text("workflow_id"),
        request_id=reader.text("request_id"),
        tenant=reader.optional_text("tenant") or "default",
        task_id=reader.text("task_id"),
        attempt=reader.attempt(),
        idempotency_key=reader.text("idempotency_key"),
        action=reader.text("action"),
        input=reader.input(),
        deadline=reader.deadline(),
        model=reader.optional_text("model"),
        reply_to=reader.optional_text("reply_to"),
        traceparent=traceparent or reader.optional_text("traceparent"),
    )
    return TaskFaults(tuple(reader.faults)) if reader.faults else task


class _Reader:
    """Takes fields out of a body and notes every fault, so that all of them can be named at once."""

    def __init__(self, body: Mapping[str, object]) -> None:
        self._body = body
        self.faults: list[str] = []

    def text(self, field: str) -> str:
        value = self._body.get(field)
        if isinstance(value, str) and value:
            return value
        self._fault(field, "a text")
        return ""

    def optional_text(self, field: str) -> str | None:
        return None if self._body.get(field) is None else self.text(field)

    def attempt(self) -> int:
        value = self._body.get("attempt")
        if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return value
        self._fault("attempt", "a whole number from 1 up")
        return 1

    def input(self) -> JsonObject:
        value = self._body.get("input")
        if isinstance(value, dict):
            return cast("JsonObject", value)
        self._fault("input", "an object")
        return {}

    def deadline(self) -> datetime | None:
        text = self.optional_text("deadline")
        if not text:
            return None
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None:
            self._fault("deadline", "an RFC 3339 instant with its offset, such as 2027-04-01T12:00:00Z")
            return None
        return instant.astimezone(UTC)

    def _fault(self, field: str, wanted: str) -> None:
        if field in self._body:
            self.faults.append(f"{field}: is {_shown(self._body[field])}, must be {wanted}")
        else:
            self.faults.append(f"{field}: is missing, must be {wanted}")


_KINDS: Final[tuple[tuple[Callable[[object], bool], str], ...]] = (
    (lambda value: value is None, "null"),
    (lambda value: isinstance(value, bool), "true or false"),
    (lambda value: isinstance(value, str), "a text"),
    (lambda value: isinstance(value, int | float), "a number"),
    (lambda value: isinstance(value, list), "an array"),
    (lambda value: isinstance(value, Mapping), "an object"),
)


def _kind(value: object) -> str:
    return next((name for matches, name in _KINDS if matches(value)), type(value).__name__)


def _shown(value: object) -> str:
    """A short value as it is, a long or structured one by its kind: messages travel, and inputs may be private."""
    if isinstance(value, str | int | float) and len(repr(value)) <= _SHOWN_MAX:
        return repr(value)
    return _kind(value)
