"""A failing seed is told as the shortest story that greed finds, and a storm adds up what its seeds came to."""

from __future__ import annotations

import json

import pytest

from jada_orchestrator.testing.simulated_fate import MISHAPS, Odds
from jada_orchestrator.testing.simulated_report import Report
from jada_orchestrator.testing.simulated_shrink import shrink
from jada_orchestrator.testing.storm import main


def test_what_has_no_part_in_a_failure_is_taken_away() -> None:
    """Of many mishaps only those remain without which the seed does not fail."""

    def run(seed: int, odds: Odds, bookings: int) -> Report:
        fails = bookings >= 2 and odds.cancel > 0 and odds.kills_per_run >= 1
        return Report(seed, odds, bookings, broken=["a law"] if fails else [])

    report = shrink(3, bookings=5, run=run)
    assert report.bookings == 2
    assert [name for name in MISHAPS if getattr(report.odds, name)] == ["cancel", "kills_per_run"]
    assert report.odds.kills_per_run == 1


def test_a_seed_that_does_not_fail_is_left_as_it_is() -> None:
    """There is nothing to shrink where nothing is broken."""
    assert shrink(3, bookings=2, run=Report).bookings == 2


def test_a_report_can_be_read() -> None:
    """It names the seed, what is broken, what went wrong on the way, and the story of the booking."""
    report = Report(9, Odds(), 2, broken=["a law"], stories={"wf-1": ["   1 something"]})  # type: ignore[dict-item]
    report.mishaps["slow"] = 3
    text = report.render()
    assert "seed 9" in text
    assert "BROKEN: a law" in text
    assert "slow 3" in text
    assert "1 something" in text


def test_a_storm_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    """It tells programs how many seeds there were, how fast, and what became of all bookings."""
    assert main(["--seeds", "6", "--from", "20", "--jobs", "1", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["seeds"] == 6
    assert told["failing_seeds"] == []
    assert sum(told["outcomes"].values()) >= 6 * 3
    assert told["mishaps_total"] > 0
