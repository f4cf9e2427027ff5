"""Commands that the documents name are commands of the program."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
import typer

from jada_orchestrator.cli.main import app
from tests.unit.docs.source_facts import ROOT, documents

_COMMAND: Final = re.compile(r"(?:`|^\$ |^\d\. `)jada ([a-z][a-z|]*)", re.MULTILINE)


def commands() -> set[str]:
    """The names of the commands and groups of commands."""
    group = typer.main.get_group(app)
    return set(group.commands)


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_named_commands_exist(path: Path) -> None:
    """Every `jada ...` in backticks or after a prompt names a command, also each of several with bars between."""
    named = {one for each in _COMMAND.findall(path.read_text(encoding="utf-8")) for one in each.split("|")}
    assert not named - commands()


def test_every_command_is_in_the_changelog() -> None:
    """What a user can type is in the list of what there is."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert not {name for name in commands() if f"`{name}`" not in text}
