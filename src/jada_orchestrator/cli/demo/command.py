"""The command itself: from an empty folder to a summary."""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from jada_orchestrator.cli.demo import scenario, stage, summary
from jada_orchestrator.cli.demo.progress import Progress
from jada_orchestrator.cli.failing import FAILED, CommandError
from jada_orchestrator.cli.screen import print_error, screen
from jada_orchestrator.sandbox.booth import Sandbox
from jada_orchestrator.sandbox.inventory.audit import audit
from jada_orchestrator.service.settings_tiers import load_settings
from jada_orchestrator.service.store_access import store_reader

_PATIENCE_S: Final = 90.0
"""The bookings end within a quarter of this; on a machine so slow that they do not, something else is wrong."""


def demo(state: Path | None, *, real_model: bool) -> None:
    """Run the demo in an empty folder, or in a temporary one. Raises: CommandError, and typer.Exit with status 1."""
    today = datetime.now(UTC).date()
    folder = state or Path(tempfile.mkdtemp(prefix="jada-demo-"))
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise CommandError(f"{folder} is not empty", hint="Name a new folder, or leave --state out.", status=FAILED)
    found = asyncio.run(_play(folder.absolute(), today, real_model=real_model))
    for sentence in found:
        print_error(f"[bold red]Not as expected:[/] {sentence}")
    if found:
        raise typer.Exit(FAILED)


async def _play(folder: Path, today: date, *, real_model: bool) -> list[str]:
    console = screen()
    acts = scenario.acts(today)
    began = time.monotonic()
    console.print("Starting local stand-ins and the daemon ...", style="dim")
    async with stage.staged(folder, today, real_model=real_model) as sandbox:
        assert sandbox.aws is not None
        for sentence in sandbox.stand_ins:
            console.print(Text(f"  - {sentence}", "dim"), soft_wrap=True)
        console.print(f"{len(acts)} requests go on the queue at once.", style="dim")
        settings = load_settings({"store": sandbox.store}).settings
        async with store_reader(settings) as reader:
            progress = Progress(reader, acts, console)
            await stage.submit_all(sandbox, acts)
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    guard = asyncio.create_task(stage.daemon_died(sandbox.aws))
                    await stage.until_first(asyncio.create_task(progress.follow()), guard)
            except TimeoutError:
                console.print(f"Not everything has ended after {_PATIENCE_S:.0f} s.", style="bold red")
        status = await stage.stop_daemon(sandbox.aws)
    found = scenario.surprises(acts, progress.seen)
    if status:
        found.append(f"the daemon ended with status {status}; its log is {folder / 'aws' / 'daemon.log'}")
    summary.trees(console, acts, progress.seen)
    summary.outcomes(console, acts, progress.seen)
    summary.undone(console, progress.seen)
    statuses = {request_id: one.workflow.status.value for request_id, one in progress.seen.items()}
    if not summary.books(console, audit(sandbox.inventory), statuses):
        found.append("the books are not in order")
    _look_closer(console, sandbox, time.monotonic() - began)
    return found


def _look_closer(console: Console, sandbox: Sandbox, took_s: float) -> None:
    console.print(Text("\nLook closer", "bold"))
    for line in (
        f"  export JADA_STORE={sandbox.store} JADA_SANDBOX_INVENTORY={sandbox.inventory}",
        "  jada why demo-undone            the story of the booking that was undone",
        "  jada why demo-lost              how a lost answer was settled",
        "  jada show demo-tour --json      everything, for programs",
        "  jada sandbox books              what the agents really did",
        "  jada sandbox                    the same surroundings, for your own requests",
    ):
        console.print(line, markup=False, soft_wrap=True)
    console.print(Text(f"\nThe whole took {took_s:.0f} s. Everything is in {sandbox.state}.", "dim"), soft_wrap=True)
