"""Slots under any sequence of arrivals, ends, grants, limits and instants."""

from __future__ import annotations

from collections import Counter
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from jada_orchestrator.capacity.health import Ending
from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.domain.catalogue import AgentLimits
from jada_orchestrator.domain.ids import AgentName, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import CallRef

AGENTS: Final = [AgentName(name) for name in "abc"]
SECOND_MS: Final = 1_000

limits: Final = st.builds(
    AgentLimits,
    concurrency=st.integers(1, 4),
    rate_per_second=st.sampled_from([None, None, 0.5, 1.0, 5.0]),
    adaptive=st.booleans(),
)


class SlotsMachine(RuleBasedStateMachine):
    """A model beside the real thing: who waits and who holds, by workflow."""

    def __init__(self) -> None:
        super().__init__()
        self.now = UtcMs(1_000_000)
        self.total = 5
        self.limits = {AGENTS[0]: AgentLimits(2), AGENTS[1]: AgentLimits(4, 1.0), AGENTS[2]: AgentLimits(1)}
        self.slots = Slots(self.total, self.limits, self.now)
        self.waiting: dict[WorkflowId, dict[CallRef, AgentName]] = {}
        self.held: dict[WorkflowId, dict[CallRef, AgentName]] = {}
        self.count = 0
        self.lowered = False

    def sync(self, workflow_id: WorkflowId) -> None:
        """Tell what a workflow waits for and holds; twice, since that must change nothing."""
        number = int(workflow_id)
        for _ in range(2):
            self.slots.sync(
                workflow_id,
                f"tenant-{number % 3}",
                number % 2,
                self.waiting.get(workflow_id, {}),
                self.held.get(workflow_id, {}),
                lambda ref: UtcMs(self.now + len(ref[0])) if number % 2 else None,
            )

    @rule(number=st.integers(0, 8), agent=st.sampled_from(AGENTS), undo=st.booleans())
    def becomes_ready(self, number: int, agent: AgentName, undo: bool) -> None:
        """A call of a workflow becomes ready."""
        self.count += 1
        ref: CallRef = (TaskId(f"task-{self.count}"), "undo" if undo else "do")
        self.waiting.setdefault(WorkflowId(str(number)), {})[ref] = agent
        self.sync(WorkflowId(str(number)))

    @rule(which=st.integers(0, 50), ending=st.sampled_from(["answered", "throttled", "unanswered", None]))
    def ends(self, which: int, ending: Ending | None) -> None:
        """A call in flight ends, well or badly, or is given up."""
        refs = [(workflow_id, ref) for workflow_id, held in self.held.items() for ref in held]
        if refs:
            workflow_id, ref = refs[which % len(refs)]
            if ending is not None:
                self.slots.ended(workflow_id, ref, ending, self.now)
                self.slots.ended(WorkflowId("nobody"), ref, ending, self.now)
            del self.held[workflow_id][ref]
            self.sync(workflow_id)

    @rule(number=st.integers(0, 8))
    def is_forgotten(self, number: int) -> None:
        """A workflow is set aside."""
        workflow_id = WorkflowId(str(number))
        self.waiting.pop(workflow_id, None)
        self.held.pop(workflow_id, None)
        self.sync(workflow_id)

    @rule(drawn=st.fixed_dictionaries(dict.fromkeys(AGENTS, limits)), total=st.integers(1, 8))
    def limits_change(self, drawn: dict[AgentName, AgentLimits], total: int) -> None:
        """The operator reloads."""
        self.limits, self.total, self.lowered = drawn, total, True
        self.slots.set_limits(total, drawn, {"tenant-0": 2.0})

    @rule(ms=st.sampled_from([0, 10, SECOND_MS, -500, 60_000]))
    def grants(self, ms: int) -> None:
        """Slots are granted; what is granted waited, and within every bound when it was claimed."""
        self.now = UtcMs(self.now + ms)
        for workflow_id, ref in self.slots.grant(self.now):
            agent = self.waiting[workflow_id].pop(ref)
            self.held.setdefault(workflow_id, {})[ref] = agent
            self.sync(workflow_id)
            assert self.busy() <= self.total
            assert self.by_agent()[agent] <= self.limits[agent].concurrency
        self.nothing_is_held_back()

    def nothing_is_held_back(self) -> None:
        """What still waits, waits for a bound: the total, its agent's bound of now, its rate, or its breaker."""
        if self.busy() >= self.total:
            return
        views = {view.agent: view for view in self.slots.views()}
        for waiting in self.waiting.values():
            for agent in waiting.values():
                full = self.by_agent()[agent] >= views[agent].bound
                rated = self.limits[agent].rate_per_second is not None and self.slots.next_instant() is not None
                assert full or rated or views[agent].breaker != "open"

    def busy(self) -> int:
        """Calls in flight, as the model has it."""
        return sum(len(held) for held in self.held.values())

    def by_agent(self) -> Counter[AgentName]:
        """Calls in flight by agent."""
        return Counter(agent for held in self.held.values() for agent in held.values())

    @invariant()
    def the_counts_agree(self) -> None:
        """Nothing is lost or counted twice."""
        assert self.slots.busy == self.busy()
        assert self.slots.waiting == sum(len(waiting) for waiting in self.waiting.values())

    def teardown(self) -> None:
        """Nobody starves: when calls end and time passes, everything that waits is granted within a bound."""
        waiting = sum(len(each) for each in self.waiting.values())
        for _ in range(3 * waiting + 3):
            self.grants(60 * SECOND_MS)
            for workflow_id in list(self.held):
                for ref in self.held[workflow_id]:
                    self.slots.ended(workflow_id, ref, "answered", self.now)
                self.held[workflow_id] = {}
                self.sync(workflow_id)
        assert not any(self.waiting.values())


def test_bounds_hold_and_nobody_starves() -> None:
    """No order of events breaks a bound, loses a call, or keeps one waiting for ever."""
    run_state_machine_as_test(
        SlotsMachine, settings=settings(max_examples=settings().max_examples * 2 // 5, stateful_step_count=40)
    )
