"""What is seen while the demo runs: every booking with its graph, the state of each task, and time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli.demo.scenario import Act
from jada_orchestrator.cli.drawing import STATUS_STYLES, now_ms, symbol_of
from jada_orchestrator.cli.following import POLL_S, is_quiet
from jada_orchestrator.domain.ids import RequestId, TaskId, workflow_id_of
from jada_orchestrator.domain.instants import format_duration
from jada_orchestrator.domain.workflow import TaskStatus
from jada_orchestrator.ports.journal import JournalReader, JournalUnavailableError
from jada_orchestrator.service.views import Seen, see, story

_BUSY: Final = frozenset({TaskStatus.RUNNING, TaskStatus.UNKNOWN, TaskStatus.BACKING_OFF, TaskStatus.COMPENSATING})
_TOLD: Final = frozenset(
    {
        "workflow.accepted",
        "plan.adopted",
        "clarification.asked",
        "attempt.lost",
        "task.failed",
        "compensation.started",
        "task.compensated",
        "workflow.ended",
    }
)
"""Events that are told where no screen can be drawn anew; the rest is in `jada why`."""


class Progress:
    """The bookings as the journal has them, and how they are shown."""

    def __init__(self, reader: JournalReader, acts: Sequence[Act], console: Console) -> None:
        """Take where to read and where to show."""
        self._reader = reader
        self._acts = acts
        self._console = console
        self._began = time.monotonic()
        self._told: dict[str, int] = {}
        self.seen: dict[str, Seen] = {}

    async def follow(self) -> None:
        """Show until every booking has ended or waits for somebody. Raises: JournalError."""
        self._began = time.monotonic()
        if not self._console.is_terminal:
            await self._until_quiet(None)
            return
        with Live(self._table(), console=self._console, refresh_per_second=10) as live:
            await self._until_quiet(live)

    async def _until_quiet(self, live: Live | None) -> None:
        while not await self._look():
            if live is not None:
                live.update(self._table())
            await asyncio.sleep(POLL_S)
        if live is not None:
            live.update(self._table())

    async def _look(self) -> bool:
        """Read what is new; tell whether nothing moves any more."""
        for act in self._acts:
            before = self.seen.get(act.request_id)
            if before is not None and is_quiet(before):
                continue
            try:
                stored = await self._reader.history(workflow_id_of(RequestId(act.request_id)))
            except JournalUnavailableError:
                return False  # the daemon has not made the store yet; should it never, the caller's time runs out
            if stored is None:
                continue
            self.seen[act.request_id] = see(stored)
            if not self._console.is_terminal:
                told = self._told.get(act.request_id, 0)
                self._tell(act, story(stored.entries[told:]))
                self._told[act.request_id] = len(stored.entries)
        return len(self.seen) == len(self._acts) and all(map(is_quiet, self.seen.values()))

    def _tell(self, act: Act, lines: list[dict[str, object]]) -> None:
        at = time.monotonic() - self._began
        for line in lines:
            if line["event"] in _TOLD:
                text = f"{at:5.1f} s  {act.request_id:13}  {line['message']}"
                self._console.print(text, markup=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim", expand=True)
        table.add_column("booking", no_wrap=True)
        table.add_column("status", no_wrap=True)
        table.add_column("time", no_wrap=True, justify="right")
        table.add_column("its tasks, in order", no_wrap=True, min_width=20)
        table.add_column("now", ratio=1, no_wrap=True, overflow="ellipsis")
        for act in self._acts:
            table.add_row(*self._row(act))
        return table

    def _row(self, act: Act) -> tuple[Text, Text, Text, Text, Text]:
        seen = self.seen.get(act.request_id)
        name = Text(act.request_id, "bold")
        if seen is None:
            return name, Text("queued", "dim"), Text(""), Text(""), Text(act.shows, "dim")
        workflow, now = seen.workflow, now_ms()
        symbols = Text()
        busy = []
        for task_id, task in workflow.tasks.items():
            symbols.append_text(symbol_of(task.status))
            if task.status in _BUSY:
                busy.append(f"{task_id} {_since(seen, task_id, now)}")
        status = workflow.status.value
        took = format_duration(max(0, (workflow.finished_at or now) - workflow.created_at))
        doing = Text(", ".join(busy)) if busy else Text(act.shows, "dim")
        return name, Text(status, STATUS_STYLES[status]), Text(took), symbols, doing


def _since(seen: Seen, task_id: TaskId, now: int) -> str:
    started = seen.undo_started.get(task_id) or seen.started_at(task_id)
    return "" if started is None else format_duration(max(0, now - started))
