"""Options and arguments that several commands share, and what they lead to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import typer

from jada_orchestrator.ports.journal import JournalReader
from jada_orchestrator.service.settings_tiers import LoadedSettings, load_settings
from jada_orchestrator.service.store_access import store_reader

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
Store: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--store",
        help="Where the journal is: sqlite:///path/journal.db or postgresql://user@host/database.",
        metavar="URL",
    ),
]
WorkflowRef: TypeAlias = Annotated[
    str, typer.Argument(help="A workflow id, a request id, or the beginning of either.", metavar="ID")
]

T = TypeVar("T")


@dataclass(slots=True)
class Overall:
    """The options before the command's name."""

    settings: Path | None = None
    debug: bool = False


def loaded(context: typer.Context, **flags: object) -> LoadedSettings:
    """Return the settings with these flags on top. Raises: SettingsMistakesError."""
    overall: Overall = context.find_root().obj
    return load_settings({key.replace("__", "."): value for key, value in flags.items()}, file=overall.settings)


def with_store(context: typer.Context, store: str | None, question: Callable[[JournalReader], Awaitable[T]]) -> T:
    """Run a question on the settings' store and return its answer. Raises: JournalError, what the question raises."""
    settings = loaded(context, store=store).settings

    async def ask() -> T:
        async with store_reader(settings) as reader:
            return await question(reader)

    return asyncio.run(ask())


def taught(purpose: str, *examples: str) -> str:
    """Return a command's help: what it is for, and examples that can be typed as they stand."""
    if not examples:
        return purpose
    return purpose + "\n\n\b\nExamples:\n" + "\n".join(f"  {example}" for example in examples)
