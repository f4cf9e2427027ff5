"""The daemon's end by what nobody foresaw."""

from __future__ import annotations

import json
from typing import cast

import pytest

from jada_orchestrator.service.daemon import run_daemon
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import LoadedSettings


class Broken:
    """Settings that fail in a way for which there is no sentence."""

    settings = Settings(log="json")

    @property
    def notices(self) -> tuple[str, ...]:
        """What the daemon tells first."""
        raise RuntimeError("nobody thought of this")


async def test_what_nobody_foresaw_is_in_the_log_with_its_place(capfd: pytest.CaptureFixture[str]) -> None:
    """A process that is gone tells nobody where it was: its log does, as an event, and its status is 1."""
    loaded = cast("LoadedSettings", Broken())
    assert await run_daemon(loaded, lambda: loaded) == 1
    [line] = [json.loads(each) for each in capfd.readouterr().err.splitlines()]
    assert (line["jada_event"], line["priority"]) == ("daemon.broke", 2)
    assert "RuntimeError: nobody thought of this" in line["message"]
    assert "test_daemon.py" in line["message"]
