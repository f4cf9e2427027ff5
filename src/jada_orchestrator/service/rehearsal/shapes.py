"""The shape of a plan: its actions, how many levels deep and how wide it is, and how two plans differ. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.plan import Plan


@dataclass(frozen=True, slots=True)
class Shape:
    """What is compared of a plan."""

    actions: tuple[tuple[str, int], ...]
    """Each action and how often it is called, by name."""
    tasks: int
    levels: int
    """The longest chain: how many calls one after another the booking takes at least."""
    critical_ms: int
    """The longest chain by the actions' time limits: an upper bound on how long it takes without retries."""

    @property
    def parallelism(self) -> float:
        """Tasks for each level: 1 is a chain."""
        return self.tasks / self.levels if self.levels else 0.0


def shape_of(plan: Plan) -> Shape:
    """Return the shape of a plan, whose tasks stand in topological order."""
    levels: dict[TaskId, int] = {}
    path: dict[TaskId, int] = {}
    for task in plan.tasks:
        levels[task.id] = 1 + max((levels[before] for before in task.after), default=0)
        own = plan.terms_of(task).timeout_ms
        path[task.id] = own + max((path[before] for before in task.after), default=0)
    actions = Counter(str(task.action) for task in plan.tasks)
    return Shape(
        actions=tuple(sorted(actions.items())),
        tasks=len(plan.tasks),
        levels=max(levels.values(), default=0),
        critical_ms=max(path.values(), default=0),
    )


def missing(shape: Shape, other: Shape) -> Counter[str]:
    """Return the actions that `shape` calls and `other` does not, or not so often."""
    return Counter(dict(shape.actions)) - Counter(dict(other.actions))
