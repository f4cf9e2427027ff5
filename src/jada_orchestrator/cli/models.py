"""`jada models`: which model everybody uses in truth, and changing one where the truth is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import now_ms
from jada_orchestrator.cli.failing import FAILED, USAGE, CommandError
from jada_orchestrator.cli.screen import print_json, screen
from jada_orchestrator.service import models as service
from jada_orchestrator.service.dry_run import catalogue_of
from jada_orchestrator.service.refusals import configuration_checked
from jada_orchestrator.service.settings import Settings

models = typer.Typer(
    help=options.taught(
        "Show which model the orchestrator and every agent use in truth, and where that is written.",
        "jada models --strict",
        "jada models set flights claude-sonnet-5-5",
    ),
    invoke_without_command=True,
)
T = TypeVar("T")
_OFFLINE = Annotated[bool, typer.Option("--offline", help="Do not ask AWS: only catalogue and files.")]
_CATALOGUE = Annotated[str | None, typer.Option(help="Use the agents in this folder.", metavar="FOLDER")]
_FILES = Annotated[str, typer.Option("--lambda-files", help="The config.json files of Lambda functions.")]


@models.callback()
def show(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 when anything is flagged.")] = False,
    offline: _OFFLINE = False,
    lambda_files: _FILES = service.LAMBDA_FILES,
    catalogue: _CATALOGUE = None,
    as_json: options.AsJson = False,
) -> None:
    """Show which model the orchestrator and every agent use in truth, and where that is written."""
    if context.invoked_subcommand is not None:
        return
    settings = options.loaded(context, catalogue=catalogue).settings
    agents = catalogue_of(settings)

    async def ask(places: service.Places | None) -> list[service.AgentModel]:
        return await service.survey(settings, agents, places, now_ms(), lambda_files=lambda_files)

    found = _with_places(ask, offline=offline)
    if as_json:
        print_json([each.to_json() for each in found])
    else:
        _draw(found)
    if strict and any(each.flags for each in found):
        raise typer.Exit(FAILED)


@models.command("set")
def set_(
    context: typer.Context,
    agent: Annotated[str, typer.Argument(help="An agent of the catalogue, or `orchestrator`.")],
    model: Annotated[str, typer.Argument(help="The model's id.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before writing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also a model that no table knows.")] = False,
    catalogue: _CATALOGUE = None,
) -> None:
    """Write an agent's model where the catalogue says that the truth is, after showing the change."""
    from jada_orchestrator.service.wiring import is_known_model

    if not force and not is_known_model(model):
        raise CommandError(f"no table knows the model {model!r}", hint="Correct it, or add --force.", status=USAGE)
    if agent == service.ORCHESTRATOR:
        from jada_orchestrator.cli.configuring import set_ as set_setting

        set_setting(context, "model", model, force=force)
        return
    settings = options.loaded(context, catalogue=catalogue).settings
    agents = catalogue_of(settings)
    needs_aws = any(each.name == agent and each.model.kind == "ssm" for each in agents.agents.values())

    async def change(places: service.Places | None) -> bool:
        return await _change(settings, places, agent, model, yes=yes)

    if not _with_places(change, offline=not needs_aws):
        raise typer.Exit(FAILED)


async def _change(settings: Settings, places: service.Places | None, agent: str, model: str, *, yes: bool) -> bool:
    try:
        change = await service.change_of(settings, catalogue_of(settings), places, agent, model)
        screen().print(
            f"{change.agent}: {change.before or '(nothing)'} -> {change.after}  in {change.place}", markup=False
        )
        if change.before == change.after:
            screen().print("It is so already.", markup=False)
            return True
        if not yes and not await asyncio.to_thread(typer.confirm, "Write it?"):
            return False
        await service.make(change, places)
    except service.NoSuchAgentError as error:
        raise CommandError(str(error), status=USAGE) from error
    except service.CannotSetError as error:
        raise CommandError(str(error)) from error
    if change.kind == "catalogue":
        screen().print("Written. `jada reload` makes the daemon take it.", markup=False)
    return True


def _with_places(question: Callable[[service.Places | None], Awaitable[T]], *, offline: bool) -> T:
    async def ask() -> T:
        if offline:
            return await question(None)
        from jada_orchestrator.service.wiring import open_places

        with configuration_checked():
            async with open_places() as places:
                return await question(places)

    return asyncio.run(ask())


def _draw(found: list[service.AgentModel]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("agent", "model", "from", "flags"):
        table.add_column(column, overflow="fold")
    for each in found:
        flags = Text(", ".join(each.flags), "bold red" if each.flags else "")
        table.add_row(Text(each.agent), Text(each.in_force or "-"), Text(each.source, "dim"), flags)
    console = screen()
    console.print(table)
    for each in found:
        for flag, message in each.flags.items():
            console.print(Text(f"{each.agent}: {flag}: {message}", "yellow"))
