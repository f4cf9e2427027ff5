"""`jada config` alone: settings by number, for people at a terminal."""

from __future__ import annotations

import json
import sys

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import configuring, options
from jada_orchestrator.cli.failing import CommandError, report
from jada_orchestrator.cli.screen import screen
from jada_orchestrator.service import settings_editing
from jada_orchestrator.service.settings_tiers import SettingsMistakesError


def menu(context: typer.Context) -> None:
    """Show what may be set, and set what is chosen; without a terminal, the help."""
    if context.invoked_subcommand is not None:
        return
    if not sys.stdin.isatty():
        typer.echo(context.get_help())
        return
    while choose(context):
        pass


def choose(context: typer.Context) -> bool:
    """Show the settings once and change one; return False when nothing more is wanted."""
    values = settings_editing.values_of(options.loaded(context))
    keys = list(values)
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("", "setting", "value", "from"):
        table.add_column(column, overflow="fold")
    for number, key in enumerate(keys, start=1):
        value, origin = values[key]
        shown = value if isinstance(value, str) else json.dumps(value)
        style = "dim" if origin.tier == "default" else "bold"
        table.add_row(str(number), Text(key, style), Text(shown, style), Text(origin.tier, "dim"))
    screen().print(table)
    typed: str = typer.prompt("Number or name of a setting (empty: done)", default="", show_default=False)
    chosen = _key(typed, keys)
    if chosen is None:
        return False
    wanted: str = typer.prompt(f"New value of {chosen} (empty: leave it)", default="", show_default=False)
    if wanted:
        try:
            configuring.set_(context, chosen, wanted)
        except (SettingsMistakesError, CommandError) as error:
            report(error)  # a slip does not end the menu
    return True


def _key(typed: str, keys: list[str]) -> str | None:
    """Return the setting that was meant; None when nothing was."""
    text = typed.strip()
    if not text:
        return None
    if text.isdigit() and 1 <= int(text) <= len(keys):
        return keys[int(text) - 1]
    return text
