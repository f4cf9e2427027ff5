"""The simulator finds mistakes: each of a set of small wrongs in the real code is noticed within a few seeds."""

from __future__ import annotations

import gc
import warnings

import pytest

from jada_orchestrator.testing.simulator import simulate
from tests.simulation.mutations import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
# A mistake may well leave tasks behind whose errors nobody fetched; that is not what is asked here.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_mistake_is_found(mutation: Mutation) -> None:
    """Within `caught_within` seeds a law is broken by it."""
    with mutation.in_place(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = next((s for s in range(mutation.caught_within) if simulate(s, mutation.odds).broken), None)
        gc.collect()
    assert found is not None, f"no law was broken within {mutation.caught_within} seeds: which law is missing?"


def test_a_mistake_is_taken_out_again() -> None:
    """After its block, nothing of a mutation is left."""
    with MUTATIONS[0].in_place():
        assert simulate(0).broken
    assert simulate(0).broken == []
