"""How an agent fares: how much of it may be used at once, and whether it is worth asking at all. Pure.

`Adaptive` follows latency and throttles by additive increase and multiplicative decrease (AIMD), as TCP does: while
calls are about as fast as they have been, one more at a time for each full round of them; when the agent throttles or
takes much longer, a part less, at most once for calls that were begun before the last decrease.

`Breaker` opens when calls end unanswered many times in a row: then nobody is sent into it but one probe at a time, at
intervals that double; the first answer lets calls through again, a few more with each answer (see `gates`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from jada_orchestrator.capacity.gates import Gate, GatePhase, Patience
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Succeeded
from jada_orchestrator.domain.instants import UtcMs

Ending: TypeAlias = Literal["answered", "throttled", "unanswered"]

TRIPS_AFTER: Final = 10
"""Calls in a row that nobody answered: fewer happen to healthy agents (a deployment, one bad host)."""
PATIENCE: Final = Patience(first_ms=1_000, max_ms=60_000)
_FULL_WINDOW: Final = 8
"""Calls at a time after which a breaker that was open is closed for good."""
_ADAPTIVE_FIRST: Final = 10
_DECREASE: Final = 0.7
_SLOW_FACTOR: Final = 2.0
"""Latency above this multiple of what it usually is counts as a sign of too much."""
_USUAL_SHARE: Final = 0.05
"""How fast the usual latency follows what is measured: about the last twenty calls."""


def ending_of(result: AttemptResult) -> Ending:
    """Say what the end of a call tells of the agent: an error that it answered itself is an answer."""
    match result:
        case Succeeded():
            return "answered"
        case Lost():
            return "unanswered"
        case Failed(answered=True):
            return "answered"
        case Failed(failure=failure):
            return "throttled" if failure.code == "THROTTLED" else "unanswered"


@dataclass(slots=True)
class Adaptive:
    """The bound that is found by trying; `most` is the catalogue's own."""

    most: int
    bound: float = 0.0
    usual_ms: float = 0.0
    decreased_at: UtcMs = UtcMs(-1)

    def __post_init__(self) -> None:
        """Begin carefully, where nothing is known yet."""
        self.bound = float(min(self.most, _ADAPTIVE_FIRST))

    def ended(self, ending: Ending, begun: UtcMs, now: UtcMs, busy: int) -> None:
        """Learn from one call; `busy` were under way by then, itself included.

        What an agent bears is only learnt where it has to: with less than half of the bound in use it does not rise.
        """
        took_ms = max(0, now - begun)
        if ending != "answered":
            self._decrease(begun, now)
            return
        slow = self.usual_ms > 0 and took_ms > _SLOW_FACTOR * self.usual_ms + 1
        self.usual_ms += (took_ms - self.usual_ms) * (_USUAL_SHARE if self.usual_ms else 1.0)
        if slow:
            self._decrease(begun, now)
        elif 2 * busy >= self.bound:
            self.bound = min(float(self.most), self.bound + 1.0 / self.bound)

    def _decrease(self, begun: UtcMs, now: UtcMs) -> None:
        if begun <= self.decreased_at:
            return
        self.bound = max(1.0, self.bound * _DECREASE)
        self.decreased_at = now


@dataclass(slots=True)
class Breaker:
    """One agent's circuit breaker."""

    gate: Gate = field(default_factory=lambda: Gate(PATIENCE, _FULL_WINDOW))
    in_a_row: int = 0

    def ended(self, ending: Ending, epoch: int, now: UtcMs) -> None:
        """Learn from one call, which carries the epoch that `gate.passed` gave it."""
        if ending == "answered":
            if epoch == self.gate.epoch:
                self.in_a_row = 0
            self.gate.answered(epoch)
        elif ending == "throttled":
            self.gate.left(epoch, now)
        elif epoch != self.gate.epoch:
            pass  # one of many that were under way when the breaker opened: that trouble is known already
        elif self.gate.phase is GatePhase.OPEN and self.in_a_row + 1 < TRIPS_AFTER:
            self.in_a_row += 1
            self.gate.left(epoch, now)
        else:
            self.gate.close(epoch, now, "calls are not answered")
            self.in_a_row = 0


@dataclass(frozen=True, slots=True)
class AgentView:
    """What status shows of one agent."""

    agent: str
    busy: int
    waiting: int
    bound: int
    """How many calls at once it may have now."""
    breaker: str
    """open (calls go), closed (none goes), probing, ramping: the gate's own words."""
    closed_until: UtcMs | None = None
