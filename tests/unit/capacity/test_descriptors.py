"""The budget of descriptors (law 9)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.capacity.descriptors import RESERVE, TooFewDescriptorsError, divide


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
