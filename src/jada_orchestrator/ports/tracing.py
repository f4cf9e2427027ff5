"""Traces: which context goes with a call, so that an agent's own spans stand below the attempt that called it."""

from __future__ import annotations

from typing import Protocol

from jada_orchestrator.domain.ids import TaskId, WorkflowId


class Tracing(Protocol):
    """Knows the spans that are open. Never blocks, never raises."""

    def context_of(self, workflow_id: WorkflowId, task_id: TaskId) -> str | None:
        """Return the W3C `traceparent` of what is under way at a task; None where nothing of it is traced."""


class NoTracing:
    """The port where no exporter is configured."""

    def context_of(self, workflow_id: WorkflowId, task_id: TaskId) -> str | None:  # noqa: ARG002 - the port's signature
        """Trace nothing."""
        return None
