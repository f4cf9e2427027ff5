"""Fakes of AWS: functions that are called, and queues in memory with visibility, delays and redelivery.

They are deterministic: instants come from an injected clock, names are counted, and nothing fails unless told to.
They pass the suites of `tests/conformance`, as the real adapters do.
"""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, assert_never

from jada_orchestrator.domain.catalogue import LambdaTransport, SqsTransport
from jada_orchestrator.domain.documents import JsonObject, canonical_json
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall, CallEnded, WorkerSender
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import Delivery, OutcomeMessage, QueueError

_PAYLOAD_BYTES_MAX: Final = 6 * 1024 * 1024
_MESSAGE_BYTES_MAX: Final = 1024 * 1024
_BATCH_MAX: Final = 10
_TOO_SHORT_S: Final = 1e-6
"""Waits below the loop's clock resolution end at once, and would be begun again for ever."""


# --- Functions ----------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Refuse:
    """The service refuses the call: the function does not run."""

    code: str = "THROTTLED"
    retryable: bool = True
    retry_after_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Lose:
    """The answer never comes back: the function ran, or did not, and nobody can tell."""

    code: str = "CONNECTION_CUT"
    ran: bool = True


@dataclass(frozen=True, slots=True)
class Hang:
    """The function runs and its answer takes longer than anybody waits."""


FunctionFault: TypeAlias = Refuse | Lose | Hang
Answer: TypeAlias = CallEnded | AttemptResult | JsonObject
FakeFunction: TypeAlias = Callable[[AgentCall], Answer | Awaitable[Answer]]
"""What stands for a function's code; raising means that the function crashed."""


class FakeFunctions:
    """A `FunctionCaller` whose functions are Python functions.

    `calls` lists what was really run, in order; `fault` is asked before every call, after the faults given to `script`.
    """

    def __init__(self, fault: Callable[[LambdaTransport, AgentCall], FunctionFault | None] | None = None) -> None:
        """Begin without any function."""
        self.calls: list[tuple[str, AgentCall]] = []
        self._fault = fault
        self._functions: dict[str, FakeFunction] = {}
        self._script: dict[str, deque[FunctionFault]] = {}

    def add(self, name: str, function: FakeFunction) -> None:
        """Create or replace a function."""
        self._functions[name] = function

    def script(self, name: str, *faults: FunctionFault) -> None:
        """Let the next calls of a function end with these faults, one each."""
        self._script.setdefault(name, deque()).extend(faults)

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Make one attempt; see the port."""
        if call.timeout_ms <= 0:
            return _refused("NO_TIME_TO_SEND", "the deadline passed before the call")
        if len(canonical_json(call.input)) > _PAYLOAD_BYTES_MAX:
            return _refused("TOO_LARGE", "more than Lambda takes", retryable=False)
        function = self._functions.get(target.function)
        if function is None:
            return _refused("NOT_FOUND", f"there is no function {target.function}")
        try:
            async with asyncio.timeout(call.timeout_ms / 1000):
                return await self._call(target, function, call)
        except TimeoutError:
            return _lost("CALL_TIMEOUT", f"no answer within {call.timeout_ms} ms")

    async def close(self) -> None:
        """Do nothing."""

    def _next_fault(self, target: LambdaTransport, call: AgentCall) -> FunctionFault | None:
        scripted = self._script.get(target.function)
        if scripted:
            return scripted.popleft()
        return self._fault(target, call) if self._fault is not None else None

    async def _call(self, target: LambdaTransport, function: FakeFunction, call: AgentCall) -> CallEnded:
        fault = self._next_fault(target, call)
        match fault:
            case None:
                return await self._run(target, function, call)
            case Refuse():
                return _refused(
                    fault.code, "refused on order", retryable=fault.retryable, after_ms=fault.retry_after_ms
                )
            case Lose():
                if fault.ran:
                    await self._run(target, function, call)
                return _lost(fault.code, "lost on order")
            case Hang():
                await self._run(target, function, call)
                await asyncio.get_running_loop().create_future()  # ends by the caller's timeout or cancellation
                raise AssertionError("nobody sets this future")
            case _:
                assert_never(fault)

    async def _run(self, target: LambdaTransport, function: FakeFunction, call: AgentCall) -> CallEnded:
        self.calls.append((target.function, call))
        try:
            made = function(call)
            answer = await made if inspect.isawaitable(made) else made
        except Exception as error:  # noqa: BLE001 - a function may crash in any way
            return _lost("FUNCTION_ERROR", f"{type(error).__name__}: {error}")
        match answer:
            case CallEnded():
                return answer
            case Succeeded() | Failed() | Lost():
                return CallEnded(answer)
            case _:
                return CallEnded(Succeeded(answer))


def _refused(code: str, message: str, *, retryable: bool = True, after_ms: int | None = None) -> CallEnded:
    return CallEnded(Failed(Failure(code, message), retryable=retryable, answered=False, retry_after_ms=after_ms))


def _lost(code: str, message: str) -> CallEnded:
    return CallEnded(Lost(Failure(code, message)))


# --- Queues -------------------------------------------------------------------------------------------------------
Operation: TypeAlias = Literal["receive", "delete", "give_back", "send"]


@dataclass(frozen=True, slots=True)
class QueueFault:
    """An operation fails; with `done` it took effect all the same, and only the answer was lost."""

    done: bool = False


@dataclass(slots=True, eq=False)
class _Held:
    """A message in a queue: visible from `due` on; each receipt has a handle of its own."""

    message: Message
    message_id: str
    sent_at: UtcMs
    due: UtcMs
    received: int = 0


@dataclass(slots=True, eq=False)
class _Queue:
    held: dict[str, _Held] = field(default_factory=dict)


class FakeQueues:
    """Queues in memory, and the ports on them: `source`, `outcomes`, `workers`.

    Instants (`due`, age) come from `clock`; waiting in `receive` is the event loop's. Who moves the clock by hand calls
    `wake` afterwards. `fault` is asked before every operation on a queue, once `script`'s faults are used up.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        wait_ms: int = 20_000,
        visibility_ms: int = 60_000,
        fault: Callable[[str, Operation], QueueFault | None] | None = None,
    ) -> None:
        """Begin without any queue."""
        self._clock = clock
        self._wait_ms = wait_ms
        self._visibility_ms = visibility_ms
        self._fault = fault
        self._queues: dict[str, _Queue] = {}
        self._script: dict[tuple[str, Operation], deque[QueueFault]] = {}
        self._numbers: Counter[str] = Counter()
        self._changed = asyncio.Event()

    def create(self, *names: str) -> None:
        """Create queues; those that exist keep their messages."""
        for name in names:
            self._queues.setdefault(name, _Queue())

    def script(self, queue: str, operation: Operation, *faults: QueueFault) -> None:
        """Let the next operations of this kind on a queue end with these faults, one each."""
        self._script.setdefault((queue, operation), deque()).extend(faults)

    def put(self, queue: str, body: str, attributes: dict[str, str] | None = None, *, delay_ms: int = 0) -> str:
        """Send a message as the world would, and return its id."""
        now = self._clock.now()
        message_id = self._number("message")
        held = _Held(Message(body, dict(attributes or {})), message_id, now, UtcMs(now + delay_ms))
        self._get(queue).held[message_id] = held
        self.wake()
        return message_id

    def messages(self, queue: str) -> list[Message]:
        """Return all messages of a queue that were not deleted, in order of arrival, visible or not."""
        return [held.message for held in self._get(queue).held.values()]

    def wake(self) -> None:
        """Let everybody who waits for messages look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def source(self, queue: str) -> FakeSource:
        """Return the port that reads a queue."""
        return FakeSource(self, queue)

    def outcomes(self, dead_letter_queue: str) -> FakeOutcomes:
        """Return the port that takes outcomes and dead letters."""
        return FakeOutcomes(self, dead_letter_queue)

    def workers(self, encode: Callable[[AgentCall], str]) -> FakeWorkers:
        """Return the port that gives tasks to workers."""
        return FakeWorkers(self, encode)

    # What the three ports below are made of.
    async def take(self, queue: str, messages_max: int) -> list[Delivery]:
        """Wait for messages and hide them for the visibility timeout."""
        fault = self._next_fault(queue, "receive")
        if fault is not None and not fault.done:
            raise QueueError(f"receiving from {queue}: failed on order")
        loop = asyncio.get_running_loop()
        end = loop.time() + self._wait_ms / 1000
        taken = self._take_now(queue, messages_max)
        while not taken and end - loop.time() > _TOO_SHORT_S:
            await self._wait_for_change(queue, end - loop.time())
            taken = self._take_now(queue, messages_max)
        if fault is not None:
            raise QueueError(f"receiving from {queue}: the answer was lost on order")
        return taken

    def settle(self, queue: str, operation: Operation, deliveries: Sequence[Delivery], after_ms: int | None) -> None:
        """Delete messages (`after_ms` None), or make them visible after a while; an old receipt does nothing."""
        fault = self._next_fault(queue, operation)
        held = self._get(queue).held
        if fault is None or fault.done:
            for each in deliveries:
                found = held.get(each.message_id)
                if found is None or each.handle != _handle(found):
                    continue
                if after_ms is None:
                    del held[each.message_id]
                else:
                    found.due = UtcMs(self._clock.now() + after_ms)
            self.wake()
        if fault is not None:
            raise QueueError(f"{operation} on {queue}: failed on order")

    def send(self, queue: str, body: str, attributes: dict[str, str]) -> Failed | Lost | None:
        """Put a message on a queue, or say why it is not known to be there."""
        if queue not in self._queues:
            failure = Failure("NOT_FOUND", f"queue {queue}: there is no queue of this name. Create it.")
            return Failed(failure, retryable=True, answered=False)
        if (size := _size_bytes(body, attributes)) > _MESSAGE_BYTES_MAX:
            failure = Failure(
                "TOO_LARGE", f"queue {queue}: the message has {size} bytes; {_MESSAGE_BYTES_MAX} are taken"
            )
            return Failed(failure, retryable=False, answered=False)
        fault = self._next_fault(queue, "send")
        if fault is None or fault.done:
            self.put(queue, body, attributes)
        if fault is None:
            return None
        failure = Failure("CONNECTION_CUT" if fault.done else "QUEUE_REFUSED", f"queue {queue}: failed on order")
        return Lost(failure) if fault.done else Failed(failure, retryable=True, answered=False)

    def _get(self, queue: str) -> _Queue:
        found = self._queues.get(queue)
        if found is None:
            raise QueueError(f"there is no queue {queue}. Create it.")
        return found

    def _number(self, kind: str) -> str:
        self._numbers[kind] += 1
        return f"{kind}-{self._numbers[kind]}"

    def _next_fault(self, queue: str, operation: Operation) -> QueueFault | None:
        scripted = self._script.get((queue, operation))
        if scripted:
            return scripted.popleft()
        return self._fault(queue, operation) if self._fault is not None else None

    def _take_now(self, queue: str, messages_max: int) -> list[Delivery]:
        now = self._clock.now()
        visible = [held for held in self._get(queue).held.values() if held.due <= now]
        taken = visible[: min(messages_max, _BATCH_MAX)]
        for held in taken:
            held.received += 1
            held.due = UtcMs(now + self._visibility_ms)
        return [
            Delivery(held.message, _handle(held), held.message_id, held.received, max(now - held.sent_at, 0))
            for held in taken
        ]

    async def _wait_for_change(self, queue: str, seconds_max: float) -> None:
        """Wait until something was put or given back, or the next hidden message may be visible."""
        now = self._clock.now()
        dues = [(held.due - now) / 1000 for held in self._get(queue).held.values()]
        try:
            async with asyncio.timeout(min([seconds_max, *dues])):
                await self._changed.wait()
        except TimeoutError:
            return


def _size_bytes(body: str, attributes: dict[str, str]) -> int:
    """Return what SQS counts: the body, and the name, type and value of every attribute."""
    texts = [body, *(text for name, value in attributes.items() for text in (name, "String", value))]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _handle(held: _Held) -> str:
    return f"{held.message_id}/{held.received}"


class FakeSource:
    """`MessageSource` on one of the `FakeQueues`."""

    def __init__(self, queues: FakeQueues, queue: str) -> None:
        """Read a queue by name."""
        self._queues = queues
        self._queue = queue

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for messages; see the port."""
        return await self._queues.take(self._queue, messages_max) if messages_max > 0 else ()

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete messages; see the port."""
        self._queues.settle(self._queue, "delete", deliveries, None)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Make messages visible again after a while; see the port."""
        self._queues.settle(self._queue, "give_back", deliveries, after_ms)

    async def close(self) -> None:
        """Do nothing."""


class FakeOutcomes:
    """`OutcomeSink` on the `FakeQueues`."""

    def __init__(self, queues: FakeQueues, dead_letter_queue: str) -> None:
        """Send to queues by name."""
        self._queues = queues
        self._dead_letter_queue = dead_letter_queue

    async def publish(self, outcome: OutcomeMessage) -> None:
        """Send an outcome; see the port."""
        attributes = {} if outcome.traceparent is None else {"traceparent": outcome.traceparent}
        self._send(outcome.queue, outcome.body, attributes)

    async def dead_letter(self, message: Message, failure: Failure) -> None:
        """Put a message, whole, on the dead-letter queue; see the port."""
        reason = {"jada-reason-code": failure.code, "jada-reason": failure.message}
        self._send(self._dead_letter_queue, message.body, {**message.attributes, **reason})

    async def close(self) -> None:
        """Do nothing."""

    def _send(self, queue: str, body: str, attributes: dict[str, str]) -> None:
        result = self._queues.send(queue, body, attributes)
        if result is not None:
            raise QueueError(f"sending to {result.failure.message} [{result.failure.code}]")


def posted_by(workers: WorkerSender, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
    """Post by a sender's own `send`, but leave every second attempt under a key to whoever sends."""
    return asyncio.ensure_future(workers.send(target, call)) if call.attempt % 2 else None


class FakeWorkers:
    """`WorkerSender` on the `FakeQueues`."""

    def __init__(self, queues: FakeQueues, encode: Callable[[AgentCall], str]) -> None:
        """Send to queues by name; `encode` makes the task's text."""
        self._queues = queues
        self._encode = encode

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Do what `send` does, for every other attempt: both ways are to be gone."""
        return posted_by(self, target, call)

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Put one attempt on the worker's queue; see the port."""
        attributes = {
            "jada-workflow-id": call.workflow_id,
            "jada-task-id": call.task_id,
            "jada-attempt": str(call.attempt),
        }
        if call.traceparent:
            attributes["traceparent"] = call.traceparent
        if call.timeout_ms <= 0:
            return _refused("NO_TIME_TO_SEND", "the deadline passed before the task was sent")
        result = self._queues.send(target.queue, self._encode(call), attributes)
        return None if result is None else CallEnded(result)

    async def close(self) -> None:
        """Do nothing."""
