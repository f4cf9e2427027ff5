"""`jada prune`, and what the other commands say of what was retired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.domain.instants import parse_instant
from tests.unit.cli import bookings


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with bookings of long ago, which the environment names; nothing else of this machine counts."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    url = bookings.write(
        tmp_path,
        bookings.completed(),
        bookings.failed("web-failed", "no seats for Mr Traveller"),
        bookings.standing(),
        bookings.running(),
        start=parse_instant("2020-01-01T00:00:00Z"),
    )
    monkeypatch.setenv("JADA_STORE", url)
    return url


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints for programs."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def text_of(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 0) -> str:
    """What a command tells people, in one line."""
    assert main(list(arguments)) == status
    told = capsys.readouterr()
    return " ".join((told.out + told.err).split())


def test_a_dry_run_counts_and_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """It tells what would be retired by the setting, or by another age; what needs a person or runs does not count."""
    told = json_of(capsys, "prune", "--dry-run")
    assert (told["bookings"], told["dry_run"]) == (2, True)
    assert told["records"] > 20
    assert json_of(capsys, "prune", "--dry-run", "--older-than", "20000")["bookings"] == 0
    assert "2 bookings that ended before" in text_of(capsys, "prune", "--dry-run")
    assert not any(each["retired"] for each in json_of(capsys, "list"))


def test_what_ended_long_ago_is_retired_and_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    """List, show and why say so; nothing that was said is there any more, and what it cost is."""
    cost = json_of(capsys, "cost")["total"]["usd"]
    assert "2 bookings that ended before" in text_of(capsys, "prune")
    assert {each["request_id"]: each["retired"] for each in json_of(capsys, "list")} == {
        "web-done": True,
        "web-failed": True,
        "web-stands": False,
        "web-runs": False,
    }
    assert "completed (retired)" in text_of(capsys, "list")
    shown = json_of(capsys, "show", "web-failed")
    assert (shown["status"], shown["error"]["code"], shown["plan"]) == ("failed", "NO_OFFERS", None)
    assert shown["retired"]["records"] > 5
    assert "Mr Traveller" not in json.dumps(shown)
    assert "records are deleted" in text_of(capsys, "show", "web-done")
    assert "was retired: this stands for its" in text_of(capsys, "why", "web-done")
    assert json_of(capsys, "cost")["total"]["usd"] == cost
    again = json_of(capsys, "prune")
    assert (again["bookings"], again["records"], again["left"]) == (0, 0, 0)


@pytest.mark.parametrize("command", ["retry", "cancel", "approve", "deny", "release"])
def test_nothing_is_asked_of_what_was_retired(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The command is refused, says why, and what to do instead; nothing is sent."""
    main(["prune"])
    capsys.readouterr()
    told = text_of(capsys, command, "web-failed", status=1)
    assert f"ended as failed and was retired: its records are deleted; there is nothing to {command}" in told
    assert "new request_id" in told


def test_without_retention_an_age_has_to_be_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where everything is kept, nothing is retired by mistake; who names an age means it."""
    monkeypatch.setenv("JADA_RETENTION_DAYS", "0")
    assert "retention_days is 0" in text_of(capsys, "prune", status=2)
    assert json_of(capsys, "prune", "--older-than", "90")["bookings"] == 2


def test_a_store_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 3, and says what to do."""
    monkeypatch.setenv("JADA_STORE", f"sqlite://{tmp_path / 'nowhere.db'}")
    assert "there is no store" in text_of(capsys, "prune", status=3)
    assert not (tmp_path / "nowhere.db").exists()
