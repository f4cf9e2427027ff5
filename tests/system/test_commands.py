"""The commands as people use them: processes of their own, joined by nothing but the lines that the sandbox prints."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from benchmarks.demo_memory import RESIDENT_MIB_MAX, demo_command, footprint

JADA = (sys.executable, "-m", "jada_orchestrator")
DEPART = datetime.now(UTC).date() + timedelta(days=150)
"""Ahead, and within what the agents sell, whenever the tests are run."""
TRIP = (
    f"Two of us, customer c-118, Boston to Lisbon {DEPART} to {DEPART + timedelta(days=7)}, with a hotel, "
    "under $6,000 all in."
)


class Terminal:
    """A shell in which somebody types commands."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*JADA, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def json(self, *arguments: str, status: int = 0) -> Any:
        """Run a command that prints JSON and ends with this status."""
        done = self.run(*arguments, "--json")
        assert done.returncode == status, done.stderr
        return json.loads(done.stdout)


def quiet_environment() -> dict[str, str]:
    """An environment in which nothing is configured."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("JADA_", "AWS_", "ANTHROPIC_"))}
    return {**own, "XDG_CONFIG_HOME": "/nonexistent", "AWS_EC2_METADATA_DISABLED": "true", "PYTHONUNBUFFERED": "1"}


def stopped(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
    """End a process as Ctrl-C or a service manager does, and return its exit status."""
    process.send_signal(number)
    return process.wait(timeout=30)


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """`jada sandbox` in the first terminal; what it prints for the others."""
    state = tmp_path_factory.mktemp("sandbox")
    with subprocess.Popen(
        [*JADA, "sandbox", "--state", str(state), "--json"], env=quiet_environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line == "}\n":
                break
        told = json.loads("".join(lines))
        assert len(told["stand_ins"]) == 3
        yield told["environment"]
        assert stopped(process, signal.SIGINT) == 0


@pytest.fixture(scope="module")
def terminal(sandbox: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A third terminal, while `jada run` runs in the second."""
    environment = {**quiet_environment(), **sandbox}
    log = tmp_path_factory.mktemp("daemon") / "daemon.log"
    with log.open("w") as file, subprocess.Popen([*JADA, "run"], env=environment, stderr=file, text=True) as process:
        yield Terminal(environment)
        assert stopped(process) == 0, log.read_text("utf-8")
    assert all("jada_event" in json.loads(line) for line in log.read_text("utf-8").splitlines())


def test_a_request_is_booked_while_one_waits(terminal: Terminal) -> None:
    """`submit --wait` ends with 0 and the result once the booking is complete; every other command knows it too."""
    shown = terminal.json("submit", TRIP, "--request-id", "three-1", "--wait")
    assert shown["status"] == "completed"
    assert shown["result"]["order_id"]
    assert terminal.json("show", "three-1") == shown
    assert [line["request_id"] for line in terminal.json("list", "--status", "completed")] == ["three-1"]
    assert "Ended as completed" in terminal.run("why", "three-1").stdout
    assert terminal.run("watch", shown["workflow_id"][:10]).returncode == 0
    assert "✓ capture_payment" in terminal.run("show", "three-1").stdout
    assert terminal.json("sandbox", "books", "--request", "three-1")["doubled"] == []


def test_the_same_request_again_is_the_same_booking(terminal: Terminal) -> None:
    """The same id and content find the finished booking; the same id with other content is turned away."""
    first = terminal.json("submit", TRIP, "--request-id", "three-2", "--wait")
    assert terminal.json("submit", TRIP, "--request-id", "three-2", "--wait")["workflow_id"] == first["workflow_id"]
    other = terminal.json("submit", "Something else in Rome", "--request-id", "three-2", "--wait", status=1)
    assert (other["status"], other["error"]["code"]) == ("rejected", "IDEMPOTENCY_CONFLICT")
    assert terminal.json("show", "three-2") == first


def test_a_question_is_answered(terminal: Terminal) -> None:
    """What is missing is asked for (status 1, since nothing is booked yet), answered, and booked."""
    asked = terminal.run("submit", "I would like to go to Rome", "--request-id", "three-3", "--wait")
    assert asked.returncode == 1
    assert 'jada answer three-3 "..."' in asked.stdout
    assert terminal.json("show", "three-3")["questions"]
    answer = f"From Boston, on {DEPART}, one way, one traveller, customer c-118"
    assert terminal.run("answer", "three-3", answer).returncode == 0
    again = terminal.json("submit", "I would like to go to Rome", "--request-id", "three-3", "--wait")
    assert again["status"] == "completed"


def test_a_booking_that_fails_is_undone_and_explained(terminal: Terminal) -> None:
    """A fault that was ordered ends as `compensated`: status 1, and the way to its story."""
    assert terminal.run("sandbox", "fault", "hotels.book", "fail", "ROOM_GONE", "--request", "three-4").returncode == 0
    done = terminal.run("submit", TRIP, "--request-id", "three-4", "--wait")
    assert done.returncode == 1
    assert "Next: jada why three-4" in done.stdout
    assert "ROOM_GONE" in terminal.run("why", "three-4").stdout
    assert terminal.json("show", "three-4")["status"] == "compensated"


def test_a_dry_run_calls_nobody(terminal: Terminal) -> None:
    """`plan` shows the checked plan of a request, and the agents' books do not change."""
    before = terminal.json("sandbox", "books")
    planned = terminal.json("plan", TRIP)
    assert planned["outcome"] == "plan"
    assert len(planned["plan"]["tasks"]) > 10
    assert planned["cost"]["usd"]
    assert terminal.json("sandbox", "books") == before


@pytest.mark.timeout(180)
def test_the_demo_shows_everything_as_expected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`jada demo` needs nothing, ends with 0 because all eight outcomes are the expected ones, and keeps its books.

    All of its processes together stay below what is promised, also for a monitor that adds up their resident sizes.
    """
    for name in set(os.environ) - set(quiet_environment()):
        monkeypatch.delenv(name)
    output = tmp_path / "output"
    taken = asyncio.run(footprint(demo_command(tmp_path / "demo"), output=output))
    told = output.read_text(encoding="utf-8")
    assert taken.status == 0, told
    for part in (
        "stand-in",
        "↩ ticket_flight",
        "SOLD_OUT",
        "looked up",
        "critical path",
        "0 of them twice",
        "jada why",
    ):
        assert part in told
    assert "not expected" not in told
    assert (tmp_path / "demo" / "journal.db").exists()
    assert taken.resident_mib < RESIDENT_MIB_MAX, taken
