"""Slots: the one place that decides, and claims in the same step, which ready call goes next.

Bounds: so many calls in all (the connections that there are), for each agent its concurrency and its rate, and a
bulkhead: no agent may hold everything. An agent that is full, slow or broken never holds up the calls of another.
Which call of an agent goes next is said in `waiting`; what an agent can bear, in `health`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from msgspec import Struct

from jada_orchestrator.capacity.health import Adaptive, AgentView, Breaker, Ending
from jada_orchestrator.capacity.waiting import AGED_AFTER_MS, AGED_EVERY, Entry, WaitingCalls
from jada_orchestrator.domain.catalogue import AgentLimits
from jada_orchestrator.domain.ids import AgentName, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import PRIORITY_MAX
from jada_orchestrator.domain.workflow import CallRef

UNDO_PRIORITY = PRIORITY_MAX + 1
BULKHEAD_SHARE = 5
"""Of all calls at once, a fifth is kept from any single agent, where there are several."""
_UNLIMITED = AgentLimits(concurrency=1_000_000)


@dataclass(slots=True)
class _Bucket:
    """A token bucket: full, it holds one second's worth (at least one token)."""

    rate_per_second: float
    tokens: float
    at: UtcMs

    def refill(self, now: UtcMs) -> None:
        gained = max(0, now - self.at) * self.rate_per_second / 1_000
        self.tokens = min(max(1.0, self.rate_per_second), self.tokens + gained)
        self.at = max(self.at, now)

    def next_token_at(self) -> UtcMs:
        missing = max(0.0, 1.0 - self.tokens)
        return UtcMs(self.at + int(missing * 1_000 / self.rate_per_second) + 1)


@dataclass(slots=True)
class _Lane:
    """One agent: its bounds, how it fares, what it is doing, and who waits for it."""

    waiting: WaitingCalls
    limits: AgentLimits
    bucket: _Bucket | None
    adaptive: Adaptive | None
    breaker: Breaker = field(default_factory=Breaker)
    busy: int = 0

    def bound(self, bulkhead: int) -> int:
        """How many calls at once it may have now."""
        own = self.limits.concurrency if self.adaptive is None else int(self.adaptive.bound)
        return min(own, bulkhead)


class _Held(Struct):
    """One call in flight."""

    agent: AgentName
    begun: UtcMs
    epoch: int


@dataclass(slots=True)
class _Holding:
    """What one workflow waits for and holds."""

    tenant: str
    priority: int
    waiting: dict[CallRef, tuple[AgentName, Entry]] = field(default_factory=dict)
    held: dict[CallRef, _Held] = field(default_factory=dict)


class Slots:
    """Grants slots. The caller says after each change of a workflow what it waits for and holds (`sync`)."""

    def __init__(
        self,
        total: int,
        agents: Mapping[AgentName, AgentLimits],
        now: UtcMs,
        weights: Mapping[str, float] | None = None,
    ) -> None:
        """Begin empty. `total` bounds the calls in flight of all agents together; `weights` are the tenants'."""
        self._total = total
        self._busy = 0
        self._waiting = 0
        self._limits = dict(agents)
        self._bulkhead = _bulkhead(total, len(self._limits))
        self._weights = dict(weights or {})
        self._lanes: dict[AgentName, _Lane] = {}
        self._open: dict[AgentName, _Lane] = {}
        """The lanes with waiting calls, in the order of their last grants."""
        self._holdings: dict[WorkflowId, _Holding] = {}
        self._since_aged = 0
        """Grants since the last one to an agent for what had waited for it too long."""
        self._now = now

    def set_limits(
        self, total: int, agents: Mapping[AgentName, AgentLimits], weights: Mapping[str, float] | None = None
    ) -> None:
        """Change the bounds; what is in flight above a new bound is let end."""
        self._total = total
        self._limits = dict(agents)
        self._bulkhead = _bulkhead(total, len(self._limits))
        self._weights.clear()
        self._weights.update(weights or {})
        for name, lane in self._lanes.items():
            limits = self._limits.get(name, _UNLIMITED)
            if limits != lane.limits:
                lane.limits, lane.bucket = limits, _bucket(limits, self._now)
                lane.adaptive = _adaptive(limits)

    def sync(
        self,
        workflow_id: WorkflowId,
        tenant: str,
        priority: int,
        waiting: Mapping[CallRef, AgentName],
        held: Mapping[CallRef, AgentName],
        due_of: Callable[[CallRef], UtcMs | None] | None = None,
    ) -> None:
        """Make known what a workflow waits for, and what it has in flight; everything else of it is forgotten.

        `due_of` is asked once for each call that is new: by when it should have gone.
        """
        holding = self._holdings.get(workflow_id)
        if holding is None:
            if not waiting and not held:
                return
            holding = self._holdings[workflow_id] = _Holding(tenant, priority)
        if holding.waiting:
            for ref in [ref for ref, (agent, _) in holding.waiting.items() if waiting.get(ref) != agent]:
                self._unwait(holding, ref)
        if holding.held:
            for ref in [ref for ref, taken in holding.held.items() if held.get(ref) != taken.agent]:
                self._free(holding, ref)
        for ref, agent in held.items():
            if ref not in holding.held:
                self._take(holding, ref, agent)
        for ref, agent in waiting.items():
            if ref not in holding.waiting:
                due = due_of(ref) if due_of is not None else None
                self._wait(workflow_id, holding, ref, agent, due)
        if not holding.waiting and not holding.held:
            del self._holdings[workflow_id]

    def ended(self, workflow_id: WorkflowId, ref: CallRef, ending: Ending, now: UtcMs) -> None:
        """Learn from the end of a call in flight; told before `sync` forgets it. Others are no news."""
        self._now = max(self._now, now)
        holding = self._holdings.get(workflow_id)
        taken = holding.held.get(ref) if holding is not None else None
        if taken is None:
            return
        lane = self._lane(taken.agent)
        if lane.adaptive is not None:
            lane.adaptive.ended(ending, taken.begun, self._now, lane.busy)
        lane.breaker.ended(ending, taken.epoch, self._now)
        taken.epoch = -1

    def grant(self, now: UtcMs) -> Iterator[tuple[WorkflowId, CallRef]]:
        """Yield the calls that may go now, each claimed as it is yielded; agents take turns, from call to call."""
        self._now = max(self._now, now)
        since = self._now - AGED_AFTER_MS
        is_any_aged = any(lane.waiting.oldest <= since for lane in self._open.values())  # none comes to be so meanwhile
        while self._busy < self._total:
            best = self._aged() if is_any_aged and self._since_aged + 1 >= AGED_EVERY else None
            if best is None:
                best = self._most_urgent()
            if best is None:
                return
            self._since_aged += 1
            yield self._claim(best, self._open.pop(best))

    def _most_urgent(self) -> AgentName | None:
        """Return the first agent of those with the most urgent call.

        It then goes to the back, so that none waits for ever behind another where the total is what bounds.
        """
        best, level = None, -1
        for agent, lane in self._open.items():
            if lane.waiting.top > level and self._may_go(lane):
                best, level = agent, lane.waiting.top
        return best

    def _aged(self) -> AgentName | None:
        """Return the agent for which a call has waited longest, if that is too long.

        Asked every so many grants: else what is urgent at some agents would keep what is not from the others, where the
        total is what bounds.
        """
        since = self._now - AGED_AFTER_MS
        aged = [(lane.waiting.oldest, agent) for agent, lane in self._open.items() if lane.waiting.oldest <= since]
        best = next((agent for _, agent in sorted(aged) if self._may_go(self._open[agent])), None)
        if best is not None:
            self._since_aged = -1  # this grant is not one of those that are counted
        return best

    def next_instant(self) -> UtcMs | None:
        """Return when a rate or a breaker lets the next call go, if that is all that keeps one back."""
        if self._busy >= self._total:
            return None
        instants: list[int] = []
        for lane in self._open.values():
            if lane.busy >= lane.bound(self._bulkhead):
                continue
            own = [self._now]
            if lane.bucket is not None and lane.bucket.tokens < 1:
                own.append(lane.bucket.next_token_at())
            if not lane.breaker.gate.may_pass(self._now):
                opens_at = lane.breaker.gate.opens_at()
                if opens_at is None:
                    continue  # the end of a call that is under way changes it
                own.append(UtcMs(opens_at))
            if len(own) > 1:
                instants.append(max(own))
        return UtcMs(min(instants)) if instants else None

    @property
    def busy(self) -> int:
        """Calls in flight."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Calls that wait for a slot."""
        return self._waiting

    def views(self) -> tuple[AgentView, ...]:
        """Return every agent that was ever called, for status."""
        return tuple(
            AgentView(
                agent=name,
                busy=lane.busy,
                waiting=len(lane.waiting),
                bound=lane.bound(self._bulkhead),
                breaker=lane.breaker.gate.phase.value,
                closed_until=_instant(lane.breaker.gate.opens_at()),
            )
            for name, lane in sorted(self._lanes.items())
        )

    def _lane(self, agent: AgentName) -> _Lane:
        lane = self._lanes.get(agent)
        if lane is None:
            limits = self._limits.get(agent, _UNLIMITED)
            lane = _Lane(WaitingCalls(self._weights), limits, _bucket(limits, self._now), _adaptive(limits))
            self._lanes[agent] = lane
        return lane

    def _may_go(self, lane: _Lane) -> bool:
        if lane.busy >= lane.bound(self._bulkhead) or not lane.breaker.gate.may_pass(self._now):
            return False
        if lane.bucket is None:
            return True
        lane.bucket.refill(self._now)
        return lane.bucket.tokens >= 1

    def _claim(self, agent: AgentName, lane: _Lane) -> tuple[WorkflowId, CallRef]:
        entry = lane.waiting.next(self._now)
        if lane.waiting:
            self._open[agent] = lane
        self._waiting -= 1
        holding = self._holdings[entry.workflow_id]
        del holding.waiting[entry.ref]
        self._take(holding, entry.ref, agent)
        if lane.bucket is not None:
            lane.bucket.tokens -= 1
        return entry.workflow_id, entry.ref

    def _wait(
        self, workflow_id: WorkflowId, holding: _Holding, ref: CallRef, agent: AgentName, due: UtcMs | None
    ) -> None:
        level = UNDO_PRIORITY if ref[1] == "undo" else holding.priority
        entry = Entry(holding.tenant, workflow_id, ref, level, self._now, due)
        lane = self._lane(agent)
        lane.waiting.add(entry)
        self._open.setdefault(agent, lane)
        holding.waiting[ref] = (agent, entry)
        self._waiting += 1

    def _unwait(self, holding: _Holding, ref: CallRef) -> None:
        agent, entry = holding.waiting.pop(ref)
        lane = self._lanes[agent]
        lane.waiting.remove(entry)
        if not lane.waiting:
            del self._open[agent]
        self._waiting -= 1

    def _take(self, holding: _Holding, ref: CallRef, agent: AgentName) -> None:
        lane = self._lane(agent)
        holding.held[ref] = _Held(agent, self._now, lane.breaker.gate.passed())
        lane.busy += 1
        self._busy += 1

    def _free(self, holding: _Holding, ref: CallRef) -> None:
        taken = holding.held.pop(ref)
        lane = self._lane(taken.agent)
        if taken.epoch >= 0:
            lane.breaker.gate.left(taken.epoch, self._now)
        lane.busy -= 1
        self._busy -= 1


def _bulkhead(total: int, agents: int) -> int:
    """Return the most that any agent may hold of the total: all of it where there is only one, or little to share."""
    return total - (total // BULKHEAD_SHARE if agents > 1 else 0)


def _instant(value: int | None) -> UtcMs | None:
    return None if value is None else UtcMs(value)


def _bucket(limits: AgentLimits, now: UtcMs) -> _Bucket | None:
    if limits.rate_per_second is None:
        return None
    return _Bucket(limits.rate_per_second, max(1.0, limits.rate_per_second), now)


def _adaptive(limits: AgentLimits) -> Adaptive | None:
    return Adaptive(limits.concurrency) if limits.adaptive else None
