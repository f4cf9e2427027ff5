"""`jada bench`: what the orchestrator itself costs on this machine, each figure beside its floor."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import USAGE, CommandError
from jada_orchestrator.cli.screen import print_json, screen


def bench(
    only: Annotated[
        list[str] | None, typer.Argument(help="Which to measure; all without.", metavar="[NAME]...")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="See only that it works; the figures mean nothing.")] = False,
    runs: Annotated[int, typer.Option("--runs", help="Runs of each, of which the median counts.", min=0)] = 0,
    flame: Annotated[
        Path | None, typer.Option("--flame", help="Also write a profile here, and its text beside it.", dir_okay=False)
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the stores are made: the disk that counts.", file_okay=False)
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="Also write the table as a page.", dir_okay=False)
    ] = None,
    to_json: Annotated[Path | None, typer.Option("--output", help="Also write JSON to a file.", dir_okay=False)] = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure, show one table, and write what is asked for."""
    from contextlib import ExitStack
    from dataclasses import replace

    import uvloop

    from jada_orchestrator.bench import host, suite, table
    from jada_orchestrator.bench.figures import Figure

    names = only or list(suite.MEASURES)
    unknown = [name for name in names if name not in suite.MEASURES]
    if unknown:
        raise CommandError(
            f"there is no benchmark {', '.join(unknown)}",
            hint=f"There are: {', '.join(suite.MEASURES)}.",
            status=USAGE,
        )
    size = suite.QUICK if quick else suite.FULL
    size = replace(size, runs=runs) if runs else size
    machine = host.machine()

    async def measured(parent: Path) -> list[Figure]:
        figures: list[Figure] = []
        async for name, found in suite.measure(parent, size, names):
            figures += found
            if not as_json:
                screen().print(f"{name}: {'; '.join(f'{each.value:,.4g} {each.unit}' for each in found)}", style="dim")
        return figures

    with tempfile.TemporaryDirectory(prefix="jada-bench-", dir=folder) as parent, ExitStack() as stack:
        if flame is not None:
            stack.enter_context(host.Profile(flame))
        figures = uvloop.run(measured(Path(parent)))
    told = table.as_json(figures, machine)
    if as_json:
        print_json(told)
    else:
        screen().print(table.as_table(figures))
        screen().print("; ".join(f"{name} {value}" for name, value in machine.items()), style="dim")
    if to_json is not None:
        to_json.write_text(json.dumps(told, indent=2) + "\n", "utf-8")
    if markdown is not None:
        at = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
        markdown.write_text(table.as_markdown(figures, machine, at), "utf-8")
