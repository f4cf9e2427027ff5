"""What people see of bookings: a table of many, a tree of one."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from jada_orchestrator.cli.plan_pictures import deciders
from jada_orchestrator.domain.ids import TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs, format_duration
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Phase, Task, TaskStatus, Workflow
from jada_orchestrator.ports.journal import Head
from jada_orchestrator.service.views import Seen, questions_of

STATUS_STYLES: Final = {
    "accepted": "cyan",
    "planning": "cyan",
    "running": "blue",
    "awaiting_approval": "yellow",
    "needs_clarification": "yellow",
    "compensating": "magenta",
    "completed": "green",
    "failed": "red",
    "compensated": "magenta",
    "cancelled": "magenta",
    "rejected": "red",
    "needs_attention": "bold red",
}
_TASKS: Final[dict[TaskStatus, tuple[str, str]]] = {
    TaskStatus.PENDING: ("·", "dim"),
    TaskStatus.READY: ("○", "cyan"),
    TaskStatus.RUNNING: ("▶", "bold blue"),
    TaskStatus.BACKING_OFF: ("↻", "yellow"),
    TaskStatus.UNKNOWN: ("?", "bold yellow"),
    TaskStatus.SUCCEEDED: ("✓", "green"),
    TaskStatus.FAILED: ("✗", "red"),
    TaskStatus.SKIPPED: ("-", "dim"),
    TaskStatus.COMPENSATING: ("↩", "bold magenta"),
    TaskStatus.COMPENSATED: ("↩", "magenta"),
}


def now_ms() -> UtcMs:
    """Return the present instant, for durations that are shown."""
    return UtcMs(time.time_ns() // 1_000_000)


def symbol_of(status: TaskStatus) -> Text:
    """Return a task's state as one coloured character."""
    return Text(*_TASKS[status])


def clock_time(at: UtcMs, *, date: bool = False) -> str:
    """Return an instant in local time, to the millisecond, for somebody who compares it with a watch."""
    moment = datetime.fromtimestamp(at / 1_000).astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z" if date else "%H:%M:%S.%f").removesuffix("000")


def styled_status(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, style=STATUS_STYLES.get(status, ""))


def table_of(heads: Iterable[tuple[WorkflowId, Head]], now: UtcMs) -> Table:
    """Return a table of bookings, one a row."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("request", "status", "tenant", "began", "took", "model", "workflow"):
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    for workflow_id, head in heads:
        status = styled_status(head.status)
        if head.quarantined:
            status.append(" (set aside)", "bold red")
        if head.retired:
            status.append(" (retired)", "dim")
        table.add_row(
            head.request_id or "(unreadable)",
            status,
            head.tenant,
            clock_time(head.created_at, date=True),
            format_duration((head.finished_at or now) - head.created_at),
            head.model,
            Text(workflow_id, style="dim"),
        )
    return table


def headline(workflow: Workflow, now: UtcMs) -> Text:
    """Return a booking's first line: request, status, time, cost."""
    line = Text()
    line.append(workflow.request_id or "(unreadable)", "bold")
    line.append("  ")
    line.append_text(styled_status(workflow.status.value))
    if workflow.exists:
        line.append(f"  {format_duration(max(0, (workflow.finished_at or now) - workflow.created_at))}", "dim")
    if workflow.usage != Usage():
        line.append(f"  {cost_text(workflow.usage)}", "dim")
    return line


def cost_text(usage: Usage) -> str:
    """Return tokens and price for people."""
    price = "price unknown" if usage.usd is None else f"{float(usage.usd):.4f} USD"
    return f"{usage.total_input_tokens} + {usage.output_tokens} tokens, {price}"


def tree_of(seen: Seen, now: UtcMs) -> RenderableType:
    """Return a booking as a tree: each task stands below the deepest of those that it comes after."""
    workflow = seen.workflow
    tree = Tree(headline(workflow, now), guide_style="dim")
    branches: dict[TaskId, Tree] = {}
    depths: dict[TaskId, int] = {}
    for planned in workflow.plan.tasks if workflow.plan is not None else ():
        parent = max(planned.after, key=lambda task_id: depths[task_id], default=None)
        depths[planned.id] = 0 if parent is None else depths[parent] + 1
        task = workflow.tasks[planned.id]
        others = [task_id for task_id in planned.after if task_id != parent]
        branch = tree if parent is None else branches[parent]
        branches[planned.id] = branch.add(_task_line(seen, task, others, now))
    notes = list(_notes(workflow))
    return Group(tree, *notes) if notes else tree


def _task_line(seen: Seen, task: Task, others: list[TaskId], now: UtcMs) -> Text:
    symbol, style = _TASKS[task.status]
    line = Text(f"{symbol} ", style=style)
    line.append(task.planned.id, style)
    line.append(f"  {task.planned.action}", "dim")
    took = _took(seen, task, now)
    if took is not None:
        line.append(f"  {format_duration(took)}")
    if task.status not in {TaskStatus.SUCCEEDED, TaskStatus.PENDING}:
        line.append(f"  {task.status.value}", style)
    if task.do.attempts > 1:
        line.append(f"  attempt {task.do.attempts}", "yellow")
    if task.do.lookups:
        line.append("  looked up", "yellow")
    failure = task.stands or task.do.failure
    if failure is not None and task.do.phase is not Phase.SUCCEEDED:
        line.append(f"  {failure.message[:100]} [{failure.code}]", "dim red")
    if task.planned.optional:
        line.append("  optional", "dim")
    line.append(_decided_by(task), "magenta")
    if others:
        line.append(f"  after {', '.join(others)} too", "dim")
    return line


def _decided_by(task: Task) -> str:
    """Return what decides on a task, short; of one that was skipped, its failure has told it already."""
    planned = task.planned
    if planned.calls is not None:
        return f"  called {len(planned.calls)} times" if len(planned.calls) != 1 else "  called once"
    if task.do.phase is Phase.SKIPPED:
        return ""
    return "".join(f"  {clause}" for clause in deciders(planned))


def _took(seen: Seen, task: Task, now: UtcMs) -> int | None:
    started = seen.started_at(task.planned.id)
    if started is None:
        return None
    waiting = task.status in {TaskStatus.RUNNING, TaskStatus.BACKING_OFF, TaskStatus.UNKNOWN}
    ended = now if waiting else (seen.ended_at(task.planned.id) or now)
    return max(0, ended - started)


def _notes(workflow: Workflow) -> Iterable[Text]:
    for question in questions_of(workflow):
        yield Text(f"? {question}", "yellow")
    if workflow.approval is not None and workflow.approval.granted is None:
        yield Text(f"? {workflow.approval.amount} for {workflow.approval.task_id} needs a person's approval", "yellow")
    if workflow.quarantined is not None:
        yield Text(f"Set aside: {workflow.quarantined}", "bold red")
    elif workflow.failure is not None:
        yield Text(f"{workflow.failure.message} [{workflow.failure.code}]", STATUS_STYLES[workflow.status.value])
    if workflow.settled is not None:
        yield Text(f"Settled by hand by {workflow.settled}: `jada why` has what was done", "green")
    if workflow.retired is not None:
        at = clock_time(workflow.retired.retired_at, date=True)
        what = f"its {workflow.retired.records} records are deleted, its plan and what agents answered with them"
        yield Text(f"Retired {at}: {what}", "dim")
    for fault in workflow.rejected_faults:
        yield Text(f"  {fault}", "red")


def escaped(value: object) -> str:
    """Return a value's text with nothing in it that rich would take for markup."""
    return escape(str(value))
