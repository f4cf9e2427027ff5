"""How long a booking's work took, against what it had to take: pure arithmetic on what the journal says."""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.service.views import Seen


@dataclass(frozen=True, slots=True)
class Timing:
    """From the adopted plan to the last task's end, and the longest chain of the agents' own times in the graph."""

    makespan_ms: int
    critical_ms: int
    tasks: int

    @property
    def ratio(self) -> float | None:
        """How many times longer than the critical path it took; None where nothing was done."""
        return self.makespan_ms / self.critical_ms if self.critical_ms else None


def timing_of(seen: Seen) -> Timing | None:
    """Return the timing of a booking's forward work; None before a plan, or when nothing of it has ended.

    A task's own time is from its first dispatch to its answer, retries and lookups included. A list has none: each of
    its calls is a task of the plan, from when the list is made out on, and the list comes after all of them. Nor has
    what the house does itself, which waits for time or for people and not for an agent.
    """
    plan, adopted_at = seen.workflow.plan, seen.adopted_at
    if plan is None or adopted_at is None:
        return None
    path: dict[TaskId, int] = {}
    ends = []
    for task in plan.tasks:
        started, ended = seen.started_at(task.id), seen.ended_at(task.id)
        own = 0
        if started is not None and ended is not None:
            own = ended - started
            ends.append(ended)
        path[task.id] = own + max((path[before] for before in task.after), default=0)
    if not ends:
        return None
    return Timing(max(ends) - adopted_at, max(path.values()), len(ends))
