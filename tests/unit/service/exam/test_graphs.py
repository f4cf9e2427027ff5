"""Graphs of actions: closure, reduction, projection, depth and width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.service.exam.graphs import closure, depth, f1, projected, reduction, width

NODES = st.integers(0, 7)
DAGS = st.frozensets(st.tuples(NODES, NODES).filter(lambda edge: edge[0] < edge[1]))


@given(DAGS)
def test_a_reduction_says_the_same_in_the_fewest_pairs(edges: frozenset[tuple[int, int]]) -> None:
    """What follows from the reduction is what follows from the graph, and no pair of it can be left out."""
    reduced = reduction(edges)
    assert closure(reduced) == closure(edges)
    assert all(closure(reduced - {edge}) != closure(edges) for edge in reduced)
    assert reduction(closure(edges)) == reduced


@given(DAGS)
def test_a_closure_is_closed(edges: frozenset[tuple[int, int]]) -> None:
    """Closing again adds nothing, and nothing of the graph is lost."""
    every = closure(edges)
    assert edges <= every == closure(every)


def test_a_projection_passes_through_what_has_no_name() -> None:
    """An order by way of an unnamed task holds; tasks of one name say nothing about each other."""
    edges = [("a", "x"), ("x", "b"), ("b", "b2"), ("a", "b2")]
    assert projected(edges, {"a": "A", "b": "B", "b2": "B"}) == {("A", "B")}
    assert projected(edges, {"a": "A"}) == frozenset()


def test_depth_and_width() -> None:
    """A diamond with a tail is four deep and two wide; an empty graph is neither."""
    diamond = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ("d",)}
    assert (depth(diamond), width(diamond)) == (4, 2)
    assert (depth({}), width({})) == (0, 0)


@pytest.mark.parametrize(
    ("right", "there", "wanted", "expected"), [(0, 0, 0, 1.0), (0, 3, 0, 0.0), (2, 2, 2, 1.0), (1, 2, 1, 2 / 3)]
)
def test_f1(right: int, there: int, wanted: int, expected: float) -> None:
    """Nothing wanted and nothing given is right; surplus and lack both cost."""
    assert f1(right, there, wanted) == pytest.approx(expected)
