"""Whatever happens in whatever order: one probe at a time, no call without leave, and budgets hold."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from jada_orchestrator.capacity.budgets import DAY_MS, BudgetLimits, Budgets, Busy, Price, Short
from jada_orchestrator.capacity.governor import Governor, GovernorSettings, Ticket, Wait
from jada_orchestrator.capacity.pacing import Load
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.usage import PlannerSignal, RateLimit

SIGNALS = ["none", "slow_down", "overloaded", "model", "spent"]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "retry", "answered", "failed", "left", "time"]),
        st.integers(0, 400_000),
        st.sampled_from(SIGNALS),
    ),
    max_size=120,
)


@given(steps=STEPS)
def test_one_probe_at_a_time_and_never_a_dead_end(steps: list[tuple[str, int, PlannerSignal]]) -> None:
    """There is never more than one probe of a lane, never more calls than connections; whoever waits is let go once."""
    governor = Governor(GovernorSettings(connections=4))
    now = 0
    under_way: list[Ticket] = []
    for what, number, signal in steps:
        if what == "time":
            now += number
        elif what in {"ask", "retry"}:
            ticket = governor.ask("m", Load(10, number % 1_000), now, retry=what == "retry")
            if isinstance(ticket, Ticket):
                under_way.append(ticket)
        elif under_way:
            ticket = under_way.pop(number % len(under_way))
            limits = (RateLimit("output_tokens", 2_000, number % 2_000, number % 60_000 or None),)
            if what == "answered":
                governor.answered(ticket, now, limits)
            elif what == "failed":
                governor.failed(ticket, signal, now, retry_after_ms=number or None, limits=limits)
            else:
                governor.left(ticket, now)
        assert governor.probes_under_way <= 1
        assert governor.under_way == len(under_way) <= 4
    for ticket in under_way:
        governor.answered(ticket, now)
    for _ in range(50):
        asked = governor.ask("m", Load(10, 500), now)
        if isinstance(asked, Wait):
            assert asked.until is not None, "nobody is under way, so only time can help"
            assert asked.until > now
            now = asked.until
        else:
            governor.answered(asked, now)
    assert governor.is_fully_open("m")


CALLS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.integers(1, 40),  # expected cents
        st.integers(0, 60),  # more at worst
        st.integers(0, 100),  # per cent of the worst that it came to
        st.integers(0, 3),  # calls that end before the next one is asked for
        st.integers(0, DAY_MS // 3),
    ),
    max_size=60,
)


@settings(max_examples=200)
@given(calls=CALLS, day=st.integers(20, 300), tenant_day=st.integers(20, 300))
def test_budgets_hold_but_for_one_estimates_error(
    calls: list[tuple[str, int, int, int, int, int]], day: int, tenant_day: int
) -> None:
    """However many calls are under way, a day's spending exceeds no budget by more than one call's estimate error."""
    limits = BudgetLimits(tenant_day=Decimal(tenant_day), day=Decimal(day))
    budgets = Budgets(limits)
    now = UtcMs(0)
    open_calls = []
    error_max = Decimal(0)
    for tenant, expected, more, share, ending, passed in calls:
        now = UtcMs(now + passed)
        price = Price(Decimal(expected), Decimal(expected + more))
        if budgets.look(tenant, Decimal(0), price, now) is None:
            open_calls.append((budgets.reserve(tenant, price), price.worst * share / 100))
        for _ in range(min(ending, len(open_calls))):
            reservation, cost = open_calls.pop(0)
            error_max = max(error_max, cost - reservation.price.expected)
            budgets.settle(reservation, cost, now)
            assert budgets.spent_in_all(now) <= day + error_max
            assert all(budgets.spent_by(each, now) <= tenant_day + error_max for each in "ab")


def test_a_budget_is_short_until_its_period_turns_and_a_bookings_for_ever() -> None:
    """A day's shortage names midnight; a booking's names no time; money under way makes a call wait, not fail."""
    budgets = Budgets(BudgetLimits(booking=Decimal(1), day=Decimal(2)))
    now = UtcMs(5 * DAY_MS + 7)
    price = Price(Decimal("0.5"), Decimal("1.8"))
    assert budgets.look("a", Decimal("0.6"), price, now) == Short("booking", Decimal("0.6"), Decimal(1), None)
    first = budgets.reserve("a", price)
    assert budgets.look("a", Decimal(0), price, now) == Busy("day")
    assert [warning.scope for warning in budgets.settle(first, Decimal("1.7"), now)] == ["day"]
    assert budgets.look("a", Decimal(0), price, now) == Short("day", Decimal("1.7"), Decimal(2), UtcMs(6 * DAY_MS))
    assert budgets.look("a", Decimal(0), price, UtcMs(6 * DAY_MS)) is None


def test_what_was_spent_before_a_restart_counts() -> None:
    """The journal's sums of the present day are taken over."""
    budgets = Budgets(BudgetLimits(tenant_day=Decimal(1)))
    budgets.restore([("a", Decimal("0.9"))], UtcMs(10))
    assert isinstance(budgets.look("a", Decimal(0), Price(Decimal("0.2"), Decimal("0.2")), UtcMs(11)), Short)
    assert budgets.look("b", Decimal(0), Price(Decimal("0.2"), Decimal("0.2")), UtcMs(11)) is None
