"""`jada status` and `jada reload` when the daemon does not answer what was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.cli.main import main


@contextmanager
def daemon(path: Path, answer: dict[str, Any]) -> Iterator[None]:
    """Somebody who gives one connection this answer, whatever it asks."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.readline()
                stream.write(json.dumps(answer).encode() + b"\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


@pytest.mark.parametrize("command", ["status", "reload"])
@pytest.mark.parametrize(("code", "says"), [("BUSY", "too many"), ("UNKNOWN_COMMAND", "the commands are")])
def test_a_daemon_that_cannot_be_asked_is_out_of_reach(
    command: str, code: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 3, with what the daemon said and what to do: it is no mistake in its settings, and no fault of ours."""
    fault = {"code": code, "where": "question", "message": says}
    with daemon(tmp_path / "s", {"ok": False, "faults": [fault]}):
        assert main([command, "--socket", str(tmp_path / "s")]) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert f"did not answer the question: {says}" in told
    assert "half a minute" in told


def test_a_daemon_of_another_version_is_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After an upgrade, before the restart: both versions are named, and what does work."""
    status = {"version": "0.0.1", "trouble": None, "phase": "ready", "pid": 1}
    with daemon(tmp_path / "s", {"ok": True, "status": status}):
        assert main(["status", "--socket", str(tmp_path / "s")]) == 1
    told = " ".join(capsys.readouterr().err.split())
    assert "the daemon is of version 0.0.1" in told
    assert "jada status --json" in told


def test_programs_get_what_any_version_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON a status is printed as it came."""
    status = {"version": "0.0.1", "trouble": None}
    with daemon(tmp_path / "s", {"ok": True, "status": status}):
        assert main(["status", "--json", "--socket", str(tmp_path / "s")]) == 0
    assert json.loads(capsys.readouterr().out) == status
