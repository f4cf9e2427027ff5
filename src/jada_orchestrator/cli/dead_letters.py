"""`jada dlq`: look into the dead-letter queue, and have letters tried again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.controlling import whoami
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import harmless, print_json, screen
from jada_orchestrator.domain.instants import format_duration
from jada_orchestrator.service import dead_letters
from jada_orchestrator.service.dead_letters import Letter, Look, Redriven
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.store_access import store_reader

_REASON_CHARS = 80
_LETTER_CHARS = 13
"""Enough of a letter's id to name it by; `--json` has the whole."""
_REQUEST_CHARS = 24
"""A request id may be of 128 characters, and that of a letter anything: it must not push the reason off the screen."""

dlq = typer.Typer(
    help=options.taught(
        "Look into the dead-letter queue, and have letters tried again.",
        "jada dlq list",
        "jada dlq show web-7f3c2a",
        "jada dlq redrive --reason PLANNER_UNAVAILABLE --dry-run",
    ),
    no_args_is_help=True,
)

_Limit = Annotated[
    int, typer.Option(min=1, max=dead_letters.LETTERS_MAX, help="Look at most at so many letters.", metavar="N")
]
_Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Only letters with this reason code; may be repeated.")
]
_Ref = Annotated[str, typer.Argument(help="A letter id, a request id, or the beginning of either.", metavar="ID")]


@dlq.command("list")
def list_letters(
    context: typer.Context, reason: _Reasons = None, limit: _Limit = 100, as_json: options.AsJson = False
) -> None:
    """List what could not be accepted or planned; every letter stays where it is."""
    settings = options.loaded(context).settings

    look = asyncio.run(_look(settings, limit))
    letters = _matching(look, reason)
    if as_json:
        told = [letter.to_json() for letter in letters]
        print_json({"queue": settings.dead_letter_queue, "letters": told, "partial": look.partial or None})
        return
    console = screen()
    console.print(_table(letters) if letters else Text(f"No letters on {settings.dead_letter_queue}."))
    _tell_of(look)


@dlq.command("show")
def show_letter(context: typer.Context, ref: _Ref, limit: _Limit = 1_000, as_json: options.AsJson = False) -> None:
    """Show one letter whole: why it is there, its attributes and its body; it stays where it is."""
    settings = options.loaded(context).settings
    look = asyncio.run(_look(settings, limit))
    letter = _one(look, ref, settings)
    if as_json:
        print_json(letter.to_json(whole=True))
        return
    console = screen()
    console.print(_table([letter]))
    if letter.reason:
        console.print(Text(harmless(letter.reason), "yellow"))
    for name, value in letter.original.attributes.items():
        console.print(Text(harmless(f"{name}: {value}"), "dim"), soft_wrap=True)
    console.print(Text(harmless(_readable(letter.original.body))), soft_wrap=True)


@dlq.command("redrive")
def redrive(
    context: typer.Context,
    ref: Annotated[str | None, typer.Argument(help="A letter id or request id, or its beginning.", metavar="[ID]")] = (
        None
    ),
    *,
    every: Annotated[bool, typer.Option("--all", help="Every letter.")] = False,
    reason: _Reasons = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    as_it_came: Annotated[
        bool, typer.Option("--as-it-came", help="Send each message as it came, without asking the store.")
    ] = False,
    limit: _Limit = 1_000,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Have letters tried again: each is sent first and deleted then; a failed booking is asked for by `retry`."""
    if (ref is not None) + every + bool(reason) != 1:
        hint = "jada dlq redrive ID, or --all, or --reason CODE"
        raise CommandError("say which letters: one, all, or those of a reason", hint=hint, status=USAGE)
    settings = options.loaded(context, store=store).settings
    tell = None if as_json else _teller(dry_run=dry_run)
    look, ends = asyncio.run(_redrive(settings, ref, reason, limit, tell, dry_run=dry_run, as_it_came=as_it_came))
    moved = sum(end.deleted for end in ends)
    if as_json:
        told = [end.to_json() for end in ends]
        partial = look.partial or None
        print_json({"queue": settings.request_queue, "dry_run": dry_run, "letters": told, "partial": partial})
    else:
        if not dry_run:
            told_of = f"{moved} moved from {settings.dead_letter_queue} to {settings.request_queue}"
            screen().print(f"{told_of}, {len(ends) - moved} left.", markup=False)
        _tell_of(look)
    if any(end.trouble for end in ends):
        raise typer.Exit(FAILED)


async def _look(settings: Settings, limit: int) -> Look:
    """Return what a look saw; everything was given back by then."""
    async with dead_letters.open_dead_letters(settings) as box, dead_letters.looking(box, limit) as look:
        seen = list(look.letters)
    return Look(seen, look.partial, look.still_hidden)


async def _redrive(
    settings: Settings,
    ref: str | None,
    reason: list[str] | None,
    limit: int,
    tell: Callable[[Redriven], None] | None,
    *,
    dry_run: bool,
    as_it_came: bool,
) -> tuple[Look, list[Redriven]]:
    """Redrive what was asked for; `tell` hears of each letter as soon as it is done, in case we are stopped."""
    ends = []
    async with AsyncExitStack() as stack:
        reader = None if as_it_came else await stack.enter_async_context(store_reader(settings))
        box = await stack.enter_async_context(dead_letters.open_dead_letters(settings))
        look = await stack.enter_async_context(dead_letters.looking(box, limit))
        chosen = _matching(look, reason) if ref is None else [_one(look, ref, settings)]
        async for end in dead_letters.redrive(box, look, chosen, reader, by=whoami(), dry_run=dry_run):
            ends.append(end)
            if tell is not None:
                tell(end)
    return look, ends


def _matching(look: Look, reason: list[str] | None) -> list[Letter]:
    return dead_letters.by_code(look.letters, reason) if reason else list(look.letters)


def _one(look: Look, ref: str, settings: Settings) -> Letter:
    found = look.chosen(ref)
    if len(found) == 1:
        return found[0]
    if found:
        lines = "\n".join(f"  {each.letter_id}  {each.request_id}  {each.code}" for each in found)
        raise CommandError(f"{ref!r} fits {len(found)} letters:\n{lines}", hint="Name one by its id.", status=USAGE)
    hint = f"This may not have been all: {look.partial}." if look.partial else "`jada dlq list` shows what is there."
    raise CommandError(f"there is no letter {ref!r} on {settings.dead_letter_queue}", hint=hint, status=FAILED)


def _table(letters: list[Letter]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    codes = [harmless(each.code) or "(moved by the queue)" for each in letters]
    table.add_column("letter", no_wrap=True, overflow="ellipsis", max_width=_LETTER_CHARS)
    table.add_column("reason code", no_wrap=True, min_width=max(map(len, codes)))
    table.add_column("request", no_wrap=True, overflow="ellipsis", max_width=_REQUEST_CHARS)
    table.add_column("age", no_wrap=True)
    table.add_column("reason")  # the one column that breaks into lines: it gives way to all others
    for each, code in zip(letters, codes, strict=True):
        table.add_row(
            Text(each.letter_id, "dim"),
            Text(code, "red"),
            Text(each.request_id or "-", "bold"),
            format_duration(each.delivery.age_ms),
            Text(harmless(" ".join(each.reason.split()))[:_REASON_CHARS], "dim"),
        )
    return table


def _teller(*, dry_run: bool) -> Callable[[Redriven], None]:
    console = screen()
    words = {"send": "sent", "retry": "asked to retry", "leave": "left"}
    if dry_run:
        words = {"send": "would be sent", "retry": "would be asked to retry", "leave": "would be left"}

    def tell(end: Redriven) -> None:
        line = Text(f"{end.letter.letter_id}  ", "dim")
        line.append(f"{end.letter.request_id or '-'}  ", "bold")
        if end.trouble:
            line.append(end.trouble, "red")
        else:
            line.append(
                f"{words[end.fate.how]}: {harmless(end.fate.why)}", "yellow" if end.fate.how == "leave" else "green"
            )
        console.print(line, soft_wrap=True)

    return tell


def _tell_of(look: Look) -> None:
    if look.partial:
        screen().print(Text(f"This may be only a part: {look.partial}.", "yellow"))
    if look.still_hidden:
        screen().print(Text(f"Not all could be given back: {look.still_hidden}.", "yellow"))


def _readable(body: str) -> str:
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body
