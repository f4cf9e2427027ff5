"""The daemon's command, put together by itself."""

from __future__ import annotations

import typer.main

from jada_orchestrator.cli.main import alone, app


def test_run_is_the_same_by_itself() -> None:
    """`jada run`, put together without the other commands, takes and says what it does among them."""
    both = [typer.main.get_group(each) for each in (app, alone)]
    assert list(both[1].commands) == ["run"]
    told = [
        [(option.name, option.opts, getattr(option, "help", None), option.required) for option in given.params]
        for group in both
        for given in (group.commands["run"], group)
    ]
    assert told[:2] == told[2:]
    assert both[0].commands["run"].help == both[1].commands["run"].help
