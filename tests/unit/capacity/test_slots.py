"""Slots: who goes next."""

from __future__ import annotations

from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.domain.catalogue import AgentLimits
from jada_orchestrator.domain.events import Side
from jada_orchestrator.domain.ids import AgentName, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import CallRef

A, B = AgentName("a"), AgentName("b")
NOW = UtcMs(1_000_000)


def ref(name: str, side: Side = "do") -> CallRef:
    """A call."""
    return TaskId(name), side


def slots(total: int = 100, **agents: AgentLimits) -> Slots:
    """Slots with these agents' limits."""
    return Slots(total, {AgentName(name): limits for name, limits in agents.items()}, NOW)


def wait(
    into: Slots,
    workflow: str,
    *names: str,
    agent: AgentName = A,
    tenant: str = "t",
    priority: int = 5,
    side: Side = "do",
) -> None:
    """Have a workflow wait for these calls of one agent, and hold nothing."""
    into.sync(WorkflowId(workflow), tenant, priority, {ref(name, side): agent for name in names}, {})


def granted(of: Slots, now: int = NOW) -> list[str]:
    """Grant everything that may go, as ``workflow.task``."""
    return [f"{workflow}.{task_id}" for workflow, (task_id, _) in of.grant(UtcMs(now))]


def test_no_more_than_the_agent_takes() -> None:
    """An agent's concurrency is a bound, and what waits goes when something ends."""
    into = slots(a=AgentLimits(2))
    wait(into, "w", "1", "2", "3")
    assert granted(into) == ["w.1", "w.2"]
    assert granted(into) == []
    into.sync(WorkflowId("w"), "t", 5, {ref("3"): A}, {ref("2"): A})
    assert granted(into) == ["w.3"]


def test_no_more_than_there_are_connections() -> None:
    """The total bounds all agents together."""
    into = slots(3)
    wait(into, "w", "1", "2", agent=A)
    wait(into, "v", "1", "2", agent=B)
    assert len(granted(into)) == into.busy == 3
    assert into.waiting == 1


def test_a_full_agent_holds_up_nobody_else() -> None:
    """Calls of another agent go past those that wait for a full one."""
    into = slots(a=AgentLimits(1))
    wait(into, "w", "1", "2", "3", agent=A)
    wait(into, "v", "1", agent=B)
    assert sorted(granted(into)) == ["v.1", "w.1"]


def test_agents_take_turns_where_the_total_is_the_bound() -> None:
    """With one connection for all, every agent has its turn, however much waits for the first."""
    into = slots(1)
    waiting = {A: ["1", "2", "3"], B: ["1", "2", "3"]}
    order = []
    for _ in range(6):
        for agent, names in waiting.items():
            wait(into, f"w{agent}", *names, agent=agent)
        (got,) = granted(into)
        order.append(got)
        waiting[AgentName(got[1])].remove(got[3:])
    assert order == ["wa.1", "wb.1", "wa.2", "wb.2", "wa.3", "wb.3"]


def test_undoing_goes_before_doing_and_priority_before_patience() -> None:
    """Also across agents: what is to be undone comes first, then the more urgent."""
    into = slots(1)
    wait(into, "low", "1", priority=1)
    wait(into, "high", "1", priority=9, agent=B)
    wait(into, "undo", "1", priority=0, side="undo")
    order = []
    for _ in range(3):
        (got,) = granted(into)
        order.append(got)
        into.sync(WorkflowId(got.partition(".")[0]), "t", 5, {}, {})
    assert order == ["undo.1", "high.1", "low.1"]


def test_tenants_take_turns_and_workflows_within_them() -> None:
    """A tenant with a hundred bookings does not go before one with a single one."""
    into = slots()
    wait(into, "x1", "1", "2", tenant="x")
    wait(into, "x2", "1", tenant="x")
    wait(into, "y1", "1", tenant="y")
    assert granted(into) == ["x1.1", "y1.1", "x2.1", "x1.2"]


def test_a_rate_lets_so_many_go_in_a_second() -> None:
    """A second's worth goes at once, then one at a time; when, is told."""
    into = slots(a=AgentLimits(100, rate_per_second=2))
    wait(into, "w", *"12345")
    assert len(granted(into)) == 2
    instant = into.next_instant()
    assert instant is not None
    assert NOW < instant <= NOW + 501
    assert granted(into, instant - 2) == []
    assert granted(into, instant) == ["w.3"]


def test_a_rate_does_not_save_up() -> None:
    """After an hour of rest there is one second's worth, not an hour's."""
    into = slots(a=AgentLimits(100, rate_per_second=3))
    wait(into, "w", *"123456789")
    granted(into)
    assert len(granted(into, NOW + 3_600_000)) == 3


def test_a_rate_below_one_a_second_still_lets_calls_go() -> None:
    """Once in ten seconds is once in ten seconds, and not never."""
    into = slots(a=AgentLimits(100, rate_per_second=0.1))
    wait(into, "w", "1", "2")
    assert granted(into) == ["w.1"]
    assert granted(into, NOW + 9_000) == []
    assert granted(into, NOW + 10_001) == ["w.2"]


def test_a_clock_that_goes_back_changes_nothing() -> None:
    """No token is lost or won by an earlier now."""
    into = slots(a=AgentLimits(100, rate_per_second=1))
    wait(into, "w", "1", "2")
    granted(into)
    assert granted(into, NOW - 60_000) == []
    assert granted(into, NOW + 1_001) == ["w.2"]


def test_nobody_waits_for_a_rate_when_nothing_waits() -> None:
    """There is no instant to wake for unless a rate is what keeps a call back."""
    into = slots(a=AgentLimits(1, rate_per_second=1))
    assert into.next_instant() is None
    wait(into, "w", "1", "2")
    granted(into)
    assert into.next_instant() is None, "the agent is full: its end, not time, lets the next one go"


def test_sync_may_be_called_again() -> None:
    """Saying the same twice changes nothing; saying that nothing is left forgets everything."""
    into = slots()
    for _ in range(3):
        into.sync(WorkflowId("w"), "t", 5, {ref("1"): A}, {ref("2"): A})
    assert (into.busy, into.waiting) == (1, 1)
    into.sync(WorkflowId("w"), "t", 5, {}, {})
    assert (into.busy, into.waiting) == (0, 0)
    assert granted(into) == []


def test_a_lookup_moves_to_its_own_agent() -> None:
    """A call whose next attempt goes to another agent waits there, and nowhere else."""
    into = slots(a=AgentLimits(1))
    wait(into, "w", "1", agent=A)
    wait(into, "w", "1", agent=B)
    assert into.waiting == 1
    assert granted(into) == ["w.1"]
    into.sync(WorkflowId("w"), "t", 5, {}, {ref("1"): A})
    assert into.busy == 1


def test_new_limits_hold_for_what_goes_from_now_on() -> None:
    """What is in flight above a new bound is let end."""
    into = slots(a=AgentLimits(3))
    wait(into, "w", *"123456")
    assert len(granted(into)) == 3
    into.set_limits(100, {A: AgentLimits(1)})
    assert granted(into) == []
    into.set_limits(100, {A: AgentLimits(5)})
    assert len(granted(into)) == 2
