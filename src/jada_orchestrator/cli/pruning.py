"""`jada prune`: retiring by hand what ended long ago."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import now_ms
from jada_orchestrator.cli.failing import FAILED, UNREACHABLE, USAGE, CommandError
from jada_orchestrator.cli.operating import SocketOption
from jada_orchestrator.cli.screen import print_error, print_json, screen
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.ports.journal import Stored
from jada_orchestrator.service import pruning
from jada_orchestrator.service.ledger import DAY_MS
from jada_orchestrator.service.settings import Settings

ASK_TIMEOUT_S = 5.0


def prune(
    context: typer.Context,
    older_than: Annotated[
        float | None,
        typer.Option(
            "--older-than", min=0, metavar="DAYS", help="Ended longer ago than this; else the setting retention_days."
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only, and change nothing.")] = False,
    socket: SocketOption = None,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Retire what ended long ago: its records are deleted, and one stands for them. A running daemon goes on.

    What needs or needed a person, or was set aside, is kept whole.
    """
    settings = options.loaded(context, store=store).settings
    days = settings.retention_days if older_than is None else older_than
    if not days and older_than is None:
        raise CommandError(
            "retention_days is 0: everything is kept", hint="Name an age: jada prune --older-than 90", status=USAGE
        )
    before = UtcMs(now_ms() - round(days * DAY_MS))
    if dry_run:
        found = asyncio.run(pruning.retirable(settings, before))
        _tell(before, {"bookings": found.workflows, "records": found.records}, dry_run=True, as_json=as_json)
        return
    done = asyncio.run(_prune(context, settings, before, socket, as_json=as_json))
    _tell(
        before, {"bookings": done.bookings, "records": done.records, "left": done.left}, dry_run=False, as_json=as_json
    )
    if done.left:
        raise CommandError(
            f"{done.left} bookings that ended before that are whole still",
            hint="Something came for them just now, or an instance of an older version lives (`jada instances`), which "
            "could not read what stays. The log of the daemon says more.",
            status=FAILED,
        )


async def _prune(
    context: typer.Context, settings: Settings, before: UtcMs, socket: Path | None, *, as_json: bool
) -> pruning.Pruned:
    from jada_orchestrator.service.control_socket import DaemonUnreachableError, ask_daemon, daemon_socket

    async def ask(instant: UtcMs) -> None:
        path = socket or daemon_socket(lambda: options.loaded(context).settings)
        try:
            answer = await ask_daemon(path, "prune", timeout_s=ASK_TIMEOUT_S, more={"before": instant})
        except DaemonUnreachableError as error:
            raise CommandError(f"a daemon has the store, and is to be asked: {error}", status=UNREACHABLE) from error
        if not answer["ok"]:
            raise CommandError("; ".join(fault["message"] for fault in answer["faults"]), status=FAILED)

    def told(count: int) -> None:
        if not as_json:
            print_error(f"retired {count:,} bookings")

    def unreadable(stored: Stored, why: str) -> None:
        print_error(f"{stored.workflow_id} cannot be read, and is left as it is: {why.strip().splitlines()[-1]}")

    return await pruning.prune(settings, before, now_ms(), ask=ask, told=told, unreadable=unreadable)


def _tell(before: UtcMs, counts: dict[str, int], *, dry_run: bool, as_json: bool) -> None:
    instant = format_instant(before)
    if as_json:
        print_json({"before": instant, "dry_run": dry_run, **counts})
        return
    which = f"{counts['bookings']:,} bookings that ended before {instant}"
    said = (
        f"{which} would be retired, and their {counts['records']:,} records deleted but for one each."
        if dry_run
        else f"{which} were retired, and their {counts['records']:,} records deleted but for one each."
    )
    screen().print(said, markup=False)
