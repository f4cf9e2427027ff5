"""Who waits for whom: weights, ageing, slack, bulkheads, and that one grant costs no look at all the others."""

from __future__ import annotations

import gc
import time
from collections import Counter
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.capacity.waiting import AGED_AFTER_MS, AGED_EVERY, Entry, WaitingCalls
from jada_orchestrator.domain.catalogue import AgentLimits
from jada_orchestrator.domain.ids import AgentName, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import CallRef

A, B = AgentName("a"), AgentName("b")
NOW = UtcMs(1_000_000)
CALL: Final[CallRef] = (TaskId("t"), "do")


def wait(
    into: Slots, workflow: str, tenant: str, *, agent: AgentName = A, priority: int = 5, due: UtcMs | None = None
) -> None:
    """Have a booking wait for its only call."""
    into.sync(WorkflowId(workflow), tenant, priority, {CALL: agent}, {}, lambda _: due)


def next_one(of: Slots, now: int = NOW, *, ends: bool = True) -> str:
    """Grant one call, and have it end at once."""
    workflow_id, _ = next(of.grant(UtcMs(now)))
    if ends:
        of.sync(workflow_id, "", 0, {}, {})
    return str(workflow_id)


def one_at_a_time(**weights: float) -> Slots:
    """Slots with room for one call."""
    return Slots(1, {A: AgentLimits(1)}, NOW, weights)


def test_ten_thousand_of_one_tenant_delay_anothers_single_call_by_one() -> None:
    """Whenever the single call comes, at most one call of the crowd goes before it."""
    into = one_at_a_time()
    for number in range(10_000):
        wait(into, f"crowd-{number}", "crowd")
    for round_ in range(50):
        for _ in range(round_ % 7):
            assert next_one(into).startswith("crowd")
        wait(into, f"single-{round_}", "single")
        assert f"single-{round_}" in [next_one(into), next_one(into)]


@given(heavy=st.floats(0.2, 5.0), tenants=st.integers(2, 5))
def test_tenants_share_by_weight(heavy: float, tenants: int) -> None:
    """While all have something waiting, grants are in proportion to the weights, to within one each."""
    into = one_at_a_time(t0=heavy)
    for tenant in range(tenants):
        for number in range(150):
            wait(into, f"{tenant}-{number}", f"t{tenant}")
    granted = Counter(next_one(into).partition("-")[0] for _ in range(120))
    total = heavy + tenants - 1
    assert abs(granted["0"] - 120 * heavy / total) <= 1 + heavy
    assert all(abs(granted[str(n)] - 120 / total) <= 2 for n in range(1, tenants))


def test_a_tenant_that_was_away_saves_nothing_up() -> None:
    """One that comes back after a long time shares from then on; it does not get what it did not use."""
    into = one_at_a_time()
    wait(into, "b-first", "b")
    for number in range(100):
        wait(into, f"a-{number}", "a")
    for _ in range(60):
        next_one(into)
    for number in range(20):
        wait(into, f"b-{number}", "b")
    granted = Counter(next_one(into)[0] for _ in range(20))
    assert granted == {"a": 10, "b": 10}


def test_aged_low_priority_runs_under_a_stream_of_high() -> None:
    """However much of high priority keeps coming, a call that has waited half a minute has its turn within a few."""
    into = one_at_a_time()
    wait(into, "low", "t", priority=0)
    now, served = int(NOW), []
    for number in range(200):
        wait(into, f"high-{number}", "t", priority=9)
        now += AGED_AFTER_MS // 100
        served.append(next_one(into, now))
    assert 99 <= served.index("low") <= 99 + AGED_EVERY


def test_what_is_urgent_at_some_agents_does_not_starve_what_is_not_at_others() -> None:
    """Where the total is the bound, an old call of an idle agent has its turn among urgent ones of busy agents."""
    into = Slots(1, {A: AgentLimits(1), B: AgentLimits(1)}, NOW)
    wait(into, "low", "t", agent=B, priority=0)
    now, served = int(NOW), []
    for number in range(200):
        wait(into, f"high-{number}", "t", priority=9)
        now += AGED_AFTER_MS // 100
        served.append(next_one(into, now))
    assert 99 <= served.index("low") <= 99 + AGED_EVERY


def test_forgotten_calls_are_not_kept_for_ever() -> None:
    """While nobody may go, calls come and are given up by the thousand: what is kept is what waits, and a little."""
    into = WaitingCalls({})
    stays = Entry("t", WorkflowId("stays"), CALL, 5, NOW, None)
    into.add(stays)
    for number in range(5_000):
        gone = Entry(f"t{number % 7}", WorkflowId(str(number)), CALL, 5, UtcMs(NOW - 7), None)
        into.add(gone)
        into.remove(gone)
    assert sum(isinstance(each, Entry) and each.since == NOW - 7 for each in gc.get_objects()) < 1_000
    assert into.next(NOW) is stays


def test_old_low_priority_does_not_crowd_out_high() -> None:
    """A long backlog of aged calls takes no more than its share from what is urgent."""
    into = one_at_a_time()
    for number in range(100):
        wait(into, f"low-{number}", "t", priority=0)
    now = NOW + 10 * AGED_AFTER_MS
    for number in range(80):
        wait(into, f"high-{number}", "u", priority=9)
    granted = Counter(next_one(into, now).partition("-")[0] for _ in range(80))
    assert granted["low"] == 80 // AGED_EVERY


def test_least_slack_goes_first_within_a_round() -> None:
    """Among bookings of a tenant whose turn it is, the one that is due first goes first; without a due instant last."""
    into = one_at_a_time()
    for name, due in (("late", 9_000), ("never", None), ("soon", 1_000), ("mid", 5_000)):
        wait(into, name, "t", due=None if due is None else UtcMs(NOW + due))
    assert [next_one(into) for _ in range(4)] == ["soon", "mid", "late", "never"]


def test_bookings_of_a_tenant_take_turns() -> None:
    """A booking of a hundred calls does not keep a small one of the same tenant waiting for all of them."""
    into = one_at_a_time()
    wide: dict[CallRef, AgentName] = {(TaskId(f"t{number}"), "do"): A for number in range(100)}
    into.sync(WorkflowId("wide"), "t", 5, wide, {})
    wait(into, "small", "t")
    order = []
    for _ in range(3):
        workflow_id, ref = next(into.grant(NOW))
        order.append(str(workflow_id))
        wide.pop(ref, None)
        into.sync(workflow_id, "t", 5, wide if workflow_id == "wide" else {}, {})
    assert order == ["wide", "small", "wide"]


def test_a_stuck_agent_leaves_room_for_others() -> None:
    """An agent that takes everything and gives nothing back is kept from the last fifth of the total."""
    into = Slots(10, {A: AgentLimits(1_000), B: AgentLimits(1_000)}, NOW)
    for number in range(100):
        wait(into, f"stuck-{number}", "t")
    assert len(list(into.grant(NOW))) == 8
    for number in range(20):
        wait(into, f"other-{number}", "t", agent=B)
        assert next_one(into) == f"other-{number}"


def test_a_grant_looks_at_nobody_else() -> None:
    """A grant among 30,000 waiting calls costs about what it costs among 300: not a look at each of them."""

    def cost_s(waiting: int) -> float:
        into = one_at_a_time()
        for number in range(waiting):
            wait(into, f"w-{number}", f"t{number % 100}")
        began = time.process_time()
        for _ in range(250):
            next_one(into)
        return time.process_time() - began

    few = min(cost_s(300) for _ in range(3))
    many = min(cost_s(30_000) for _ in range(2))
    assert many < 10 * few  # a hundred times as many; a scan would cost a hundred times as much
