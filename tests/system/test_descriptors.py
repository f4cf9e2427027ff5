"""Descriptors: enough with little, a refusal that says what to do with less, and none lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jada_orchestrator.bench.leaks import leaks

CALLS = int(os.environ.get("JADA_LEAK_CALLS", "600"))
"""The full measure is 20,000: `JADA_LEAK_CALLS=20000`, or `jada bench leaks`."""


@pytest.mark.timeout(120)
def test_fifty_agents_and_ten_more_bookings_within_256_files() -> None:
    """With a hard limit of 256 everything runs to its end, side by side, and no call fails for want of a descriptor."""
    command = [sys.executable, "-m", "tests.system.few_descriptors", "256"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["limit"] == 256
    assert told["ended"] == {"ok": 50 + 10 * 12}
    assert told["most_under_way"] >= 50
    assert told["most_open"] <= 256


@pytest.mark.timeout(120)
def test_running_out_of_descriptors_is_survived_and_reported() -> None:
    """While others hold every last descriptor, calls are certainly not made and say why; afterwards all succeed."""
    command = [sys.executable, "-m", "tests.system.few_descriptors", "256", "squeeze"]

    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])

    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)["ended"]
    assert ended["ok"] == 50 + 10 * 12
    assert ended["NO_DESCRIPTORS"] > 0
    assert set(ended) == {"ok", "NO_DESCRIPTORS"}


def test_with_48_files_the_daemon_refuses_to_start_and_names_the_line(tmp_path: Path) -> None:
    """Below the least that any work needs the daemon ends at once, with the line to change in its unit file."""
    program = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48)); "
        "from jada_orchestrator.cli.main import main; sys.exit(main(['run']))"
    )
    environment = {**os.environ, "JADA_STORE": f"sqlite://{tmp_path / 'journal.db'}", "JADA_LOG": "json"}
    environment.pop("NOTIFY_SOCKET", None)

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env=environment, timeout=60
    )

    assert done.returncode == 2
    assert "LimitNOFILE=524288" in done.stdout + done.stderr
    assert "48 files" in done.stdout + done.stderr
    assert not (tmp_path / "journal.db").exists()


@pytest.mark.timeout(600)
async def test_calls_that_end_badly_leave_nothing_open() -> None:
    """After calls that were cut, late, throttled and cancelled, as many descriptors are in use as at the start."""
    found = await leaks(CALLS)

    assert found.succeeded > CALLS // 8
    assert found.after == found.before
    assert found.most <= found.before + 64 + 8
