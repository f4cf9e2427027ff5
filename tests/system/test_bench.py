"""`jada bench`: that it works from end to end. What it measures means nothing in its short form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from jada_orchestrator.bench.suite import MEASURES

ROWS = 15


@pytest.mark.timeout(300)
def test_the_short_form_measures_every_row(tmp_path: Path) -> None:
    """One command measures everything, each figure with a unit and its floor, and says on what."""
    page, told = tmp_path / "benchmarks.md", tmp_path / "bench.json"
    command = [sys.executable, "-m", "jada_orchestrator", "bench", "--quick", "--json"]

    done = subprocess.run(
        [*command, "--folder", str(tmp_path), "--markdown", str(page), "--output", str(told)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert json.loads(told.read_text("utf-8")) == found
    assert len(found["figures"]) == ROWS
    assert all(figure["unit"] and figure["limited_by"] for figure in found["figures"])
    assert all(figure["ratio"] > 0 for figure in found["figures"] if figure["floor_name"])
    assert found["machine"]["python"]
    text = page.read_text("utf-8")
    assert all(figure["measure"] in text for figure in found["figures"])


def test_an_unknown_name_is_told_the_known_ones() -> None:
    """A benchmark that is not there is a mistake in usage, and the answer lists those that are."""
    command = [sys.executable, "-m", "jada_orchestrator", "bench", "nothing-like-it"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert all(name in done.stderr for name in MEASURES)


@pytest.mark.timeout(120)
def test_a_profile_is_written_by_one_flag(tmp_path: Path) -> None:
    """`--flame` leaves a profile for viewers, and the functions that took longest as text."""
    profile = tmp_path / "profile.pstats"
    command = [sys.executable, "-m", "jada_orchestrator", "bench", "throughput", "--quick", "--flame", str(profile)]

    subprocess.run(command, capture_output=True, text=True, check=True)

    assert profile.stat().st_size > 0
    assert "tottime" in profile.with_suffix(".txt").read_text("utf-8")
