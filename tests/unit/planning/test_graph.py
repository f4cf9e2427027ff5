"""The graph: order, cycles, what certainly comes before."""

from __future__ import annotations

from jada_orchestrator.planning.graph import Node, build, cycles


def node(*needs: int, after: tuple[int, ...] = (), optional: bool = False) -> Node:
    """A node."""
    return Node(frozenset(needs), frozenset(after), optional)


def test_cycles_are_found_all_and_named_in_the_order_of_waiting() -> None:
    """Disjoint cycles are each told; what only hangs on one is not on it."""
    nodes = [node(2), node(0), node(1), node(0), node(4), node(6, after=(4,)), node(5)]
    assert list(cycles(nodes)) == [(0, 1, 2), (4,), (5, 6)]
    assert build(nodes).order == ()


def test_order_is_stable_and_depth_is_the_longest_path() -> None:
    """Among tasks that could go at once the proposal's own order stays."""
    graph = build([node(3), node(), node(1), node()])
    assert graph.order == (1, 2, 3, 0)
    assert graph.depth == 2


def test_a_path_through_what_may_be_skipped_holds_too() -> None:
    """An optional task that needs an optional one is skipped, too, only once all that it comes after is over."""
    graph = build([node(), node(optional=True), node(1, after=(0,), optional=True), node(after=(2, 0))])
    assert graph.is_before(0, 3)
    assert graph.implied(3) == frozenset({0})


def test_implied_edges_are_the_order_only_ones_that_paths_give() -> None:
    """Edges that carry data are never implied away."""
    graph = build([node(), node(0), node(1, 0), node(1, after=(0, 1))])
    assert [sorted(graph.implied(place)) for place in range(4)] == [[], [], [], [0, 1]]
