"""Traces: one for each booking, with its questions and attempts below it, and nothing where no exporter is."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from jada_orchestrator.adapters.tracing.opening import open_tracing
from jada_orchestrator.adapters.tracing.spans import TracingLog
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.testing.quiet import QuietLog

Traced = tuple[TracingLog, QuietLog, Callable[[], list[ReadableSpan]]]


@pytest.fixture
def traced() -> Traced:
    """A tracing log over a quiet one, and what was exported."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    quiet = QuietLog()
    log = TracingLog(quiet, provider.get_tracer("test"), provider.shutdown)
    return log, quiet, lambda: list(exporter.get_finished_spans())


def test_a_booking_is_one_trace(traced: Traced) -> None:
    """Question and attempt are children of the booking's span; the log gets every event all the same."""
    log, quiet, spans = traced
    who = {"workflow_id": "wf-1", "request_id": "web-1", "tenant": "acme"}
    log.emit("info", "workflow.accepted", "Accepted", **who)
    log.emit("debug", "planning.asked", "Asking", **who)
    log.emit("info", "planning.answered", "Answered", **who)
    log.emit("debug", "attempt.started", "Started", **who, task_id="hold", attempt=1, agent="flights")
    log.emit("warning", "attempt.failed", "Failed", **who, task_id="hold", attempt=1, agent="flights")
    log.emit("debug", "attempt.started", "Started", **who, task_id="hold", attempt=2, agent="flights")
    log.emit("info", "task.succeeded", "hold succeeded", **who, task_id="hold")
    log.emit("info", "workflow.ended", "Ended as completed", **who)
    found = spans()
    assert [span.name for span in found] == ["chat", "task hold", "task hold", "booking"]
    root = found[-1]
    assert {span.context.trace_id for span in found if span.context} == {root.context.trace_id if root.context else 0}
    assert all(span.parent is not None for span in found[:-1])
    assert [span.status.is_ok for span in found] == [True, False, True, True]
    assert (found[0].attributes or {})["gen_ai.operation.name"] == "chat"
    assert len(quiet.lines) == 8


@pytest.mark.parametrize("event", ["outcome.decided", "outcome.published", "outcome.reopened", "reply.unmatched"])
def test_what_is_told_after_the_end_begins_no_trace(traced: Traced, event: str) -> None:
    """The booking's span is over with the booking; its outcome, or a late reply, is no booking of its own."""
    log, _, spans = traced
    log.emit("info", "workflow.accepted", "Accepted", workflow_id="wf-1")
    log.emit("info", "workflow.ended", "Ended as completed", workflow_id="wf-1")
    log.emit("debug", event, "Told", workflow_id="wf-1")
    log.close()
    assert [span.name for span in spans()] == ["booking"]


def test_a_booking_that_went_on_after_a_restart_is_traced_from_there(traced: Traced) -> None:
    """What this process did not see beginning is marked, and what is open at the end is closed."""
    log, _, spans = traced
    log.emit("debug", "attempt.started", "Started", workflow_id="wf-1", task_id="hold", attempt=1)
    log.emit("info", "daemon.drained", "Nothing is in flight")
    log.close()
    found = spans()
    assert [span.name for span in found] == ["task hold", "booking"]
    assert (found[1].attributes or {})["jada.recovered"] is True


@pytest.mark.parametrize(
    ("event", "message", "said"),
    [
        ("workflow.ended", "Ended as failed: card 4111111111111111 of A. Person [CARD_DECLINED]", "Ended as failed"),
        ("workflow.rejected", "Rejected (INVALID_REQUEST): text: is a number", "Rejected (INVALID_REQUEST)"),
    ],
)
def test_words_of_agents_do_not_leave_the_host(traced: Traced, event: str, message: str, said: str) -> None:
    """A log line is searched for secrets before it is written, a span is not: it has only our own words."""
    log, _, spans = traced
    log.emit("info", "workflow.accepted", 'Accepted from acme: "passport 123456789"', workflow_id="wf-1")
    log.emit("info", event, message, workflow_id="wf-1")
    [root] = spans()
    assert root.status.description == said
    assert "4111" not in root.to_json()
    assert "123456789" not in root.to_json()


def test_without_exporter_nothing_is_loaded() -> None:
    """No endpoint, no tracing log, and OpenTelemetry's SDK is not even imported by the daemon."""
    assert open_tracing(QuietLog(), {}) is None
    code = "import sys, jada_orchestrator.service.daemon; sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def test_an_agent_gets_the_context_of_the_attempt_that_calls_it(traced: Traced) -> None:
    """What an agent traces stands below its attempt, and all of it below what the frontend had begun."""
    log, _, spans = traced
    who = {"workflow_id": "wf-1", "traceparent": f"00-{TRACE}-{SPAN}-01"}
    task = TaskId("hold")
    log.emit("info", "workflow.accepted", "Accepted", **who)
    before = log.context_of(WorkflowId("wf-1"), task)
    log.emit("debug", "attempt.started", "Started", **who, task_id="hold", attempt=1)
    during = log.context_of(WorkflowId("wf-1"), task)
    log.emit("info", "task.succeeded", "hold succeeded", **who, task_id="hold")
    log.emit("info", "workflow.ended", "Ended as completed", **who)
    attempt, root = spans()
    assert attempt.context is not None
    assert root.context is not None
    assert root.parent is not None
    assert (f"{root.parent.trace_id:032x}", f"{root.parent.span_id:016x}") == (TRACE, SPAN)
    assert during == f"00-{TRACE}-{attempt.context.span_id:016x}-01"
    assert before == f"00-{TRACE}-{root.context.span_id:016x}-01"
    assert log.context_of(WorkflowId("wf-1"), task) is None


def test_a_context_that_is_none_begins_a_trace_of_its_own(traced: Traced) -> None:
    """Without a context, or with one that nobody can read, the booking's span has no parent."""
    log, _, spans = traced
    for number, sent in enumerate([None, "nonsense", f"00-{'0' * 32}-{SPAN}-01"]):
        log.emit("info", "workflow.accepted", "Accepted", workflow_id=f"wf-{number}", traceparent=sent)
    log.close()
    assert [span.parent for span in spans()] == [None, None, None]
