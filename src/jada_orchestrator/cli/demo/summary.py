"""What the demo came to: outcomes, what was undone, time against the critical path, tokens and cost, the books."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli.demo.scenario import Act
from jada_orchestrator.cli.drawing import now_ms, styled_status, tree_of
from jada_orchestrator.domain.instants import format_duration
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import TaskStatus
from jada_orchestrator.sandbox.inventory.audit import Findings
from jada_orchestrator.service.timing import timing_of
from jada_orchestrator.service.views import Seen


def trees(console: Console, acts: Sequence[Act], seen: Mapping[str, Seen]) -> None:
    """Show every booking's graph as it ended."""
    console.print(Text("\nThe graphs as they ended", "bold"))
    for act in acts:
        if act.request_id in seen:
            console.print(tree_of(seen[act.request_id], now_ms()))


def outcomes(console: Console, acts: Sequence[Act], seen: Mapping[str, Seen]) -> None:
    """Show a table of the bookings: what each showed, its outcome, its time, its cost."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("booking", "outcome", "shows"):
        table.add_column(column, no_wrap=True)
    for column in ("tasks", "agents' work", "critical path", "ratio", "tokens in + out", "USD"):
        table.add_column(column, no_wrap=True, justify="right")
    for act in acts:
        one = seen.get(act.request_id)
        if one is None:
            continue
        timing = timing_of(one)
        usage = one.workflow.usage
        times = ("", "", "", "")
        if timing is not None:
            ratio = "" if timing.ratio is None else f"{timing.ratio:.2f}"
            work, critical = format_duration(timing.makespan_ms), format_duration(timing.critical_ms)
            times = (str(timing.tasks), work, critical, ratio)
        ok = one.workflow.status in act.expected
        outcome = styled_status(one.workflow.status.value)
        outcome.append(" ✓" if ok else " ✗ not expected", "green" if ok else "bold red")
        table.add_row(
            Text(act.request_id, "bold"),
            outcome,
            act.shows,
            *times,
            f"{usage.total_input_tokens} + {usage.output_tokens}",
            "unknown" if usage.usd is None else f"{Decimal(usage.usd):.4f}",
        )
    console.print(Text("\nOutcomes", "bold"))
    console.print(table)
    total = sum((one.workflow.usage for one in seen.values()), Usage())
    price = "unknown" if total.usd is None else f"{Decimal(total.usd):.4f} USD"
    console.print(
        Text(
            f"In all {total.total_input_tokens} tokens in ({total.cache_read_tokens} from the prompt cache) and "
            f"{total.output_tokens} out, {price} at the model's prices.",
            "dim",
        ),
        soft_wrap=True,
    )


def undone(console: Console, seen: Mapping[str, Seen]) -> None:
    """Say what was undone, and what was looked up instead of done again."""
    console.print(Text("\nUndone, and looked up", "bold"))
    for request_id, one in seen.items():
        tasks = one.workflow.tasks.values()
        back = [task.planned.id for task in tasks if task.status is TaskStatus.COMPENSATED]
        if back and one.workflow.failure is not None:
            why = f"{one.workflow.failure.message} [{one.workflow.failure.code}]"
            console.print(f"  {request_id}: {', '.join(back)} undone, because {why}", markup=False, soft_wrap=True)
        for task in tasks:
            if task.do.lookups:
                text = f"  {request_id}: nobody knew what became of {task.planned.id}; a lookup found that it was done"
                console.print(text, markup=False, soft_wrap=True)


def books(console: Console, findings: Findings, statuses: Mapping[str, str]) -> bool:
    """Show what the agents' own books say; tell whether they are in order."""
    half_made = findings.half_made(statuses)
    console.print(Text("\nThe agents' books", "bold"))
    console.print(f"  {len(findings.effects)} effects were made; {len(findings.doubled)} of them twice.", markup=False)
    for doubled in findings.doubled:
        console.print(f"  DOUBLED: {doubled.action} of {doubled.task_id}: {', '.join(doubled.subjects)}", markup=False)
    for fault in findings.miscounted:
        console.print(f"  MISCOUNTED: {fault}", markup=False)
    for half in half_made:
        console.print(f"  HALF MADE: {half.request_id} {half.why}", markup=False)
    for currency, sums in findings.money().items():
        parts = ", ".join(f"{word} {money['amount']}" for word, money in sums.items())
        console.print(f"  Money in {currency}: {parts}.", markup=False)
    if not half_made:
        console.print("  What stands is what was completed, and nothing else.", markup=False)
    return not (findings.doubled or findings.miscounted or half_made)
