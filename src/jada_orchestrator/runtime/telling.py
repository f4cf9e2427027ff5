"""What was recorded, told to the log: a line for each entry, as a rule at once.

A start takes up everything that was under way, and each booking has something to tell of that: ten thousand have more
lines than the log's queue takes, and putting them into words costs as much as taking the bookings up. So what
recovery has to tell is told a little at a time afterwards, each booking's lines still before any later ones of its own.
A kill may come before that; the store has all of it (`jada why`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine.story import level_of, tell_entry
from jada_orchestrator.ports.log import Log

_EVERY_S: Final = 0.05
_BOOKINGS_AT_ONCE: Final = 25
"""Bookings whose lines are told in one go: five hundred a second, which takes a twentieth of the interpreter."""


class Teller:
    """Tells entries to the log. `putting_off` is set while a recovery goes on."""

    def __init__(self, log: Log) -> None:
        """Begin with nothing to tell."""
        self.putting_off = False
        self._log = log
        self._untold: dict[WorkflowId, tuple[Workflow, list[Entry]]] = {}
        self._timer: asyncio.TimerHandle | None = None

    def tell(self, workflow: Workflow, entries: Sequence[Entry]) -> None:
        """Tell what was recorded of a workflow, after whatever was put off of it."""
        wanted = [entry for entry in entries if self._log.wants(level_of(entry.record))]
        if not wanted:
            return
        if self.putting_off:
            self._untold.setdefault(workflow.workflow_id, (workflow, []))[1].extend(wanted)
            if self._timer is None:
                self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._tell_some)
            return
        if self._untold:
            self._tell_untold(workflow.workflow_id)
        self._tell_all(workflow, wanted)

    def close(self) -> None:
        """Tell what was put off, all of it now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for workflow_id in list(self._untold):
            self._tell_untold(workflow_id)

    def _tell_some(self) -> None:
        self._timer = None
        if not self.putting_off:
            for workflow_id in list(self._untold)[:_BOOKINGS_AT_ONCE]:
                self._tell_untold(workflow_id)
        if self._untold:
            self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._tell_some)

    def _tell_untold(self, workflow_id: WorkflowId) -> None:
        put_off = self._untold.pop(workflow_id, None)
        if put_off is not None:
            self._tell_all(*put_off)

    def _tell_all(self, workflow: Workflow, entries: Sequence[Entry]) -> None:
        for entry in entries:
            line = tell_entry(entry)
            task = workflow.tasks.get(line.task_id) if line.task_id is not None else None  # type: ignore[call-overload]
            self._log.emit(
                line.level,
                line.event,
                line.message,
                workflow_id=workflow.workflow_id,
                request_id=workflow.request_id,
                tenant=workflow.tenant,
                task_id=line.task_id,
                attempt=line.attempt,
                agent=task.terms.agent if task is not None else None,
                traceparent=workflow.request.traceparent if workflow.request is not None else None,
            )
