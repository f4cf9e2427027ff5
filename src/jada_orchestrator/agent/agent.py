"""`Agent`: the actions of one agent, and one task's way through checks, memory and the author's function."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypeVar, cast

from jada_orchestrator.agent.checks import Checker
from jada_orchestrator.agent.memo import (
    Claim,
    Finished,
    IdempotencyStore,
    InProgress,
    MemoryIdempotency,
    SqliteIdempotency,
)
from jada_orchestrator.agent.payloads import (
    PAYLOAD_UNREACHABLE,
    PAYLOAD_UNWRITTEN,
    ObjectStore,
    PayloadFault,
    Place,
    S3Objects,
    as_carried,
    with_input,
)
from jada_orchestrator.agent.reply import (
    BAD_INPUT,
    BAD_OUTPUT,
    DEADLINE_PASSED,
    IN_PROGRESS,
    KEY_REUSED,
    UNKNOWN_ACTION,
    AgentError,
    AgentSetupError,
    Answer,
    encode,
    failed,
    reply_to_broken_task,
    reply_to_task,
    succeeded,
)
from jada_orchestrator.agent.task import JsonObject, Task, TaskFaults, parse_task

if TYPE_CHECKING:
    import asyncio

Output: TypeAlias = Mapping[str, Any] | Answer
ActionFunction: TypeAlias = Callable[[Task], Output | Awaitable[Output]]
Effect: TypeAlias = Literal["read", "reserve", "commit"]
F = TypeVar("F", bound=Callable[[Task], Any])

_ACTION_NAME: Final = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_WAIT_POLL_S: Final = 0.05
_LEASE_S: Final = 60.0
_WAIT_S: Final = 2.0


class FromEnvironment(Enum):
    """Says that `JADA_AGENT_IDEMPOTENCY` chooses the memory: `memory` (the default), `off`, or `sqlite:PATH`."""

    FROM_ENVIRONMENT = "JADA_AGENT_IDEMPOTENCY"


FROM_ENVIRONMENT: Final = FromEnvironment.FROM_ENVIRONMENT


@dataclass(frozen=True, slots=True)
class Action:
    """One registered function and what the kit checks around it."""

    name: str
    function: ActionFunction
    is_async: bool
    input: Checker | None
    output: Checker | None
    effect: Effect
    check_deadline: bool
    lease_s: float


@dataclass(frozen=True, slots=True)
class _Begun:
    """A task that is to be worked on now; `claim` is None when its answer is not remembered."""

    task: Task
    action: Action
    claim: Claim | None
    place: Place | None
    """Where an output goes that is too large for a message; None where the task names no place."""


class Agent:
    """The actions of one agent.

    `idempotency` keeps answers by key; None switches that off, for an agent that keeps the key in the transaction of
    its own effect. `wait_s` is how long a second call under a key waits for the first to finish before it answers
    `IN_PROGRESS`.
    """

    def __init__(
        self,
        name: str,
        *,
        idempotency: IdempotencyStore | FromEnvironment | None = FROM_ENVIRONMENT,
        wait_s: float = _WAIT_S,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
        payloads: ObjectStore | None = None,
    ) -> None:
        self.name = name
        self._payloads = payloads if payloads is not None else S3Objects()
        self._store = _store_from_environment() if isinstance(idempotency, FromEnvironment) else idempotency
        self._wait_s = wait_s
        self._now = now
        self._sleep = sleep
        self._actions: dict[str, Action] = {}
        self._runner: asyncio.Runner | None = None

    @property
    def actions(self) -> Mapping[str, Action]:
        """The registered actions by name."""
        return self._actions

    def action(
        self,
        name: str,
        *,
        input: JsonObject | None = None,  # noqa: A002 - the word of the catalogue
        output: JsonObject | None = None,
        effect: Effect = "commit",
        check_deadline: bool = True,
        lease_s: float = _LEASE_S,
    ) -> Callable[[F], F]:
        """Registers a plain or async function as an action; the function itself stays as it was.

        `input` and `output` are JSON Schemas. `effect="read"` says that the function changes nothing: its answers are
        never remembered, and a worker may answer `INTERNAL` when it breaks. `check_deadline=False` leaves the deadline
        to the function (one with its own memory looks there first). `lease_s` must be longer than the function ever
        takes.

        Raises `AgentSetupError` for a name that is not `agent.verb` of this agent, and for one that is registered
        twice.
        """
        if not _ACTION_NAME.fullmatch(name):
            raise AgentSetupError(
                f"an action is named agent.verb in lower case, such as {self.name}.search, not {name!r}"
            )
        if name in self._actions:
            raise AgentSetupError(f"the action {name} is defined twice")

        def register(function: F) -> F:
            self._actions[name] = Action(
                name=name,
                function=function,
                is_async=inspect.iscoroutinefunction(function),
                input=None if input is None else Checker(input),
                output=None if output is None else Checker(output),
                effect=effect,
                check_deadline=check_deadline,
                lease_s=lease_s,
            )
            return function

        return register

    def lambda_handler(self, event: object, context: object = None) -> JsonObject:
        """The Lambda handler: takes a `jada.task/1` payload, returns a `jada.reply/1`.

        An exception that is not an `AgentError` escapes: Lambda reports a function error, and the orchestrator treats
        the attempt as unknown, which it is.
        """
        remaining: Callable[[], int] | None = getattr(context, "get_remaining_time_in_millis", None)
        # After the function's own time limit nobody holds the key any more: Lambda has stopped the process.
        return self.handle(event, lease_s=None if remaining is None else remaining() / 1000)

    def call(self, action: str, input: JsonObject, **fields: object) -> JsonObject:  # noqa: A002 - as in the contract
        """Calls an action as the orchestrator would and returns the reply: for tests and for trying an agent out.

        `fields` replace fields of the task message; each call without `idempotency_key` gets a key of its own.
        """
        body = {
            "schema": "jada.task/1",
            "workflow_id": "wf-local",
            "request_id": "local",
            "tenant": "default",
            "task_id": action.replace(".", "_"),
            "attempt": 1,
            "idempotency_key": f"jk-local-{os.urandom(8).hex()}",
            "action": action,
            "input": input,
        }
        return self.handle({**body, **fields})

    def handle(self, body: object, *, traceparent: str | None = None, lease_s: float | None = None) -> JsonObject:
        """Takes one decoded task message to its reply, in this thread.

        Async functions run on one event loop that is kept between calls, so that clients which belong to a loop stay
        usable. Raises whatever the function raised, unless it was an `AgentError`; the key is then free again.
        """
        begun = self._begin(body, traceparent, lease_s)
        if isinstance(begun, dict):
            return begun
        try:
            result = self._run(begun)
        except AgentError as error:
            return self._refused(begun, error)
        except BaseException:
            self._release(begun)
            raise
        return self._answered(begun, result)

    async def handle_async(
        self, body: object, *, traceparent: str | None = None, lease_s: float | None = None
    ) -> JsonObject:
        """As `handle`, for a caller with a running loop: async functions run on it, plain ones in a thread.

        When cancelled, an async function is cancelled and its key is free again; a plain one runs on to its end
        unheard, and its key stays claimed until the lease ends.
        """
        import asyncio

        begun = await asyncio.to_thread(self._begin, body, traceparent, lease_s)
        if isinstance(begun, dict):
            return begun
        try:
            if begun.action.is_async:
                result = await cast("Awaitable[Output]", begun.action.function(begun.task))
            else:
                result = cast("Output", await asyncio.to_thread(begun.action.function, begun.task))
        except AgentError as error:
            return await asyncio.to_thread(self._refused, begun, error)
        except asyncio.CancelledError:
            if begun.action.is_async:
                self._release(begun)
            raise
        except BaseException:
            self._release(begun)
            raise
        return await asyncio.to_thread(self._answered, begun, result)

    def close(self) -> None:
        """Ends the event loop kept for async functions and closes the memory's file; for workers and tests."""
        if self._runner is not None:
            self._runner.close()
            self._runner = None
        if isinstance(self._store, SqliteIdempotency):
            self._store.close()

    def _begin(self, body: object, traceparent: str | None, lease_s: float | None) -> _Begun | JsonObject:
        """Everything before the function: who is called, was it answered before, may it begin. A dict is a reply."""
        try:
            whole = with_input(body, self._payloads) if isinstance(body, Mapping) else body
        except PayloadFault as fault:
            return self._unfetched(body, fault)
        task = parse_task(whole, traceparent=traceparent)
        if isinstance(task, TaskFaults):
            return reply_to_broken_task(body, task.faults)
        place = Place.of(whole.get("offload")) if isinstance(whole, Mapping) else None
        action = self._actions.get(task.action)
        if action is None:
            known = ", ".join(sorted(self._actions)) or "none"
            message = f"agent {self.name} has no action {task.action}; it has: {known}"
            return reply_to_task(task, failed(UNKNOWN_ACTION, message, retryable=False))
        # The memory is asked before deadline and schema: an answer that exists is the truth, whatever has changed
        # since.
        claim = self._claim(task, action, lease_s)
        if isinstance(claim, dict):
            return self._replied(task, claim, place)
        begun = _Begun(task, action, claim, place)
        try:
            refusal = self._refusal(task, action)
        except BaseException:
            self._release(begun)
            raise
        if refusal is None:
            return begun
        self._release(begun)
        return reply_to_task(task, refusal)

    def _claim(self, task: Task, action: Action, lease_s: float | None) -> Claim | JsonObject | None:
        """The claim on the task's key, None when no memory is kept for it, or the outcome to answer at once."""
        if self._store is None or action.effect == "read":
            return None
        fingerprint = _fingerprint(task)
        waited_s = 0.0
        while True:
            begun = self._store.begin(task.idempotency_key, fingerprint, action.lease_s if lease_s is None else lease_s)
            match begun:
                case Claim():
                    return begun
                case Finished() if begun.fingerprint == fingerprint:
                    return cast("JsonObject", json.loads(begun.outcome))
                case Finished():
                    message = "this idempotency key was used before with another action or input"
                    return failed(KEY_REUSED, message, retryable=False)
                case InProgress():
                    if waited_s >= self._wait_s:
                        message = (
                            f"another attempt under this key is running, for at most {begun.seconds_left:.0f} s more"
                        )
                        return failed(IN_PROGRESS, message, retryable=True)
            self._sleep(_WAIT_POLL_S)
            waited_s += _WAIT_POLL_S

    def _refusal(self, task: Task, action: Action) -> JsonObject | None:
        """Why the function is not to be called at all, if there is a reason. Not remembered: nothing was done."""
        left_s = task.seconds_left(self._now()) if action.check_deadline else None
        if left_s is not None and left_s <= 0:
            return failed(
                DEADLINE_PASSED, f"the deadline passed {-left_s:.1f} s before the task was picked up", retryable=False
            )
        faults = () if action.input is None else action.input.faults(task.input)
        return failed(BAD_INPUT, "; ".join(faults), retryable=False) if faults else None

    def _run(self, begun: _Begun) -> Output:
        result = begun.action.function(begun.task)
        if not begun.action.is_async:
            return cast("Output", result)
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(_awaited(cast("Awaitable[Output]", result)))

    def _answered(self, begun: _Begun, result: Output) -> JsonObject:
        """The reply to a function that returned; BAD_OUTPUT is remembered too, since an effect may have happened."""
        answer = result if isinstance(result, Answer) else Answer(result)
        if not isinstance(cast("object", answer.output), Mapping):  # authors do not all run a type checker
            return self._finished(begun, failed(BAD_OUTPUT, "the function did not return an object", retryable=False))
        outcome = succeeded(answer)
        faults = () if begun.action.output is None else begun.action.output.faults(outcome["output"])
        if faults:
            outcome = failed(BAD_OUTPUT, "; ".join(faults), retryable=False)
        return self._finished(begun, outcome)

    def _refused(self, begun: _Begun, error: AgentError) -> JsonObject:
        outcome = failed(error.code, error.message, retryable=error.retryable)
        if error.retryable:
            self._release(begun)
            return reply_to_task(begun.task, outcome)
        return self._finished(begun, outcome)

    def _finished(self, begun: _Begun, outcome: JsonObject) -> JsonObject:
        """Remembers the outcome and replies with the one that stands."""
        try:
            text = encode(outcome)
        except (TypeError, ValueError) as error:
            outcome = failed(BAD_OUTPUT, f"the output cannot be written as JSON: {error}", retryable=False)
            text = encode(outcome)
        if self._store is not None and begun.claim is not None:
            outcome = cast("JsonObject", json.loads(self._store.finish(begun.claim, text)))
        return self._replied(begun.task, outcome, begun.place)

    def _replied(self, task: Task, outcome: JsonObject, place: Place | None) -> JsonObject:
        """The reply with an outcome; a large output goes to the bucket each time, so that it is there when it is named.

        While it cannot be put there the attempt is unknown; the next one under the key gives the remembered answer.
        """
        try:
            return reply_to_task(task, as_carried(outcome, place, self._payloads))
        except PayloadFault as fault:
            return reply_to_task(task, failed(PAYLOAD_UNWRITTEN, fault.message, retryable=True))

    def _unfetched(self, body: object, fault: PayloadFault) -> JsonObject:
        """The reply to a task whose input cannot be had: nothing was done."""
        known = parse_task({**cast("Mapping[str, object]", body), "input": {}})
        if isinstance(known, TaskFaults):
            return reply_to_broken_task(body, known.faults)
        retryable = fault.code == PAYLOAD_UNREACHABLE
        return reply_to_task(known, failed(fault.code, fault.message, retryable=retryable))

    def _release(self, begun: _Begun) -> None:
        if self._store is not None and begun.claim is not None:
            self._store.release(begun.claim)


async def _awaited(result: Awaitable[Output]) -> Output:
    return await result


def _fingerprint(task: Task) -> str:
    """What makes two calls the same call: the action and its input, whatever the order of the fields."""
    text = json.dumps([task.action, task.input], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _store_from_environment() -> IdempotencyStore | None:
    chosen = os.environ.get(FROM_ENVIRONMENT.value, "memory")
    if chosen == "memory":
        return MemoryIdempotency()
    if chosen == "off":
        return None
    kind, _, path = chosen.partition(":")
    if kind == "sqlite" and path:
        return SqliteIdempotency(path)
    raise AgentSetupError(f"{FROM_ENVIRONMENT.value} is {chosen!r}; it must be memory, off, or sqlite:PATH")
