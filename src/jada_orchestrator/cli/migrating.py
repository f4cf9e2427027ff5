"""`jada migrate`: a journal from one store to another."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import Annotated

import typer

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import print_error, print_json, screen
from jada_orchestrator.service.moving import MoveFailedError, move

_SOURCE = Annotated[str, typer.Argument(help="Where the journal is now.", metavar="FROM")]
_TARGET = Annotated[str, typer.Argument(help="Where it is to be; nothing there is overwritten.", metavar="TO")]


def migrate(source: _SOURCE, target: _TARGET, as_json: options.AsJson = False) -> None:
    """Copy a journal into another store, and compare every record; no daemon may work on either meanwhile.

    Broken off, it is simply begun again: what is there already is not written twice. The source is left as it is.
    """

    def told(what: str, count: int) -> None:
        if not as_json:
            print_error(f"{what} {count} bookings")

    try:
        moved = asyncio.run(move(source, target, told))
    except ValueError as error:
        raise CommandError(
            str(error), hint="jada migrate sqlite:///path/journal.db postgresql://...", status=USAGE
        ) from error
    except MoveFailedError as error:
        raise CommandError(
            str(error), hint="The source is untouched: keep using it, and report this.", status=FAILED
        ) from error
    if as_json:
        print_json(asdict(moved))
        return
    screen().print(
        f"{moved.workflows} bookings ({moved.unfinished} under way) with {moved.records} records and "
        f"{moved.templates} templates are in both stores, record for record. "
        "Set JADA_STORE to the new one, and start the daemons.",
        markup=False,
    )
