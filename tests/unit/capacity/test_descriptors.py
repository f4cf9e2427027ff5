"""The budget of descriptors (law 9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.capacity.descriptors import (
    RESERVE,
    Limits,
    TooFewDescriptorsError,
    Weights,
    admissible,
    divide,
    ledger,
    ledger_text,
)


def test_what_fits_is_given() -> None:
    """With room for everybody, each pool gets what it wants."""
    budget = divide(1024, functions=300, queues=50, model=100)
    assert (budget.functions, budget.queues, budget.model) == (300, 50, 100)
    assert budget.headroom == 1024 - RESERVE - 450


def test_what_does_not_fit_is_shared() -> None:
    """Short of room, shares are in proportion to what is wanted."""
    budget = divide(256, functions=1000, queues=100, model=500)
    assert budget.functions > budget.model > budget.queues >= 8


def test_too_few_is_refused_with_the_line_to_change() -> None:
    """Below the least that any work needs, the error says how to raise the limit."""
    with pytest.raises(TooFewDescriptorsError, match=r"LimitNOFILE"):
        divide(RESERVE + 13, functions=1, queues=1, model=1)


@given(
    limit=st.integers(RESERVE + 14, 5_000),
    functions=st.integers(0, 10_000),
    queues=st.integers(0, 10_000),
    model=st.integers(0, 10_000),
)
def test_never_more_than_there_is(limit: int, functions: int, queues: int, model: int) -> None:
    """Whatever is wanted, each pool can work, and the sum stays within the limit."""
    budget = divide(limit, functions=functions, queues=queues, model=model)
    assert budget.functions >= 4
    assert budget.queues >= 8
    assert budget.model >= 2
    assert budget.headroom >= 0


def test_weights_move_what_is_too_little() -> None:
    """Where not all fits, a pool of twice the weight gets about twice the share of what it wants."""
    even = divide(300, functions=400, queues=400, model=400)
    heavy = divide(300, functions=400, queues=400, model=400, weights=Weights(model=2.0))
    assert even.functions - 4 == pytest.approx(even.model - 2, abs=2)
    assert heavy.model - 2 == pytest.approx(2 * (heavy.functions - 4), abs=2)


def test_what_a_pool_cannot_use_goes_to_the_others() -> None:
    """A heavy pool that wants little leaves the rest to those that want more."""
    budget = divide(300, functions=1_000, queues=8, model=10, weights=Weights(model=1_000.0))
    assert (budget.queues, budget.model) == (8, 10)
    assert budget.headroom <= 1


@given(
    limit=st.integers(RESERVE + 14, 2_000),
    wanted=st.tuples(*[st.integers(0, 3_000)] * 3),
    weights=st.tuples(*[st.floats(0.01, 1_000)] * 3),
)
def test_no_weights_break_a_bound(
    limit: int, wanted: tuple[int, int, int], weights: tuple[float, float, float]
) -> None:
    """Whatever the weights, no pool gets more than it wants or less than it needs; the lines add up to the limit."""
    functions, queues, model = wanted
    budget = divide(limit, functions=functions, queues=queues, model=model, weights=Weights(*weights))
    assert 4 <= budget.functions <= max(4, functions)
    assert 8 <= budget.queues <= max(8, queues)
    assert 2 <= budget.model <= max(2, model)
    assert budget.headroom >= 0
    assert sum(row.given for row in ledger(budget)) == limit


def test_the_ledger_says_everything_once() -> None:
    """The table has a line for each pool and each part of the reserve, and its first line what holds and why."""
    limits = Limits(soft=1_024, hard=2_000, nr_open=2_000, ceiling=4_096)
    text = ledger_text(divide(2_000, functions=200, queues=32, model=16), limits)
    assert "2000 files may be open (hard limit 2000, cut to the kernel's fs.nr_open of 2000" in text
    assert all(f"  {name} " in text for name in ("functions", "queues", "model", "store", "web", "headroom", "spare"))


@pytest.mark.parametrize(
    ("limits", "soft"),
    [
        (Limits(1_024, 4_096), 4_096),
        (Limits(1_024, 4_096, ceiling=2_048), 2_048),
        (Limits(1_024, 4_096, ceiling=512), 1_024),
    ],
)
def test_the_soft_limit_is_raised_and_never_lowered(limits: Limits, soft: int) -> None:
    """It goes up to the hard one or the ceiling, whichever is less."""
    assert limits.wanted_soft() == soft


def test_pressure_slows_intake_before_the_end() -> None:
    """The nearer the end, the fewer are taken in; with only headroom left, none."""
    assert [admissible(256, in_use) for in_use in (100, 235, 240, 256, 300)] == [140, 5, 0, 0, 0]
