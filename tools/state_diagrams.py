"""Draws the state machines of `engine.transitions` for `docs/states/`.

Two forms of the same tables: a matrix as SVG, in which no arrow can hide another (row: from, column: to, cell: because
of which records), and a graph in Mermaid's text, which code hosts draw by themselves. In the graph, a group of states
that all have the same arrow is one state around them. Nothing but the standard library is needed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from jada_orchestrator.domain.workflow import FINAL_PHASES, TERMINAL, Phase, Status
from jada_orchestrator.engine.transitions import CALL_ARROWS, WORKFLOW_ARROWS, Arrow

FOLDER: Final = "docs/states"
_LINE: Final = 15
_PAD: Final = 8
_CHAR: Final = 6.3
"""Width of a letter in the cells, in pixels; the font is monospaced."""
_HEAD: Final = 34
_NOTE: Final = "Row: from; column: to; cell: the records that move it. Orange: final."
_STYLE: Final = (
    "text{font:10.5px ui-monospace,Menlo,Consolas,monospace;fill:#1f2933}"
    ".head{font-weight:700}.end{fill:#7a2e0e}.title{font:700 15px system-ui,sans-serif}"
    ".note{font:12px system-ui,sans-serif;fill:#52606d}"
    "rect{stroke:#cbd2d9;fill:#fff}.is{fill:#e3f0fb}.name{fill:#f1f4f7}.final{fill:#fdeee3}.same{fill:#e9ecef}"
)


def state_files() -> dict[str, str]:
    """Return the text of every file under `docs/states`, by path from the root of the checkout."""
    phases, statuses = [phase.value for phase in Phase], [status.value for status in Status]
    final = {phase.value for phase in FINAL_PHASES}
    terminal = {status.value for status in TERMINAL}
    call = _matrix("A call: doing a task, or undoing it", phases, final, CALL_ARROWS)
    workflow = _matrix("A workflow: one request", statuses, terminal, WORKFLOW_ARROWS)
    return {
        f"{FOLDER}/call.svg": call,
        f"{FOLDER}/workflow.svg": workflow,
        f"{FOLDER}/README.md": _readme(phases, final, statuses, terminal),
    }


# --- The matrix ----------------------------------------------------------------------------------------------------


def _matrix(title: str, states: Sequence[str], final: set[str], arrows: Iterable[Arrow]) -> str:
    cells: dict[tuple[str, str], list[str]] = {}
    for arrow in sorted(arrows):
        cells.setdefault((arrow.source, arrow.target), []).append(arrow.record)
    rows = [state for state in states if any(source == state for source, _ in cells)]
    columns = [state for state in states if any(target == state for _, target in cells)]
    widths = [_width([column, *(word for row in rows for word in cells.get((row, column), ()))]) for column in columns]
    heights = [
        max(2 * _PAD + _LINE * max(len(cells.get((row, column), ())) for column in columns), _HEAD) for row in rows
    ]
    left, top = _width([*rows, "from \\ to"]), 2 * _HEAD + 18
    parts = [
        f'<text class="title" x="{_PAD}" y="22">{escape(title)}</text>',
        f'<text class="note" x="{_PAD}" y="42">{_NOTE}</text>',
        *_box(0, top - _HEAD, left, _HEAD, ["from \\ to"], "name", "head"),
    ]
    x = left
    for column, width in zip(columns, widths, strict=True):
        style, ink = ("final", "head end") if column in final else ("name", "head")
        parts += _box(x, top - _HEAD, width, _HEAD, [column], style, ink)
        x += width
    y = top
    for row, height in zip(rows, heights, strict=True):
        style, ink = ("final", "head end") if row in final else ("name", "head")
        parts += _box(0, y, left, height, [row], style, ink)
        x = left
        for column, width in zip(columns, widths, strict=True):
            records = cells.get((row, column), [])
            parts += _box(x, y, width, height, records, "is" if records else "same" if row == column else "", "")
            x += width
        y += height
    size = f'width="{x + 1}" height="{y + 1}" viewBox="-0.5 -0.5 {x + 1} {y + 1}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">\n'
        f"<style>{_STYLE}</style>\n"
        f'<rect x="0" y="0" width="{x}" height="{y}" style="stroke:none"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _width(words: Iterable[str]) -> int:
    return round(max(len(word) for word in words) * _CHAR) + 2 * _PAD


def _box(x: int, y: int, width: int, height: int, lines: Sequence[str], style: str, ink: str) -> Iterable[str]:
    yield f'<rect class="{style}" x="{x}" y="{y}" width="{width}" height="{height}"/>'
    first = y + (height - _LINE * len(lines)) / 2 + 11
    for number, line in enumerate(lines):
        yield f'<text class="{ink}" x="{x + _PAD}" y="{first + number * _LINE:g}">{escape(line)}</text>'


# --- The graph -----------------------------------------------------------------------------------------------------


def _readme(phases: Sequence[str], final: set[str], statuses: Sequence[str], terminal: set[str]) -> str:
    open_phases = [state for state in phases if state not in final and state != Phase.WAITING.value]
    groups = {"under_way": open_phases, "over": [state for state in phases if state in final]}
    return "\n".join(
        [
            "# The two state machines",
            "",
            "Generated from `src/jada_orchestrator/engine/transitions.py` by `make docs`; a property test holds every",
            "move that the engine makes against the same tables. An arrow names the record that moves the state.",
            "",
            "## A workflow",
            "",
            "![From which status to which, because of which record](workflow.svg)",
            "",
            *_graph(statuses, terminal, WORKFLOW_ARROWS, {}),
            "",
            "## A call",
            "",
            "A task has two: the one that does it, and the one that undoes it. `predecessors done` is no record of its",
            "own: it happens with the record that ends the last predecessor.",
            "",
            "![From which phase to which, because of which record](call.svg)",
            "",
            *_graph(phases, final, CALL_ARROWS, groups),
            "",
        ]
    )


def _graph(
    states: Sequence[str], final: set[str], arrows: Iterable[Arrow], groups: dict[str, list[str]]
) -> Iterable[str]:
    """Yield a Mermaid state diagram; arrows that a whole group has are drawn once, from the group."""
    left = set(arrows)
    labels: dict[tuple[str, str], list[str]] = {}
    for name, members in groups.items():
        for record, target in sorted({(arrow.record, arrow.target) for arrow in left}):
            whole = {Arrow(member, record, target) for member in members}
            if whole <= left:
                left -= whole
                labels.setdefault((name, target), []).append(record)
    for arrow in sorted(left):
        labels.setdefault((arrow.source, arrow.target), []).append(arrow.record)
    yield "```mermaid"
    yield "stateDiagram-v2"
    for name, members in groups.items():
        yield f"    state {name} {{"
        yield from (f"        {member}" for member in members)
        yield "    }"
    yield f"    [*] --> {states[0]}"
    for (source, target), records in labels.items():
        yield f"    {source} --> {target}: {', '.join(records)}"
    yield from (f"    {state} --> [*]" for state in states if state in final)
    yield "```"
