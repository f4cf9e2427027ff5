"""Graphs of actions: what comes before what, without regard to how many ways it is written. Pure.

A graph here is a set of pairs (before, after) of names without cycles.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def closure(edges: Iterable[tuple[Name, Name]]) -> frozenset[tuple[Name, Name]]:
    """Return every pair that follows: a before b, b before c, so a before c."""
    later: dict[Name, set[Name]] = {}
    for first, second in edges:
        later.setdefault(first, set()).add(second)
    found: set[tuple[Name, Name]] = set()
    for start, direct in later.items():
        stack = list(direct)
        seen: set[Name] = set()
        while stack:
            name = stack.pop()
            if name not in seen:
                seen.add(name)
                stack.extend(later.get(name, ()))
        found |= {(start, name) for name in seen}
    return frozenset(found)


def reduction(edges: Iterable[tuple[Name, Name]]) -> frozenset[tuple[Name, Name]]:
    """Return the fewest pairs from which all of them follow (unique for a graph without cycles).

    A. V. Aho, M. R. Garey, J. D. Ullman, The Transitive Reduction of a Directed Graph, 1972.
    """
    every = closure(edges)
    later: dict[Name, set[Name]] = {}
    for first, second in every:
        later.setdefault(first, set()).add(second)
    return frozenset(
        (first, second)
        for first, second in every
        if not any(second in later.get(between, ()) for between in later[first] if between not in {first, second})
    )


def projected(edges: Iterable[tuple[str, str]], names: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return the order of tasks as an order of what they do, over the tasks that have a name in `names`.

    Tasks without a name are passed through: what comes before them comes before what comes after them. Two tasks of
    the same name say nothing about each other.
    """
    kept = reduction((first, second) for first, second in closure(edges) if first in names and second in names)
    return frozenset((names[first], names[second]) for first, second in kept if names[first] != names[second])


def levels(after: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return on which level each task stands, from 1: one below the deepest of those that it comes after.

    `after` is in topological order, as a plan's tasks are.
    """
    found: dict[str, int] = {}
    for name, before in after.items():
        found[name] = 1 + max((found[one] for one in before), default=0)
    return found


def depth(after: Mapping[str, Iterable[str]]) -> int:
    """Return how many tasks the longest path has."""
    return max(levels(after).values(), default=0)


def width(after: Mapping[str, Iterable[str]]) -> int:
    """Return how many tasks the fullest level has."""
    counts: dict[int, int] = {}
    for level in levels(after).values():
        counts[level] = counts.get(level, 0) + 1
    return max(counts.values(), default=0)


def f1(right: int, given: int, wanted: int) -> float:
    """Return the harmonic mean of precision (right of given) and recall (right of wanted); 1 when nothing is either."""
    return 1.0 if given == wanted == 0 else 2 * right / (given + wanted)
