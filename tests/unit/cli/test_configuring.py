"""`jada config`: what people and programs see, and what a change does."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from jada_orchestrator.cli.main import main


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings.json that is in force."""
    path = tmp_path / "settings.json"
    path.write_text('{"model": "claude-sonnet-4-6", "defaults": {"temperature": 0.7, "max_tokens": 4096}}', "utf-8")
    monkeypatch.setenv("JADA_SETTINGS", str(path))
    return path


def test_show_names_tier_and_source(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every value comes with the tier and the place that it was found in, for people and for programs."""
    monkeypatch.setenv("JADA_RECEIVERS", "5")
    assert main(["config", "show", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    settings = shown["settings"]
    assert settings["receivers"] == {"value": 5, "tier": "environment", "source": "JADA_RECEIVERS"}
    assert settings["defaults.max_tokens"] == {"value": 4096, "tier": "file", "source": str(file)}
    assert settings["planner_timeout"] == {"value": "120s", "tier": "default", "source": "built in"}
    assert "not sent" in shown["notices"][0]
    assert main(["config", "show"]) == 0
    out, err = capsys.readouterr()
    assert "JADA_RECEIVERS" in out
    assert "not sent" in err


def test_set_then_get(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was set is what is read, and the rest of the file is as it was."""
    assert main(["config", "set", "model", "claude-opus-5"]) == 0
    capsys.readouterr()
    assert main(["config", "get", "model"]) == 0
    assert capsys.readouterr().out == "claude-opus-5\n"
    assert json.loads(file.read_text("utf-8"))["defaults"] == {"temperature": 0.7, "max_tokens": 4096}


def test_set_says_when_the_environment_wins(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value that a variable hides is written, and the variable is named."""
    monkeypatch.setenv("JADA_MODEL", "other")
    assert main(["config", "set", "model", "claude-haiku-4-5"]) == 0
    assert "JADA_MODEL" in capsys.readouterr().err


def test_a_model_that_nobody_knows_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip in a model's id is not written, unless it is forced."""
    assert main(["config", "set", "model", "claude-sonet-4-6"]) == 2
    assert "claude-sonet-4-6" in capsys.readouterr().err
    assert main(["config", "set", "models.plan", "claude-haiku-4-5,claude-sonnet-9"]) == 2
    assert "claude-sonnet-4-6" in file.read_text("utf-8")
    assert main(["config", "set", "model", "claude-of-next-year", "--force"]) == 0
    assert "claude-of-next-year" in file.read_text("utf-8")


class Typed(io.StringIO):
    """What somebody types at a terminal."""

    def isatty(self) -> bool:
        return True


def test_the_menu_sets_by_number_or_name(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jada config` alone shows the settings, takes changes until there are none, and survives a slip."""
    monkeypatch.setattr(sys, "stdin", Typed("1\nclaude-haiku-4-5\nreceivers\nmany\nreceivers\n7\n\n"))
    assert main(["config"]) == 0
    content = json.loads(file.read_text("utf-8"))
    assert (content["model"], content["receivers"]) == ("claude-haiku-4-5", 7)


def test_without_a_terminal_there_is_no_menu(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a script `jada config` shows its help and waits for nobody."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert main(["config"]) == 0
    assert "jada config set" in capsys.readouterr().out


def test_a_key_that_is_none_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt key ends with 2 and a hint."""
    assert main(["config", "get", "modle"]) == 2
    assert "did you mean model?" in capsys.readouterr().err


def test_mistakes_in_the_file_end_every_command_with_2(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All mistakes of the settings are told, without a traceback."""
    file.write_text('{"receivers": 0, "log": "paper"}', "utf-8")
    assert main(["list"]) == 2
    err = capsys.readouterr().err
    assert "2 mistakes" in err
    assert "receivers" in err
    assert "paper" in err
    assert "Traceback" not in err
