"""`jada config`: what is set, where it comes from, and changing it."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import print_error, print_json, screen
from jada_orchestrator.service import settings_editing, settings_tiers

_KEY = Annotated[str, typer.Argument(help="A dotted key, as `jada config show` lists them.", metavar="KEY")]


def show(context: typer.Context, as_json: options.AsJson = False) -> None:
    """Show every setting with its value and the tier that it came from."""
    loaded = options.loaded(context)
    values = settings_editing.values_of(loaded)
    if as_json:
        settings = {
            key: {"value": value, "tier": origin.tier, "source": origin.source}
            for key, (value, origin) in values.items()
        }
        file = None if loaded.file is None else str(loaded.file)
        print_json({"settings": settings, "file": file, "notices": list(loaded.notices)})
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("setting", "value", "tier", "source"):
        table.add_column(column, overflow="fold")
    for key, (value, origin) in values.items():
        style = "dim" if origin.tier == "default" else ""
        table.add_row(Text(key), Text(_plain(value)), Text(origin.tier, style), Text(origin.source, style))
    console = screen()
    console.print(table)
    place = (
        f"The file is {loaded.file}." if loaded.file else f"No file; {settings_tiers.settings_file()} would be read."
    )
    console.print(Text(f"\n{place} Environment: JADA_ and the key in capitals, __ for a dot.", "dim"))
    for notice in loaded.notices:
        print_error(f"[yellow]Note:[/] {escape(notice)}")


def get(context: typer.Context, key: _KEY, as_json: options.AsJson = False) -> None:
    """Print the value of one setting."""
    settings_editing.check_key(key)
    value, origin = settings_editing.values_of(options.loaded(context))[key]
    if as_json:
        print_json({"key": key, "value": value, "tier": origin.tier, "source": origin.source})
    else:
        typer.echo(_plain(value))


def set_(
    context: typer.Context,
    key: _KEY,
    value: Annotated[str, typer.Argument(help="The new value; JSON for lists.", metavar="VALUE")],
    force: Annotated[bool, typer.Option("--force", help="Also a model that no table knows.")] = False,
) -> None:
    """Write one setting into settings.json; everything else in the file stays as it is.

    It takes effect at the daemon's next start or reload (SIGHUP); a running booking keeps the model that it began with.
    """
    if not force:
        _check_models(key, value)
    overall: options.Overall = context.find_root().obj
    path = settings_tiers.settings_file(overall.settings)
    try:
        written = settings_editing.set_value(path, key, value)
    except OSError as error:
        raise CommandError(
            f"{path} cannot be written: {error.strerror}",
            hint="Name another file with JADA_SETTINGS or `jada --settings FILE config set ...`.",
            status=FAILED,
        ) from error
    screen().print(f"{path}: {key} = {json.dumps(written)}", markup=False)
    variable = settings_tiers.variable_of(key)
    if os.environ.get(variable):
        print_error(f"[yellow]Note:[/] {variable} is set as well and wins.")


def _check_models(key: str, value: str) -> None:
    """Refuse slips in the ids of models. Raises: CommandError."""
    if key not in {"model", "models.plan", "models.fallback", "models.cheaper"}:
        return
    from jada_orchestrator.service.wiring import is_known_model

    read = settings_editing.read_value(value)
    names = read if isinstance(read, list) else [part.strip() for part in value.split(",") if part.strip()]
    unknown = [str(name) for name in names if not is_known_model(str(name))]
    if unknown:
        hint = "Correct it; `jada models` and docs/models.md tell which are known. --force writes it all the same."
        raise CommandError(f"no table knows the model {unknown[0]!r}", hint=hint, status=USAGE)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
