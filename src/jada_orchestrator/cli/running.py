"""`jada run`: the daemon."""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from jada_orchestrator.cli import options
from jada_orchestrator.service.settings_tiers import LoadedSettings

_SWITCH_INTERVAL_S: Final = 20e-6
"""How long a thread may keep the interpreter while others want it (benchmarks/journal_floor.py shows why)."""
_COLLECT_EVERY: Final = (100_000, 50, 1_000)
"""Objects before the collector looks, and how seldom it looks at the old ones: hardly anything here is in a cycle."""


def run(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="The model that plans.")] = None,
    store: options.Store = None,
    catalogue: Annotated[Path | None, typer.Option(help="The folder of the agents.", metavar="FOLDER")] = None,
    log: Annotated[str | None, typer.Option(help="auto, console, json or journal.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP takes new settings and agents."""
    import uvloop

    from jada_orchestrator.service.daemon import run_daemon

    def load() -> LoadedSettings:
        return options.loaded(context, model=model, store=store, catalogue=catalogue, log=log, log_level=log_level)

    first = load()
    # The journal's writer is a thread. With Python's default of 5 ms it may starve for seconds beside a busy loop.
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.set_threshold(*_COLLECT_EVERY)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(run_daemon(first, load))
    if status:
        raise typer.Exit(status)
