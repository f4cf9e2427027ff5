"""How an agent fares: the bound that is found by trying, and the breaker."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.capacity.health import PATIENCE, TRIPS_AFTER, Adaptive, Ending, ending_of
from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.domain.catalogue import AgentLimits
from jada_orchestrator.domain.events import Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import AgentName, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.workflow import CallRef

A: Final = AgentName("a")
CALL: Final[CallRef] = (TaskId("t"), "do")
NOW: Final = UtcMs(1_000_000)
FAILURE: Final = Failure("X", "x")


def test_only_what_reached_nobody_counts_against_an_agent() -> None:
    """Errors that an agent answers itself are answers; throttling is a sign of load and not of being broken."""
    assert ending_of(Succeeded({})) == "answered"
    assert ending_of(Failed(FAILURE, retryable=True, answered=True)) == "answered"
    assert ending_of(Failed(Failure("THROTTLED", "x"), retryable=True, answered=False)) == "throttled"
    assert ending_of(Failed(FAILURE, retryable=True, answered=False)) == "unanswered"
    assert ending_of(Lost(FAILURE)) == "unanswered"


def bound_after(adaptive: Adaptive, calls: int, *, capacity: int) -> float:
    """Have calls made, `bound` at a time, at an agent that slows down above its capacity."""
    now = int(NOW)
    for _ in range(calls):
        at_once = int(adaptive.bound)
        took = 100 if at_once <= capacity else 100 * at_once
        for _ in range(at_once):
            adaptive.ended("answered", UtcMs(now), UtcMs(now + took), at_once)
        now += took + 1
    return adaptive.bound


def test_the_bound_rises_to_what_the_agent_bears_and_stays_near_it() -> None:
    """From its careful beginning it goes up to where latency rises, and down again from there."""
    assert 25 <= bound_after(Adaptive(100), 60, capacity=40) <= 45


def test_the_bound_is_never_above_the_catalogues() -> None:
    """A healthy agent gets all that the catalogue allows, and no more."""
    assert bound_after(Adaptive(20), 100, capacity=1_000) == 20


def test_a_quiet_time_teaches_nothing() -> None:
    """One call at a time says nothing of what the agent would bear: the bound is as careful as before."""
    adaptive = Adaptive(100)
    before = adaptive.bound
    for number in range(1_000):
        adaptive.ended("answered", UtcMs(NOW + number), UtcMs(NOW + number + 100), 1)
    assert adaptive.bound == before


def test_one_burst_of_throttles_lowers_the_bound_once() -> None:
    """Calls begun before the last decrease tell nothing new."""
    adaptive = Adaptive(100)
    before = adaptive.bound
    for _ in range(10):
        adaptive.ended("throttled", NOW, UtcMs(NOW + 50), 10)
    assert adaptive.bound == before * 0.7


@given(
    endings=st.lists(
        st.tuples(st.sampled_from(["answered", "throttled", "unanswered"]), st.integers(0, 10_000)), max_size=200
    ),
    most=st.integers(1, 50),
)
def test_the_bound_stays_in_its_bounds(endings: list[tuple[Ending, int]], most: int) -> None:
    """Whatever happens, at least one call at a time, and never more than the catalogue allows."""
    adaptive = Adaptive(most)
    now = int(NOW)
    for ending, took in endings:
        adaptive.ended(ending, UtcMs(now), UtcMs(now + took), most)
        now += 10
        assert 1 <= adaptive.bound <= most


class Agent:
    """One agent behind slots, with one booking for each call."""

    def __init__(self) -> None:
        self.slots = Slots(100, {A: AgentLimits(100)}, NOW)
        self.number = 0

    def wants(self, calls: int) -> None:
        """Have so many more calls wait."""
        for _ in range(calls):
            self.number += 1
            self.slots.sync(WorkflowId(str(self.number)), "t", 5, {CALL: A}, {})

    def goes(self, now: int) -> list[WorkflowId]:
        """Return what may go."""
        return [workflow_id for workflow_id, _ in self.slots.grant(UtcMs(now))]

    def end(self, workflow_id: WorkflowId, ending: Ending, now: int) -> None:
        """End a call."""
        self.slots.ended(workflow_id, CALL, ending, UtcMs(now))
        self.slots.sync(workflow_id, "t", 5, {}, {})


def broken() -> Agent:
    """An agent whose breaker has just opened."""
    agent = Agent()
    agent.wants(TRIPS_AFTER)
    for workflow_id in agent.goes(NOW):
        agent.end(workflow_id, "unanswered", NOW)
    return agent


def test_nobody_is_sent_to_an_agent_that_does_not_answer() -> None:
    """After so many in a row, nothing goes until the breaker's time has passed; then one probe, and no other."""
    agent = broken()
    agent.wants(5)
    assert agent.goes(NOW + PATIENCE.first_ms - 1) == []
    assert agent.slots.next_instant() == NOW + PATIENCE.first_ms
    [view] = agent.slots.views()
    assert (view.breaker, view.waiting, view.closed_until) == ("closed", 5, NOW + PATIENCE.first_ms)
    assert len(agent.goes(NOW + PATIENCE.first_ms)) == 1
    assert agent.goes(NOW + 10 * PATIENCE.first_ms) == []


def test_a_failed_probe_doubles_the_time() -> None:
    """An agent that is still away is asked less and less often."""
    agent = broken()
    agent.wants(5)
    [probe] = agent.goes(NOW + PATIENCE.first_ms)
    agent.end(probe, "unanswered", NOW + PATIENCE.first_ms)
    assert agent.slots.next_instant() == NOW + PATIENCE.first_ms + 2 * PATIENCE.first_ms


def test_an_answered_probe_lets_calls_through_again() -> None:
    """A few at first, more with each answer, and all in the end."""
    agent = broken()
    agent.wants(100)
    now = NOW + PATIENCE.first_ms
    went = []
    for _ in range(8):
        batch = agent.goes(now)
        went.append(len(batch))
        for workflow_id in batch:
            agent.end(workflow_id, "answered", now)
    assert went[:2] == [1, 2]
    assert sum(went) == 100
    assert agent.slots.views()[0].breaker == "open"


def test_an_abandoned_probe_is_made_again() -> None:
    """A probe whose booking was cancelled tells nothing; the next call is the probe."""
    agent = broken()
    agent.wants(2)
    [probe] = agent.goes(NOW + PATIENCE.first_ms)
    agent.slots.sync(probe, "t", 5, {}, {})
    assert len(agent.goes(NOW + PATIENCE.first_ms)) == 1


def test_some_failures_among_answers_open_nothing() -> None:
    """Only failures in a row count: an agent that answers now and then is alive."""
    agent = Agent()
    for number in range(10 * TRIPS_AFTER):
        agent.wants(1)
        [workflow_id] = agent.goes(NOW)
        agent.end(workflow_id, "answered" if number % TRIPS_AFTER == 0 else "unanswered", NOW)
    assert agent.slots.views()[0].breaker == "open"


def test_calls_from_before_it_opened_do_not_open_a_breaker_again() -> None:
    """What was under way when an agent went away may time out long after it is back: that trouble is known already."""
    agent = Agent()
    agent.wants(4 * TRIPS_AFTER)
    went = agent.goes(NOW)
    for workflow_id in went[:TRIPS_AFTER]:
        agent.end(workflow_id, "unanswered", NOW)
    now = NOW + PATIENCE.first_ms
    agent.wants(100)
    for _ in range(8):
        for workflow_id in agent.goes(now):
            agent.end(workflow_id, "answered", now)
    assert agent.slots.views()[0].breaker == "open"
    for workflow_id in went[TRIPS_AFTER:]:
        agent.end(workflow_id, "unanswered", now)
    agent.wants(1)
    [fresh] = agent.goes(now)
    agent.end(fresh, "unanswered", now)
    assert agent.slots.views()[0].breaker == "open"
