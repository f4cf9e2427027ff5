"""The graph of a proposal: edges, cycles, order, depth, and who certainly comes before whom.

Tasks are known by their places in the proposal, sets of tasks are integers with one bit for each place: a plan of a
hundred tasks is compared in microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import Struct


class Node(Struct, frozen=True, gc=False):
    """One task: `needs` are the places whose output it reads, `after` those that it only follows.

    `asks` are the places that decide whether or with what it is called, without being needed: what its condition looks
    at, what it stands in for, what it takes where it is there.
    """

    needs: frozenset[int]
    after: frozenset[int]
    optional: bool
    asks: frozenset[int] = frozenset()

    @property
    def reads(self) -> frozenset[int]:
        """Those of which it must know what became of them."""
        return self.needs | self.asks

    @property
    def predecessors(self) -> frozenset[int]:
        """All direct predecessors."""
        return self.needs | self.asks | self.after


@dataclass(frozen=True, slots=True)
class Graph:
    """A proposal's graph. Where there are cycles, `order` lacks the tasks on them and behind them."""

    nodes: tuple[Node, ...]
    order: tuple[int, ...]
    """Places in topological order; among equals, the proposal's own order."""
    depth: int
    """Tasks on the longest path."""
    before: tuple[int, ...]
    """For each place, the set of those that are certainly final when it starts, whatever was skipped."""
    data_before: tuple[int, ...]
    """For each place, the set of those whose outputs it reads, directly or not."""

    def is_before(self, first: int, second: int) -> bool:
        """Tell whether `first` is certainly final when `second` starts."""
        return bool(self.before[second] >> first & 1)

    def needs_output(self, reader: int, maker: int) -> bool:
        """Tell whether a task needs another's output, directly or through others."""
        return bool(self.data_before[reader] >> maker & 1)

    def is_known(self, place: int, doubtful: int) -> bool:
        """Tell whether no doubtful task has a say in what comes before this one."""
        return place in self.order and not (self.before[place] | 1 << place) & doubtful

    def implied(self, place: int) -> frozenset[int]:
        """Return those of the order-only predecessors that follow from the other edges."""
        node = self.nodes[place]
        if not node.after:
            return frozenset()
        return frozenset(
            first
            for first in node.after
            if first in node.reads
            or any(other != first and self.is_before(first, other) for other in node.predecessors)
        )


def build(nodes: Sequence[Node]) -> Graph:
    """Return the graph of these nodes."""
    order = _topological(nodes)
    before, data, level = [0] * len(nodes), [0] * len(nodes), [0] * len(nodes)
    for place in order:
        deepest, earlier = 0, 0
        for first in nodes[place].predecessors:
            earlier |= 1 << first | before[first]
            deepest = max(deepest, level[first])
        before[place], level[place] = earlier, 1 + deepest
        for maker in nodes[place].reads:
            data[place] |= 1 << maker | data[maker]
    return Graph(tuple(nodes), tuple(order), max(level, default=0), tuple(before), tuple(data))


def cycles(nodes: Sequence[Node]) -> Iterator[tuple[int, ...]]:
    """Yield disjoint cycles, each in the order in which the tasks would have to run, until none is left."""
    left = set(range(len(nodes)))
    while True:
        _trim(nodes, left)
        if not left:
            return
        walk = [min(left)]
        while len(set(walk)) == len(walk):
            walk.append(min(first for first in nodes[walk[-1]].predecessors if first in left))
        found = walk[walk.index(walk[-1]) : -1]
        found.reverse()
        first = found.index(min(found))
        yield tuple(found[first:] + found[:first])
        left -= set(found)


def _topological(nodes: Sequence[Node]) -> list[int]:
    waits_for = [len(node.predecessors) for node in nodes]
    followers: list[list[int]] = [[] for _ in nodes]
    for place, node in enumerate(nodes):
        for first in node.predecessors:
            followers[first].append(place)
    ready = [place for place, count in enumerate(waits_for) if count == 0]
    order: list[int] = []
    while ready:
        place = min(ready)
        ready.remove(place)
        order.append(place)
        for follower in followers[place]:
            waits_for[follower] -= 1
            if waits_for[follower] == 0:
                ready.append(follower)
    return order


def _trim(nodes: Sequence[Node], left: set[int]) -> None:
    """Take away what is on no cycle because nothing comes before it, again and again."""
    while True:
        free = {place for place in left if not nodes[place].predecessors & left}
        if not free:
            return
        left -= free
