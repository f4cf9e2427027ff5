"""The worked example of docs/cost.md is what the command prints."""

from __future__ import annotations

import re

import pytest

from jada_orchestrator.cli.main import main
from tests.unit.docs.source_facts import DOCS

EXAMPLES = re.findall(
    r"```\n\$ jada (cost --example [^\n]+)\n(.+?)\n```", (DOCS / "cost.md").read_text(encoding="utf-8"), re.DOTALL
)


@pytest.mark.parametrize(("command", "shown"), EXAMPLES, ids=[command for command, _ in EXAMPLES])
def test_an_example_is_what_the_command_prints(command: str, shown: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each projection in the document is the command's own, to the dollar, at the prices of the shipped list."""
    assert main(command.split()) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()][: len(shown.splitlines())] == [
        line.split() for line in shown.splitlines()
    ]


def test_both_readings_of_the_estimate_are_shown() -> None:
    """The document has the example with corrections and without."""
    assert len(EXAMPLES) == 2
