"""A gate: open, closed until an instant, then one probe, then a window that grows until it is open again.

One gate stands for one thing that can be wrong with the model's API: a rate limit, an overload, a spend limit. Pure;
instants are milliseconds of any clock that never goes back.

======== ========================== ===========================================
phase    who may pass               what ends it
======== ========================== ===========================================
open     everybody                  `close`: closed
closed   nobody before `until`      the first who asks after it: probing
probing  nobody but the probe       its answer: ramping; its failure: closed
ramping  `window` calls at a time   each answer widens it; full: open;
                                    a failure: closed
======== ========================== ===========================================

Calls that passed before the gate closed carry an older `epoch`: their failures are about the trouble that is known
already, and count neither as failed probes nor as further trips.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class GatePhase(Enum):
    """Where a gate is; the table in the module's docstring says who may pass."""

    OPEN = "open"
    CLOSED = "closed"
    PROBING = "probing"
    RAMPING = "ramping"


_OPEN: Final = GatePhase.OPEN
_CLOSED: Final = GatePhase.CLOSED
_PROBING: Final = GatePhase.PROBING
_RAMPING: Final = GatePhase.RAMPING
"""Every call passes a gate, and `domain.members` says what a member of an enumeration costs that is looked up."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a gate stays closed: the first time, and at most, doubled each time that the probe fails."""

    first_ms: int
    max_ms: int

    def after(self, trips: int) -> int:
        """Return how long the `trips`-th closing in a row lasts (from 1)."""
        return min(self.max_ms, self.first_ms << min(trips - 1, 30))


_WINDOW_FIRST = 2
"""Calls at a time after a probe's success; each answer adds one, so that the window doubles with every round."""


@dataclass(slots=True)
class Gate:
    """One gate; see the module's docstring."""

    patience: Patience
    full_window: int
    """From this many calls at a time on, the gate is open."""
    phase: GatePhase = GatePhase.OPEN
    until: int = 0
    """When a closed gate lets the probe go."""
    epoch: int = 0
    """How often it was closed so far."""
    trips: int = 0
    """How often it was closed since it was last open."""
    window: int = 0
    passing: int = 0
    """Calls of the present epoch that are under way."""
    why: str = ""
    since: int = 0
    """When it was first closed since it was last open."""

    def may_pass(self, now: int) -> bool:
        """Tell whether a call may pass now."""
        if self.phase is _OPEN:
            return True
        if self.phase is _CLOSED:
            return now >= self.until
        return self.phase is _RAMPING and self.passing < self.window

    def opens_at(self) -> int | None:
        """Return when it is worth asking again; None when only the end of a call can change anything."""
        return self.until if self.phase is _CLOSED else None

    def passed(self) -> int:
        """Note that a call passes, which `may_pass` allowed; return the epoch that it carries."""
        if self.phase is _CLOSED:
            self.phase = _PROBING
        self.passing += 1
        return self.epoch

    def close(self, epoch: int, now: int, why: str, at_least_ms: int = 0) -> bool:
        """Note a call's failure that closes the gate; return whether it was open before.

        `at_least_ms` is what the service asked for.
        """
        if epoch != self.epoch:
            # One of many that were under way when the gate closed: it only knows more about how long.
            if self.phase is _CLOSED:
                self.until = max(self.until, now + at_least_ms)
            return False
        was_open = self.phase is _OPEN
        if was_open:
            self.since = now
        self.trips += 1
        self.epoch += 1
        self.passing = 0
        self.phase = _CLOSED
        self.until = now + max(at_least_ms, self.patience.after(self.trips))
        self.why = why
        return was_open

    def answered(self, epoch: int) -> bool:
        """Note that a call was answered; return whether the gate came to be fully open by it."""
        if epoch != self.epoch:
            return False
        self.passing -= 1
        if self.phase is _OPEN or self.phase is _CLOSED:
            return False
        if self.phase is _PROBING:
            self.phase, self.window = _RAMPING, _WINDOW_FIRST
        else:
            self.window += 1
        if self.window < self.full_window:
            return False
        self.phase, self.trips, self.why = _OPEN, 0, ""
        return True

    def left(self, epoch: int, now: int) -> None:
        """Note that a call ended without saying anything about the gate; an abandoned probe is made anew at once."""
        if epoch != self.epoch:
            return
        self.passing -= 1
        if self.phase is _PROBING:
            self.phase, self.until = _CLOSED, now
