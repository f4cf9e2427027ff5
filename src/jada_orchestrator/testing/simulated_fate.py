"""Fate: which mishaps may strike in a simulated run, how likely each is, and the dice.

Every kind of mishap has dice of its own, derived from the seed: taking one kind away leaves all others as they were,
which is what makes a failing run shrink.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, fields, replace
from typing import Final

from jada_orchestrator.ports.host import Clock


@dataclass(frozen=True, slots=True)
class Odds:
    """How likely each mishap is, from 0 to 1; all of them only until `calm_after_ms` of virtual time.

    After that the world is well, so that everything must come to its end (progress, not only safety).
    """

    calm_after_ms: int = 240_000
    # Agents that are functions.
    throttled: float = 0.04
    refused: float = 0.03
    refused_for_good: float = 0.012
    undo_refused: float = 0.10
    undo_refused_for_good: float = 0.004
    crashed_before: float = 0.03
    crashed_after: float = 0.04
    answer_lost: float = 0.04
    runs_later: float = 0.03
    """The caller is cut off at once, and the function runs some time later all the same."""
    slow: float = 0.05
    bad_output: float = 0.01
    short_hold: float = 0.15
    """A reservation runs out within seconds."""
    price_changed: float = 0.04
    """A reservation costs more than the one before it did."""
    lookup_pending: float = 0.05
    lookup_useless: float = 0.03
    # Agents that are workers on a queue.
    worker_silent: float = 0.04
    worker_twice: float = 0.05
    worker_late: float = 0.04
    """The answer is held up, for longer than the attempt's deadline perhaps, and so comes out of order."""
    # Queues.
    queue: float = 0.03
    delayed: float = 0.10
    reordered: float = 0.15
    redelivered: float = 0.03
    """A message comes again while it is still being worked on."""
    poison: float = 0.06
    poison_reply: float = 0.04
    stray_control: float = 0.03
    # The store.
    journal_before: float = 0.02
    journal_after: float = 0.02
    journal_read: float = 0.02
    outage: float = 0.004
    """The store can do nothing at all, for half a minute at most."""
    # The model.
    planner: float = 0.10
    planner_gives_up: float = 0.01
    bad_plan: float = 0.10
    refusing_plan: float = 0.01
    question: float = 0.05
    no_revision: float = 0.15
    bad_revision: float = 0.15
    late_revision: float = 0.10
    """It comes after some minutes, too late perhaps."""
    streamed: float = 0.6
    """The answer arrives task by task, so that reads of it may start before the rest is there."""
    streamed_otherwise: float = 0.2
    """The tasks that arrived are not those of the plan in the end."""
    broke_off: float = 0.03
    """After any of its tasks the answer breaks off, and the question is put again."""
    # Frontends and people.
    doubled_request: float = 0.15
    conflicting_request: float = 0.06
    reply_to_elsewhere: float = 0.02
    asked_again: float = 0.05
    """The same request comes once more after its end."""
    cancel: float = 0.08
    late_person: float = 0.25
    denied: float = 0.25
    retry: float = 0.25
    settled: float = 0.5
    """What needs attention and is not retried is dealt with by hand."""
    deadline: float = 0.06
    # The process and its host.
    kills_per_run: int = 3
    stop: float = 0.15
    """Instead of being killed it is asked to stop, and drains."""
    second_process: float = 0.12
    """Instead of being killed it is overtaken: another one is started on the same store while it runs."""
    reload: float = 0.25
    """It takes another catalogue while it runs."""
    redeployed: float = 0.15
    """It comes back with another catalogue."""
    clock_jump: float = 0.2
    """Between two runs of the process: backward by up to 30 s, forward by less than `LOOKUP_SAFETY_MS`, which is what
    the house assumes of its hosts (docs/failure-matrix.md)."""
    long_night: float = 0.03
    """The process stays away for hours or days."""

    def without(self, mishap: str) -> Odds:
        """Return the odds of a world in which this mishap does not happen."""
        return replace(self, **{mishap: 0})


MISHAPS: Final = tuple(f.name for f in fields(Odds) if f.name != "calm_after_ms")
NO_MISHAPS: Final = Odds(**dict.fromkeys(MISHAPS, 0), calm_after_ms=0)


class Fate:
    """Draws mishaps, and counts what it drew."""

    def __init__(self, seed: int, odds: Odds, clock: Clock) -> None:
        """Begin a run."""
        self.odds = odds
        self.drawn: Counter[str] = Counter()
        self._seed = seed
        self._clock = clock
        self._calm_from = clock.now() + odds.calm_after_ms
        self._odds: dict[str, float] = {name: getattr(odds, name) for name in MISHAPS}
        self._dice: dict[str, random.Random] = {}

    @property
    def is_calm(self) -> bool:
        """Whether mishaps are over."""
        return self._clock.now() >= self._calm_from

    def dice(self, of: str) -> random.Random:
        """Return the dice for one kind of thing."""
        found = self._dice.get(of)
        if found is None:
            found = self._dice[of] = random.Random(f"{self._seed}/{of}")
        return found

    def strikes(self, mishap: str) -> bool:
        """Tell whether this mishap happens now."""
        odds = self._odds[mishap]
        if odds == 0 or self.dice(mishap).random() >= odds or self.is_calm:
            return False
        self.drawn[mishap] += 1
        return True

    def between(self, least: float, most: float, of: str = "times") -> float:
        """Return a number, of seconds mostly."""
        return self.dice(of).uniform(least, most)
