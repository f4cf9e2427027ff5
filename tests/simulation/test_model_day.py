"""A day of bad weather at the model's API, with the real runtime, engine and governor, on virtual time."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain.limits import UNPLANNED_WHILE_STOPPED_MAX
from jada_orchestrator.testing.model_day import BAD_DAY, CONNECTIONS, DayReport, run_day


@pytest.fixture(scope="module")
def day() -> DayReport:
    """One day of a thousand requests, of which a quarter falls into bad weather."""
    return run_day()


def test_no_booking_is_lost(day: DayReport) -> None:
    """Through 429, 529, outages, cut streams and four hours of a spend limit every request is completed."""
    assert (day.completed, day.lost) == (1_000, 0)


def test_one_probe_at_a_time(day: DayReport) -> None:
    """Once a limit is known to be closed, there is never more than one call under way until it is open again."""
    assert [stretch.at_once_max for stretch in day.stretches if stretch.weather != "rate"] == [1] * 5


def test_calls_and_money_are_bounded(day: DayReport) -> None:
    """Six and a half bad hours cost few calls on top of one for each booking, and a bounded sum for cut streams."""
    assert day.answered == 1_000
    assert day.refused + day.billed_failures < 200
    cut = next(stretch for stretch in day.stretches if stretch.weather == "cut")
    assert cut.calls <= CONNECTIONS + 30
    assert day.billed_failures <= CONNECTIONS + 30


def test_the_full_rate_comes_back(day: DayReport) -> None:
    """After each stretch the full rate is back within the longest pause between two probes, and a minute."""
    assert all(s.full_rate_s is not None and s.full_rate_s <= 600 + 60 for s in day.stretches), day.lines()


def test_requests_stay_in_the_queue_while_planning_is_stopped(day: DayReport) -> None:
    """While nothing can be planned, only a bounded number of requests is taken from the queue."""
    assert 0 < day.waiting_while_stopped_max <= UNPLANNED_WHILE_STOPPED_MAX


def test_the_operator_is_told_once(day: DayReport) -> None:
    """Each closing and each return is told once, however many probes failed between them."""
    stopped = [event for event in day.told if event == "planning.stopped"]
    assert len(stopped) == sum(weather == "spent" for weather, _, _ in BAD_DAY)
    assert len(day.told) <= 4 * len(BAD_DAY)


def test_a_day_is_replayed_by_its_seed() -> None:
    """The same seed gives the same day, call by call."""
    weather = BAD_DAY[:2]
    assert run_day(100, weather, seed=3).lines() == run_day(100, weather, seed=3).lines()
