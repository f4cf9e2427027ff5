"""Pictures of a plan: a tree for a terminal, and texts that Mermaid and Graphviz draw."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.instants import format_duration
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.service.outlook import Outlook

_STYLES: Final = {Effect.READ: "green", Effect.RESERVE: "yellow", Effect.COMMIT: "bold red"}
_FILLS: Final = {Effect.READ: "#e6f4ea", Effect.RESERVE: "#fef7e0", Effect.COMMIT: "#fce8e6"}


def plan_tree(plan: Plan) -> Tree:
    """Return a plan as a tree: each task stands below the deepest of those that it comes after."""
    tree = Tree(Text(f"Plan of {len(plan.tasks)} tasks; nothing was called", "bold"), guide_style="dim")
    branches: dict[str, Tree] = {}
    depths: dict[str, int] = {}
    for task in plan.tasks:
        parent = max(task.after, key=lambda task_id: depths[task_id], default=None)
        depths[task.id] = 0 if parent is None else depths[parent] + 1
        others = [task_id for task_id in task.after if task_id != parent]
        branch = tree if parent is None else branches[parent]
        branches[task.id] = branch.add(_task_lines(plan, task, others))
    for note in plan.notes:
        tree.add(Text(f"note: {note}", "dim italic"))
    return tree


def _task_lines(plan: Plan, task: PlannedTask, others: Sequence[str]) -> Text:
    effect = plan.terms_of(task).effect
    line = Text(task.id, "bold")
    line.append(f"  {task.action}", "dim")
    line.append(f"  {effect.value}", _STYLES[effect])
    if task.optional:
        line.append("  optional", "dim")
    if others:
        line.append(f"  after {', '.join(others)} too", "dim")
    for sentence in deciders(task):
        line.append(f"\n{sentence}", "magenta")
    for name, binding in task.bindings.items():
        shown = f"← {binding.expression}" if binding.expression else json.dumps(binding.constant)
        line.append(f"\n{name} {shown}", "dim")
    return line


def deciders(task: PlannedTask) -> list[str]:
    """Return what decides whether, how often and instead of whom a task is called, a clause each."""
    found = []
    if task.when:
        found.append(f"when {task.when}")
    if task.for_each:
        found.append(f"for each item of {task.for_each}")
    if task.instead_of is not None:
        found.append(f"instead of {task.instead_of}, if that fails with {' or '.join(task.on_codes)}")
    return found


def outlook_lines(outlook: Outlook) -> Table:
    """Return what is expected of a plan, a line for each question that an operator has."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("Critical path", Text(" → ".join(outlook.critical)))
    table.add_row("Expected time", Text(_time_text(outlook)))
    table.add_row("Costs at most", Text(_money_text(outlook)))
    table.add_row("Can be undone", Text(", ".join(outlook.undoable) or "nothing"))
    table.add_row("Cannot be undone", Text(", ".join(outlook.final) or "nothing", "bold red" if outlook.final else ""))
    return table


def _time_text(outlook: Outlook) -> str:
    if outlook.critical_ms is None:
        return "unknown: no earlier booking in the store did any of this"
    told = f"{format_duration(outlook.critical_ms)}, by the medians of earlier bookings"
    return f"{told}; nothing is known of {', '.join(outlook.untimed)}" if outlook.untimed else told


def _money_text(outlook: Outlook) -> str:
    if not outlook.open_amounts:
        return "nothing" if outlook.known is None else str(outlook.known)
    bound = (
        "no bound (the request has no max_total)" if outlook.most is None else f"{outlook.most}, the request's bound"
    )
    return f"{bound}; what {', '.join(outlook.open_amounts)} commits is told by an answer, and checked before it goes"


def mermaid_of(plan: Plan) -> str:
    """Return a plan as a Mermaid flowchart: solid arrows carry data, dotted ones are order or decide on a task.

    A task under a condition is a hexagon, one that is called for each item of a list a stack.
    """
    lines = ["flowchart TD"]
    for task in plan.tasks:
        effect = plan.terms_of(task).effect
        words = [task.id, task.action, *(["optional"] if task.optional else []), *deciders(task)]
        label = "<br/>".join(_escaped(word) for word in words)
        opened, closed = ("[[", "]]") if task.for_each else ("{{", "}}") if task.when else ("[", "]")
        lines.append(f'  {task.id}{opened}"{label}"{closed}:::{effect.value}')
        for first in task.after:
            codes = f'|"{" ".join(task.on_codes)}"|' if first == task.instead_of else ""
            lines.append(f"  {first} {'-->' if first in task.takes else '-.->'}{codes} {task.id}")
    lines += [f"  classDef {effect.value} fill:{fill},stroke:#5f6368" for effect, fill in _FILLS.items()]
    return "\n".join(lines)


def _escaped(word: str) -> str:
    """Return a text that Mermaid shows as it is inside quotes."""
    return word.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def dot_of(plan: Plan) -> str:
    """Return a plan in Graphviz's language: solid arrows carry data, dashed ones are order or decide on a task.

    A task under a condition is a hexagon, one that is called for each item of a list has two borders.
    """
    lines = ["digraph plan {", '  node [shape=box, style="rounded,filled", fontname="sans-serif"];']
    for task in plan.tasks:
        words = [task.id, task.action, *(["optional"] if task.optional else []), *deciders(task)]
        label = "\\n".join(word.replace("\\", "\\\\").replace('"', '\\"') for word in words)
        look = ', shape=hexagon, style="filled"' if task.when else ""
        look += ", peripheries=2" if task.for_each else ""
        lines.append(f'  {task.id} [label="{label}", fillcolor="{_FILLS[plan.terms_of(task).effect]}"{look}];')
        for first in task.after:
            drawn = [] if first in task.takes else ["style=dashed"]
            drawn += [f'label="{" ".join(task.on_codes)}"'] if first == task.instead_of else []
            lines.append(f"  {first} -> {task.id}{' [' + ', '.join(drawn) + ']' if drawn else ''};")
    return "\n".join([*lines, "}"])
