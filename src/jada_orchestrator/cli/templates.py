"""`jada templates`: the skeletons of plans that are used where no model can be asked."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.failing import CommandError
from jada_orchestrator.cli.operating import SocketOption, ask_about_template
from jada_orchestrator.cli.options import taught
from jada_orchestrator.cli.screen import print_json, screen
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import format_instant
from jada_orchestrator.domain.template import Template

templates = typer.Typer(
    help=taught("The skeletons of plans that are used where no model can be asked.", "jada templates list"),
    no_args_is_help=True,
)
_Key = Annotated[str, typer.Argument(help="A template's key, or a prefix that fits one only.", metavar="KEY")]


@templates.command("list", help=taught("List the templates.", "jada templates list"))
def list_templates(context: typer.Context, store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List the templates: which requests each is for, and whether it is pinned."""
    templates = _all(context, store)
    if as_json:
        print_json([_brief(template) for template in templates])
        return
    if not templates:
        screen().print("No templates yet: a booking without a text that completes teaches one.", markup=False)
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("key", "catalogue", "learnt", "tasks", "for requests that give"):
        table.add_column(Text(name, "dim"))
    for each in templates:
        key = Text(each.key).append(" pinned", "green") if each.pinned else Text(each.key)
        tasks = str(len(json.loads(each.proposal)["tasks"]))
        row = (each.catalogue_version, format_instant(each.learnt_at), tasks, ", ".join(sorted(each.shape)))
        table.add_row(key, *map(Text, row))
    screen().print(table)


@templates.command("show", help=taught("Show one template.", "jada templates show 3f9a"))
def show_template(
    context: typer.Context, key: _Key, store: options.Store = None, as_json: options.AsJson = False
) -> None:
    """Show one template: the shape of its requests, and the skeleton of its plan."""
    template = _one(_all(context, store), key)
    shown = {**_brief(template), "reads": list(template.reads), "proposal": json.loads(template.proposal)}
    if as_json:
        print_json(shown)
    else:
        screen().print_json(json.dumps(shown), indent=2)


@templates.command(
    "pin",
    help=taught(
        "Use a template for every request of its shape, without asking a model.",
        "jada templates pin 3f9a",
        "jada templates pin 3f9a --undo",
    ),
)
def pin_template(
    context: typer.Context,
    key: _Key,
    undo: Annotated[bool, typer.Option("--undo", help="Let it be as any other again.")] = False,
    store: options.Store = None,
    socket: SocketOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Have the running daemon use a template for every request of its shape, without asking a model."""
    _act(context, "unpin" if undo else "pin", _one(_all(context, store), key).key, socket, as_json=as_json)


@templates.command("forget", help=taught("Let a template go.", "jada templates forget 3f9a"))
def forget_template(
    context: typer.Context,
    key: _Key,
    store: options.Store = None,
    socket: SocketOption = None,
    as_json: options.AsJson = False,
) -> None:
    """Have the running daemon forget a template; the next booking of its shape that completes teaches it anew."""
    _act(context, "forget", _one(_all(context, store), key).key, socket, as_json=as_json)


def _act(context: typer.Context, act: str, key: str, socket: SocketOption, *, as_json: bool) -> None:
    answer = ask_about_template(context, socket, act, key)
    if as_json:
        print_json(answer)
    if not answer["ok"]:
        raise CommandError("; ".join(fault["message"] for fault in answer["faults"]))
    if not as_json:
        done = {"pin": "is pinned", "unpin": "is as any other again", "forget": "is forgotten"}[act]
        screen().print(f"Template {key} {done}.", markup=False)


def _all(context: typer.Context, store: str | None) -> list[Template]:
    return options.with_store(context, store, lambda reader: reader.templates())


def _one(templates: list[Template], key: str) -> Template:
    found = [each for each in templates if each.key.startswith(key)]
    if len(found) != 1:
        problem = "there is no template" if not found else f"{len(found)} templates have keys that begin with"
        raise CommandError(f"{problem} {key}", hint="`jada templates list` has all of them.")
    return found[0]


def _brief(template: Template) -> JsonObject:
    return {
        "key": template.key,
        "catalogue_version": template.catalogue_version,
        "shape": template.shape,
        "learnt_at": format_instant(template.learnt_at),
        "pinned": template.pinned,
    }
