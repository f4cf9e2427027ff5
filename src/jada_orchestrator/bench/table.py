"""The figures as a table for people, as JSON for programs, and as docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from jada_orchestrator.bench.figures import Figure

_HOW: Final = """\
Made by `make bench` (`jada bench --markdown docs/benchmarks.md`); do not edit. Each figure stands beside a floor that
was measured in the same run, between its own runs; both are medians. Ratios are what to compare: absolute figures
differ between machines. "CPU" is processor time of the whole process, its threads included, for one task, call or
booking; where a machine is shared with others it is the steadier measure.
"""


def as_table(figures: Sequence[Figure]) -> Table:
    """Return the table for a terminal."""
    table = Table(title="What it costs", show_lines=False)
    for column in ("measure", "value", "floor", "ratio", "CPU us", "CPU ratio", "target", ""):
        table.add_column(column, justify="left" if column == "measure" else "right")
    for figure in figures:
        verdict = {None: Text(""), True: Text("holds", "green"), False: Text("missed", "bold red")}[figure.holds]
        table.add_row(
            Text(figure.measure).append(f"\n  {figure.floor_name}" if figure.floor_name else "", "dim"),
            *_cells(figure),
            verdict,
        )
    return table


def _cells(figure: Figure) -> list[str]:
    return [
        f"{_number(figure.value)} {figure.unit}",
        "" if figure.floor is None else f"{_number(figure.floor)} {figure.unit}",
        "" if figure.ratio is None else f"{figure.ratio:.2f}",
        ""
        if figure.cpu_us is None
        else _number(figure.cpu_us) + ("" if figure.floor_cpu_us is None else f" / {_number(figure.floor_cpu_us)}"),
        "" if figure.cpu_ratio is None else f"{figure.cpu_ratio:.2f}",
        "" if figure.target is None else ("≥ " if figure.better == "more" else "≤ ") + f"{figure.target:g}",
    ]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def as_json(figures: Sequence[Figure], machine: Mapping[str, str]) -> dict[str, Any]:
    """Return everything, ratios and verdicts included."""
    return {
        "machine": dict(machine),
        "figures": [
            {
                **{name: getattr(figure, name) for name in figure.__dataclass_fields__},
                "ratio": figure.ratio,
                "cpu_ratio": figure.cpu_ratio,
                "holds": figure.holds,
            }
            for figure in figures
        ],
    }


def as_markdown(figures: Sequence[Figure], machine: Mapping[str, str], at: str) -> str:
    """Return docs/benchmarks.md."""
    lines = ["# What it costs", "", _HOW, f"Measured {at}:", ""]
    lines += [f"- {name}: {value}" for name, value in machine.items()]
    lines += ["", "| measure | value | floor | ratio | CPU us / floor's | CPU ratio | target | |"]
    lines += ["|---|--:|--:|--:|--:|--:|--:|---|"]
    verdicts = {None: "", True: "holds", False: "**missed**"}
    for figure in figures:
        floor = f" ({figure.floor_name})" if figure.floor_name else ""
        lines.append(f"| {figure.measure}{floor} | {' | '.join(_cells(figure))} | {verdicts[figure.holds]} |")
    lines += ["", "## What limits each row", ""]
    lines += [f"- **{figure.measure}** ({figure.runs} runs): {figure.limited_by}." for figure in figures]
    return "\n".join(lines) + "\n"
