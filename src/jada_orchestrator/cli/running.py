"""`jada run`: the daemon."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jada_orchestrator.cli import options
from jada_orchestrator.service.settings_tiers import LoadedSettings


def run(
    context: typer.Context,
    model: Annotated[str | None, typer.Option(help="The model that plans.")] = None,
    store: options.Store = None,
    catalogue: Annotated[Path | None, typer.Option(help="The folder of the agents.", metavar="FOLDER")] = None,
    log: Annotated[str | None, typer.Option(help="auto, console, json or journal.")] = None,
    log_level: Annotated[str | None, typer.Option(help="debug, info, warning or error.")] = None,
) -> None:
    """Run the daemon until SIGTERM or Ctrl-C; SIGHUP takes new settings and agents."""
    from jada_orchestrator.service.interpreter import tune_interpreter

    tune_interpreter()  # first of all: half of what is imported now is looked through for garbage otherwise
    import uvloop

    from jada_orchestrator.service.daemon import run_daemon

    def load() -> LoadedSettings:
        return options.loaded(context, model=model, store=store, catalogue=catalogue, log=log, log_level=log_level)

    first = load()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        status = runner.run(run_daemon(first, load))
    if status:
        raise typer.Exit(status)
