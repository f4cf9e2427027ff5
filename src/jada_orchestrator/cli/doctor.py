"""`jada doctor`: says whether this host will work."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import FAILED
from jada_orchestrator.cli.screen import print_json, screen

if TYPE_CHECKING:
    from jada_orchestrator.service.doctor.findings import Finding

_MARKS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "failure": ("failure", "bold red")}


def doctor(
    context: typer.Context,
    host: Annotated[
        str, typer.Option("--host", help="Ask AWS for this instance: a Lightsail name or i-...", metavar="NAME")
    ] = "",
    ssh: Annotated[str, typer.Option("--ssh", help="Ask another host's systemd, too.", metavar="USER@HOST")] = "",
    as_json: options.AsJson = False,
) -> None:
    """Look at everything that the daemon needs, and change nothing; status 1 when something will not work."""
    from jada_orchestrator.service.doctor.examination import Wishes, examine

    findings = asyncio.run(examine(lambda: options.loaded(context), Wishes(host, ssh)))
    counts = Counter(finding.verdict for finding in findings)
    if as_json:
        print_json(
            {
                "well": not counts["failure"],
                "counts": {verdict: counts[verdict] for verdict in ("ok", "warning", "failure")},
                "findings": [finding.to_json() for finding in findings],
            }
        )
    else:
        _show(findings)
        screen().print(f"\n{counts['ok']} ok, {counts['warning']} warnings, {counts['failure']} failures")
    if counts["failure"]:
        raise typer.Exit(FAILED)


def _show(findings: list[Finding]) -> None:
    console = screen()
    for finding in findings:
        mark, style = _MARKS[finding.verdict]
        line = Text(f"{mark:8}", style).append(f"{finding.area:10}", "dim").append(finding.message, "default")
        console.print(line)
        if finding.remedy:
            console.print(Text(f"{'':18}-> {finding.remedy}", "cyan"))
