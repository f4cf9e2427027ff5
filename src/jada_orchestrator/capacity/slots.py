"""Slots: the one place that decides, and claims in the same step, which ready call goes next.

Bounds: so many calls in all (the connections that there are), and for each agent its concurrency and its rate. Order:
undoing before doing, then priority, then tenants in turn, then workflows in turn, then order of readiness. An agent
that is full never holds up the calls of another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jada_orchestrator.domain.catalogue import AgentLimits
from jada_orchestrator.domain.ids import AgentName, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import PRIORITY_MAX
from jada_orchestrator.domain.workflow import CallRef

UNDO_PRIORITY = PRIORITY_MAX + 1
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
class _Rota:
    """Calls that wait for one agent at one priority; tenants take turns, and within a tenant its workflows."""

    tenants: dict[str, dict[WorkflowId, dict[CallRef, None]]] = field(default_factory=dict)

    def add(self, tenant: str, workflow_id: WorkflowId, ref: CallRef) -> None:
        self.tenants.setdefault(tenant, {}).setdefault(workflow_id, {})[ref] = None

    def remove(self, tenant: str, workflow_id: WorkflowId, ref: CallRef) -> None:
        workflows = self.tenants[tenant]
        refs = workflows[workflow_id]
        del refs[ref]
        if not refs:
            del workflows[workflow_id]
        if not workflows:
            del self.tenants[tenant]

    def first(self) -> tuple[str, WorkflowId, CallRef]:
        tenant, workflows = next(iter(self.tenants.items()))
        workflow_id, refs = next(iter(workflows.items()))
        return tenant, workflow_id, next(iter(refs))

    def rotate(self, tenant: str, workflow_id: WorkflowId) -> None:
        """Send a tenant and its workflow to the back, if they still wait for anything."""
        workflows = self.tenants.pop(tenant, None)
        if workflows is None:
            return
        refs = workflows.pop(workflow_id, None)
        if refs is not None:
            workflows[workflow_id] = refs
        self.tenants[tenant] = workflows


@dataclass(slots=True)
class _Lane:
    """One agent: its bounds, what it is doing, and who waits for it."""

    limits: AgentLimits
    bucket: _Bucket | None
    busy: int = 0
    rotas: dict[int, _Rota] = field(default_factory=dict)


@dataclass(slots=True)
class _Holding:
    """What one workflow waits for and holds."""

    tenant: str
    priority: int
    waiting: dict[CallRef, AgentName] = field(default_factory=dict)
    held: dict[CallRef, AgentName] = field(default_factory=dict)


class Slots:
    """Grants slots. The caller says after each change of a workflow what it waits for and holds (`sync`)."""

    def __init__(self, total: int, agents: Mapping[AgentName, AgentLimits], now: UtcMs) -> None:
        """Begin empty. `total` bounds the calls in flight of all agents together."""
        self._total = total
        self._busy = 0
        self._limits = dict(agents)
        self._lanes: dict[AgentName, _Lane] = {}
        self._holdings: dict[WorkflowId, _Holding] = {}
        self._now = now

    def set_limits(self, total: int, agents: Mapping[AgentName, AgentLimits]) -> None:
        """Change the bounds; what is in flight above a new bound is let end."""
        self._total = total
        self._limits = dict(agents)
        for name, lane in self._lanes.items():
            lane.limits = self._limits.get(name, _UNLIMITED)
            lane.bucket = _bucket(lane.limits, self._now)

    def sync(
        self,
        workflow_id: WorkflowId,
        tenant: str,
        priority: int,
        waiting: Mapping[CallRef, AgentName],
        held: Mapping[CallRef, AgentName],
    ) -> None:
        """Make known what a workflow waits for, and what it has in flight; everything else of it is forgotten."""
        holding = self._holdings.setdefault(workflow_id, _Holding(tenant, priority))
        for ref, agent in list(holding.waiting.items()):
            if waiting.get(ref) != agent:
                self._unwait(workflow_id, holding, ref)
        for ref, agent in list(holding.held.items()):
            if held.get(ref) != agent:
                self._free(holding, ref)
        for ref, agent in held.items():
            if ref not in holding.held:
                self._take(holding, ref, agent)
        for ref, agent in waiting.items():
            if ref not in holding.waiting:
                holding.waiting[ref] = agent
                rota = self._lane(agent).rotas.setdefault(_priority(holding, ref), _Rota())
                rota.add(holding.tenant, workflow_id, ref)
        if not holding.waiting and not holding.held:
            del self._holdings[workflow_id]

    def grant(self, now: UtcMs) -> Iterator[tuple[WorkflowId, CallRef]]:
        """Yield the calls that may go now, each claimed as it is yielded; agents take turns, from call to call."""
        self._now = max(self._now, now)
        while self._busy < self._total:
            ready = [(agent, lane) for agent, lane in self._lanes.items() if self._may_go(lane)]
            if not ready:
                return
            # The first of those with the most urgent call; it then goes to the back, so that none waits for ever
            # behind another where the total is what bounds.
            agent, lane = max(ready, key=lambda each: max(each[1].rotas))
            self._lanes[agent] = self._lanes.pop(agent)
            yield self._claim(lane)

    def next_instant(self) -> UtcMs | None:
        """Return when a rate lets the next call go, if a rate is all that keeps one back."""
        if self._busy >= self._total:
            return None
        instants = [
            lane.bucket.next_token_at()
            for lane in self._lanes.values()
            if lane.bucket is not None and lane.rotas and lane.busy < lane.limits.concurrency and lane.bucket.tokens < 1
        ]
        return min(instants, default=None)

    @property
    def busy(self) -> int:
        """Calls in flight."""
        return self._busy

    @property
    def waiting(self) -> int:
        """Calls that wait for a slot."""
        return sum(len(holding.waiting) for holding in self._holdings.values())

    def _lane(self, agent: AgentName) -> _Lane:
        lane = self._lanes.get(agent)
        if lane is None:
            limits = self._limits.get(agent, _UNLIMITED)
            lane = self._lanes[agent] = _Lane(limits, _bucket(limits, self._now))
        return lane

    def _may_go(self, lane: _Lane) -> bool:
        if not lane.rotas or lane.busy >= lane.limits.concurrency:
            return False
        if lane.bucket is None:
            return True
        lane.bucket.refill(self._now)
        return lane.bucket.tokens >= 1

    def _claim(self, lane: _Lane) -> tuple[WorkflowId, CallRef]:
        rota = lane.rotas[max(lane.rotas)]
        tenant, workflow_id, ref = rota.first()
        holding = self._holdings[workflow_id]
        agent = holding.waiting[ref]
        self._unwait(workflow_id, holding, ref)
        rota.rotate(tenant, workflow_id)
        self._take(holding, ref, agent)
        if lane.bucket is not None:
            lane.bucket.tokens -= 1
        return workflow_id, ref

    def _unwait(self, workflow_id: WorkflowId, holding: _Holding, ref: CallRef) -> None:
        lane = self._lane(holding.waiting.pop(ref))
        priority = _priority(holding, ref)
        rota = lane.rotas[priority]
        rota.remove(holding.tenant, workflow_id, ref)
        if not rota.tenants:
            del lane.rotas[priority]

    def _take(self, holding: _Holding, ref: CallRef, agent: AgentName) -> None:
        holding.held[ref] = agent
        self._lane(agent).busy += 1
        self._busy += 1

    def _free(self, holding: _Holding, ref: CallRef) -> None:
        self._lane(holding.held.pop(ref)).busy -= 1
        self._busy -= 1


def _bucket(limits: AgentLimits, now: UtcMs) -> _Bucket | None:
    if limits.rate_per_second is None:
        return None
    return _Bucket(limits.rate_per_second, max(1.0, limits.rate_per_second), now)


def _priority(holding: _Holding, ref: CallRef) -> int:
    return UNDO_PRIORITY if ref[1] == "undo" else holding.priority
