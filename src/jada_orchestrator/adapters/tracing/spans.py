"""A log that also traces: one trace for each booking, made of the events that the log gets in any case.

The root span is the booking; below it are the questions to the model (GenAI semantic conventions) and each attempt of a
task, doing or undoing. Whatever else happens to a booking is an event of its root span. Where the frontend sent a trace
context, the root is a part of that trace; what goes to an agent is the context of the attempt.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.limits import WORKFLOWS_IN_FLIGHT_MAX
from jada_orchestrator.ports.log import Level, Log

_QUESTION: Final = "planning"
_BEGIN_QUESTION: Final = "planning.asked"
_END_QUESTION: Final = frozenset({"planning.answered", "planning.backed_off", "planning.gave_up"})
_BEGIN_ATTEMPT: Final = "attempt.started"
_END_ATTEMPT: Final = frozenset(
    {
        "attempt.failed",
        "attempt.lost",
        "lookup.inconclusive",
        "task.compensated",
        "task.failed",
        "task.stands",
        "task.succeeded",
        "task.unresolved",
    }
)
_WELL: Final = frozenset({"planning.answered", "task.compensated", "task.succeeded"})
_END: Final = frozenset({"workflow.ended", "workflow.rejected"})
_AFTERWARDS: Final = frozenset(
    {
        *_END,
        "law.broken",
        "outcome.decided",
        "outcome.published",
        "outcome.reopened",
        "outcome.shortened",
        "outcome.stuck",
        "reply.unmatched",
        "workflow.unreadable",
    }
)
"""What is told of bookings that have ended as well: it belongs to a trace that is open, and begins none."""


@dataclass(slots=True)
class _Trace:
    """A booking's root span and what is open below it, by task or question."""

    root: Span
    below: dict[str, Span] = field(default_factory=dict)


_CONTEXT: Final = "traceparent"


class TracingLog:
    """The ports `Log`, handed on to another one, and `Tracing`. Wants every level, since attempts begin at debug."""

    def __init__(self, log: Log, tracer: Tracer, shut_down: Callable[[], None]) -> None:
        """Take the log that writes, and where spans go."""
        self._log = log
        self._tracer = tracer
        self._shut_down = shut_down
        self._traces: OrderedDict[str, _Trace] = OrderedDict()
        self._propagator = TraceContextTextMapPropagator()

    def wants(self, level: Level) -> bool:  # noqa: ARG002 - the port's signature
        """Want everything: what the log does not write still opens and closes spans."""
        return True

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Trace one event and hand it on."""
        workflow_id = fields.get("workflow_id")
        if isinstance(workflow_id, str):
            self._trace(workflow_id, event, message, fields)
        if self._log.wants(level):
            self._log.emit(level, event, message, **fields)

    def context_of(self, workflow_id: WorkflowId, task_id: TaskId) -> str | None:
        """Return the context of the task's attempt under way, else that of the booking; None before either is told."""
        trace = self._traces.get(workflow_id)
        if trace is None:
            return None
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(trace.below.get(_key_of(task_id), trace.root)))
        return carrier.get(_CONTEXT)

    def close(self) -> None:
        """End what is open and send what waits, for at most the exporter's own timeout."""
        while self._traces:
            self._end(next(iter(self._traces)))
        self._shut_down()

    def _trace(self, workflow_id: str, event: str, message: str, fields: dict[str, object]) -> None:
        trace = self._traces.get(workflow_id)
        if trace is None:
            if event in _AFTERWARDS:
                return
            trace = self._begin(workflow_id, event, fields)
        if event == _BEGIN_QUESTION:
            attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic"}
            self._open(trace, _QUESTION, "chat", SpanKind.CLIENT, attributes)
        elif event == _BEGIN_ATTEMPT:
            named = {f"jada.{name}": str(fields[name]) for name in ("task_id", "agent", "attempt") if fields.get(name)}
            key = _key_of(fields.get("task_id"))
            self._open(trace, key, key, SpanKind.CLIENT, named)
        elif event in _END_QUESTION:
            self._close(trace, _QUESTION, event)
        elif event in _END_ATTEMPT:
            self._close(trace, _key_of(fields.get("task_id")), event)
        if event in _END:
            # How it ended, in our words: what follows the colon may be an agent's, and nobody searches it for secrets.
            ended = message.partition(":")[0]
            failed = ended != "Ended as completed"
            trace.root.set_status(Status(StatusCode.ERROR, ended) if failed else Status(StatusCode.OK))
            self._end(workflow_id)
        else:
            trace.root.add_event(event)

    def _begin(self, workflow_id: str, event: str, fields: dict[str, object]) -> _Trace:
        if len(self._traces) >= WORKFLOWS_IN_FLIGHT_MAX:
            self._end(next(iter(self._traces)))
        attributes: dict[str, str | bool] = {
            f"jada.{name}": str(fields[name]) for name in ("workflow_id", "request_id", "tenant") if fields.get(name)
        }
        attributes["jada.recovered"] = event != "workflow.accepted"
        context = self._context_from(fields.get(_CONTEXT))
        root = self._tracer.start_span("booking", context=context, kind=SpanKind.CONSUMER, attributes=attributes)
        trace = _Trace(root)
        self._traces[workflow_id] = trace
        return trace

    def _context_from(self, traceparent: object) -> Context | None:
        """Return the frontend's context, or None: then the booking begins a trace of its own."""
        return self._propagator.extract({_CONTEXT: traceparent}) if isinstance(traceparent, str) else None

    def _open(self, trace: _Trace, key: str, name: str, kind: SpanKind, attributes: dict[str, str]) -> None:
        self._close(trace, key, "superseded")
        parent = set_span_in_context(trace.root)
        trace.below[key] = self._tracer.start_span(name, context=parent, kind=kind, attributes=attributes)

    def _close(self, trace: _Trace, key: str, event: str) -> None:
        span = trace.below.pop(key, None)
        if span is not None:
            span.set_attribute("jada.outcome", event)
            span.set_status(Status(StatusCode.OK if event in _WELL else StatusCode.ERROR))
            span.end()

    def _end(self, workflow_id: str) -> None:
        trace = self._traces.pop(workflow_id)
        for key in list(trace.below):
            self._close(trace, key, "cut off")
        trace.root.end()


def _key_of(task_id: object) -> str:
    return f"task {task_id}"
