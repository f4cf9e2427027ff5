"""One governor for all calls of the model's API: who may call now, and who waits, until when and why.

It tells apart what the service says:

* *slow down* (`slow_down`): the model's lane closes until the service's own instant; everybody waits once, together.
* *overloaded* (`overloaded`): single failures are each booking's own backoff; three in a row open the circuit breaker.
  Meanwhile a fallback model's lane may be used, which the caller decides (`is_overloaded`).
* *spent* (`spent`): no plan can be made with any model until a person or the calendar acts.
* *model* (`model`): the same for one model: it is not known, or does not take what is sent.

After each closing one call goes as a probe, then two, then more (`gates`): nobody runs ahead of the service's recovery.
While everything is open, calls are paced by the limits that the service's headers tell (`pacing`). Asking again after
an answer that was billed and is of no use spends a retry budget, so that a bad hour costs a bounded sum.

Pure: told the time in milliseconds of a clock that never goes back. Whoever waits asks again after each `answered`,
`failed` or `left`, and at the instant that `Wait` names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from jada_orchestrator.capacity.gates import Gate, GatePhase, Patience
from jada_orchestrator.capacity.pacing import Load, Pace
from jada_orchestrator.domain.usage import PlannerSignal, RateLimit

GateName: TypeAlias = Literal["rate", "breaker", "model", "spend"]

_HOUR_MS = 3_600_000


_RATE_PATIENCE = Patience(2_000, 60_000)
_BREAKER_PATIENCE = Patience(5_000, 120_000)
_STOPPED_PATIENCE = Patience(60_000, 600_000)


@dataclass(frozen=True, slots=True)
class GovernorSettings:
    """How the governor behaves; the defaults are what the daemon uses."""

    connections: int = 16
    """Calls at once, of all models together."""
    failures_to_break: int = 3
    """Overloaded answers in a row that open a lane's breaker; one or two are weather."""
    rate: Patience = _RATE_PATIENCE
    """When a 429 brings no `retry-after`."""
    breaker: Patience = _BREAKER_PATIENCE
    stopped: Patience = _STOPPED_PATIENCE
    """Probing a spend limit costs nothing; ten minutes after it was raised the last booking knows."""
    retries_per_hour: int = 60
    """Questions asked again after a billed failure, in an hour without a single success."""
    retries_per_success: float = 0.1
    """What each success adds: one in ten may be repeated for as long as things go well."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call that may go, and under which epochs of its gates."""

    number: int
    model: str
    load: Load
    sent_at: int
    epochs: dict[GateName, int]
    is_probe: bool


@dataclass(frozen=True, slots=True)
class Wait:
    """A call that may not go. `until` None: until some other call has ended."""

    until: int | None
    why: str
    own: bool = False
    """Only this call must wait; others of the same model may go."""


@dataclass(frozen=True, slots=True)
class Change:
    """A gate closed that had been open, or came to be open again; what the operator is told, once each time."""

    gate: GateName
    model: str
    closed: bool
    why: str
    at: int
    lasted_ms: int = 0


@dataclass(slots=True)
class _Lane:
    """What is known of one model."""

    rate: Gate
    breaker: Gate
    model: Gate
    pace: Pace = field(default_factory=Pace)
    failures: int = 0
    """Overloaded answers in a row."""

    def gates(self) -> dict[GateName, Gate]:
        return {"rate": self.rate, "breaker": self.breaker, "model": self.model}


class Governor:
    """See the module's docstring."""

    def __init__(self, settings: GovernorSettings | None = None) -> None:
        """Begin with everything open and a full retry budget."""
        self._settings = settings or GovernorSettings()
        self._spend = Gate(self._settings.stopped, self._settings.connections)
        self._lanes: dict[str, _Lane] = {}
        self._under_way: dict[int, Ticket] = {}
        self._numbers = 0
        self._retries = float(self._settings.retries_per_hour)
        self._retries_at = 0

    # --- Who may go -----------------------------------------------------------------------------------------------

    def ask(self, model: str, load: Load, now: int, *, retry: bool = False) -> Ticket | Wait:
        """Return a ticket for a call that may go now, which must be ended exactly once; or why and how long to wait.

        `retry`: the question was answered before, billed, and the answer was of no use.
        """
        refused = self._refusal(model, load, now, retry=retry)
        if refused is not None:
            return refused
        lane = self._lane(model)
        gates = self._gates(lane)
        is_probe = any(gate.phase is GatePhase.CLOSED for gate in gates.values())
        self._numbers += 1
        epochs = {name: gate.passed() for name, gate in gates.items()}
        ticket = Ticket(self._numbers, model, load, now, epochs, is_probe)
        lane.pace.sent(load, now)
        self._under_way[ticket.number] = ticket
        if retry:
            self._retries -= 1
        return ticket

    def _refusal(self, model: str, load: Load, now: int, *, retry: bool) -> Wait | None:
        lane = self._lane(model)
        closed = [gate for gate in self._gates(lane).values() if not gate.may_pass(now)]
        if closed:
            instants = [gate.opens_at() for gate in closed]
            until = None if None in instants else max(instant for instant in instants if instant is not None)
            return Wait(until, closed[0].why)
        if len(self._under_way) >= self._settings.connections:
            return Wait(None, "all connections are in use")
        ready_at = lane.pace.ready_at(load, now)
        if ready_at > now:
            return Wait(ready_at, "the service's rate limits")
        if retry:
            self._refill_retries(now)
            if self._retries < 1:
                missing = 1 - self._retries
                until = now + int(missing * _HOUR_MS / self._settings.retries_per_hour) + 1
                return Wait(until, "the retry budget is used up", own=True)
        return None

    # --- How calls end --------------------------------------------------------------------------------------------

    def answered(self, ticket: Ticket, now: int, limits: Iterable[RateLimit] = ()) -> list[Change]:
        """Note a complete answer."""
        lane = self._end(ticket, now, limits)
        lane.failures = 0
        self._refill_retries(now)
        self._retries = min(float(self._settings.retries_per_hour), self._retries + self._settings.retries_per_success)
        return self._through(ticket, lane, now)

    def failed(
        self,
        ticket: Ticket,
        signal: PlannerSignal,
        now: int,
        *,
        why: str = "",
        retry_after_ms: int | None = None,
        limits: Iterable[RateLimit] = (),
    ) -> list[Change]:
        """Note a failure and what it says of the service; `none` says that the service itself works."""
        lane = self._end(ticket, now, limits)
        at_least_ms = retry_after_ms or 0
        match signal:
            case "none":
                lane.failures = 0
                return self._through(ticket, lane, now)
            case "slow_down":
                return self._close("rate", lane.rate, ticket, now, why, at_least_ms)
            case "spent":
                return self._close("spend", self._spend, ticket, now, why, at_least_ms)
            case "model":
                return self._close("model", lane.model, ticket, now, why, at_least_ms)
            case "overloaded":
                lane.failures += 1
                if lane.breaker.phase is GatePhase.OPEN and lane.failures < self._settings.failures_to_break:
                    self._leave(ticket, lane, now)
                    return []
                return self._close("breaker", lane.breaker, ticket, now, why, at_least_ms)

    def left(self, ticket: Ticket, now: int) -> None:
        """Note that a call was abandoned: it says nothing of the service."""
        lane = self._end(ticket, now, ())
        self._leave(ticket, lane, now)

    def _end(self, ticket: Ticket, now: int, limits: Iterable[RateLimit]) -> _Lane:
        del self._under_way[ticket.number]
        lane = self._lane(ticket.model)
        later = [
            other.load
            for other in self._under_way.values()
            if other.model == ticket.model and other.number > ticket.number
        ]
        lane.pace.told(limits, sent_at=ticket.sent_at, now=now, later=later)
        return lane

    def _through(self, ticket: Ticket, lane: _Lane, now: int) -> list[Change]:
        changes = []
        for name, gate in self._gates(lane).items():
            since, why = gate.since, gate.why
            if gate.answered(ticket.epochs[name]):
                changes.append(Change(name, ticket.model, closed=False, why=why, at=now, lasted_ms=now - since))
        return changes

    def _close(self, name: GateName, gate: Gate, ticket: Ticket, now: int, why: str, at_least_ms: int) -> list[Change]:
        newly = gate.close(ticket.epochs[name], now, why, at_least_ms)
        self._leave(ticket, self._lane(ticket.model), now, but=name)
        return [Change(name, ticket.model, closed=True, why=why, at=now)] if newly else []

    def _leave(self, ticket: Ticket, lane: _Lane, now: int, but: GateName | None = None) -> None:
        for name, gate in self._gates(lane).items():
            if name != but:
                gate.left(ticket.epochs[name], now)

    # --- What others may see --------------------------------------------------------------------------------------

    def stopped(self) -> str | None:
        """Return why no plan can be made at all, or None; a probe's success ends it."""
        return self._spend.why if self._spend.phase in {GatePhase.CLOSED, GatePhase.PROBING} else None

    def wants_a_probe(self, now: int) -> bool:
        """Tell whether no plan could be made at all so far, and the next question goes to see whether that is over."""
        return self._spend.phase is GatePhase.CLOSED and self._spend.may_pass(now)

    def is_overloaded(self, model: str) -> bool:
        """Tell whether a model's breaker is open, or its lane stopped: another model would be of use."""
        lane = self._lane(model)
        return any(gate.phase in {GatePhase.CLOSED, GatePhase.PROBING} for gate in (lane.breaker, lane.model))

    def may_go(self, model: str, load: Load, now: int) -> bool:
        """Tell whether a first call would get a ticket now; takes nothing."""
        return self._refusal(model, load, now, retry=False) is None

    def is_fully_open(self, model: str) -> bool:
        """Tell whether no gate holds the model's calls back."""
        return all(gate.phase is GatePhase.OPEN for gate in self._gates(self._lane(model)).values())

    @property
    def under_way(self) -> int:
        """Calls that have a ticket."""
        return len(self._under_way)

    @property
    def probes_under_way(self) -> int:
        """Calls that went through a closed gate, and have not ended."""
        return sum(ticket.is_probe for ticket in self._under_way.values())

    def _gates(self, lane: _Lane) -> dict[GateName, Gate]:
        return {"spend": self._spend, **lane.gates()}

    def _lane(self, model: str) -> _Lane:
        lane = self._lanes.get(model)
        if lane is None:
            settings = self._settings
            window = settings.connections
            lane = _Lane(
                rate=Gate(settings.rate, window),
                breaker=Gate(settings.breaker, window),
                model=Gate(settings.stopped, window),
            )
            self._lanes[model] = lane
        return lane

    def _refill_retries(self, now: int) -> None:
        full = float(self._settings.retries_per_hour)
        self._retries = min(full, self._retries + max(0, now - self._retries_at) * full / _HOUR_MS)
        self._retries_at = max(self._retries_at, now)
