"""Several simulated instances over one store, in fixed worlds; and that mistakes in the way they share it are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from jada_orchestrator.runtime.intake import Intake
from jada_orchestrator.runtime.turn import Turns
from jada_orchestrator.testing.shared_journal import SharedJournal
from jada_orchestrator.testing.simulated_fleet import Run, simulate_fleet

SEEDS = range(40)


@pytest.mark.parametrize("first", SEEDS[::10])
def test_every_law_holds_for_several(first: int) -> None:
    """Whatever befalls instances, every request ends once and whole, and lanes keep their order."""
    for seed in range(first, first + 10):
        assert simulate_fleet(seed).broken == [], seed


def test_the_worlds_are_bad_enough() -> None:
    """In the fixed worlds every kind of trouble happens, bookings end in every way, and messages are handed over."""
    runs = [simulate_fleet(seed) for seed in SEEDS[:20]]
    assert {kind for run in runs for kind in run.troubles} >= {"kill", "cut", "drain", "outage"}
    assert {kind for run in runs for kind in run.outcomes} >= {"completed", "compensated"}
    assert sum(run.handed_over for run in runs) > 0


async def _claim_nothing(self: SharedJournal, workflows_max: int) -> Sequence[Any]:
    return ()


async def _forget(self: Intake, kind: Any, wanted: Any, delivery: Any, settler: Any) -> None:
    settler.delete(delivery)


def _any_lane(self: SharedJournal, key: str | None) -> bool:
    return True


def _take_all(self: SharedJournal, wanted: Any) -> bool:
    self.shared.owners[wanted.workflow_id] = self.number
    return True


async def _claim_once(self: Turns) -> None:
    self.keeper.claim_due = False


MISTAKES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "what ended instances owned is left alone": (SharedJournal, "claim", _claim_nothing),
    "claiming is a start-up special": (Turns, "_claim", _claim_once),
    "a message for another is deleted and not handed over": (Intake, "_hand_over", _forget),
    "a lane is anybody's": (SharedJournal, "_take_lane", _any_lane),
    "a workflow is taken from its owner": (SharedJournal, "_take", _take_all),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistake in how instances share a store breaks a law, or ends a run, within a few dozen seeds."""
    owner, name, wrong = MISTAKES[mistake]
    monkeypatch.setattr(owner, name, wrong)

    def is_broken(seed: int) -> bool:
        found: Run = simulate_fleet(seed)
        return bool(found.broken)

    assert any(is_broken(seed) for seed in range(60))
