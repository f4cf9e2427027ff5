"""The shortest story of a failing seed that greed finds: fewer bookings, then one kind of mishap less after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from jada_orchestrator.testing.simulated_fate import MISHAPS, Odds
from jada_orchestrator.testing.simulated_report import Report
from jada_orchestrator.testing.simulator import BOOKINGS, simulate

Run = Callable[[int, Odds, int], Report]


def run_once(seed: int, odds: Odds, bookings: int) -> Report:
    """Simulate one seed."""
    return simulate(seed, odds, bookings=bookings)


def shrink(seed: int, odds: Odds | None = None, *, bookings: int = BOOKINGS, run: Run = run_once) -> Report:
    """Return the report of the smallest world in which this seed still breaks a law; of the whole one if it does not.

    About sixty runs. What is left of the odds are the mishaps that it takes: `Report.odds`.
    """
    smallest = run(seed, odds if odds is not None else Odds(), bookings)
    if not smallest.broken:
        return smallest
    for fewer in range(1, bookings):
        tried = run(seed, smallest.odds, fewer)
        if tried.broken:
            smallest = tried
            break
    for kills in range(smallest.odds.kills_per_run):
        tried = run(seed, replace(smallest.odds, kills_per_run=kills), smallest.bookings)
        if tried.broken:
            smallest = tried
            break
    for mishap in MISHAPS:
        if mishap == "kills_per_run" or not getattr(smallest.odds, mishap):
            continue
        tried = run(seed, smallest.odds.without(mishap), smallest.bookings)
        if tried.broken:
            smallest = tried
    return smallest
