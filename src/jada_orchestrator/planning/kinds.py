"""Kinds of plans: proposals that differ in their constants only.

Bookings of one kind are planned alike: a template gives the same graph each time, and a model mostly does. What the
graph's laws say of one of them they say of all: who comes before whom, what undoes what, how many run side by side,
and whether a reference fits the field that it is for. So the first of a kind is compiled, and of the others only that
is judged anew which depends on a constant or on the request: those arguments, the money, and who does the same as whom.

A kind is kept only of a plan without a fault, and without a note that depends on more than the kind; and none of its
values is kept with it: those are some traveller's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from msgspec import structs

from jada_orchestrator.domain.house import HOUSE
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.plan import Plan, PlannedTask, Terms
from jada_orchestrator.planning.arguments import Bound, Surroundings
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.graph import Graph
from jada_orchestrator.planning.proposal import ProposedTask
from jada_orchestrator.planning.provenance import NOTHING_TOLD
from jada_orchestrator.planning.references import REQUEST_ROOT

KindKey: TypeAlias = "tuple[object, ...]"


@dataclass(frozen=True, slots=True)
class Kind:
    """What every plan of a kind has. By places, as the proposal has its tasks, unless said otherwise."""

    steps: tuple[Step, ...]
    """Those of `varying` tasks without their arguments."""
    bound: tuple[Bound, ...]
    """Those of `varying` tasks with nothing but whom they wait for."""
    varying: tuple[int, ...]
    """Tasks with a constant or a value of the request among their arguments: each plan has its own."""
    around: Surroundings
    """Without a request."""
    graph: Graph
    tasks: tuple[PlannedTask, ...]
    """In topological order; those of `varying` tasks without their arguments."""
    ranks: tuple[int, ...]
    """Where each task is in that order."""
    terms: dict[ActionName, Terms]
    notes: tuple[str, ...]


def key_of(tasks: Sequence[ProposedTask], revision: int) -> KindKey | None:
    """Return what a first plan has in common with all of its kind; None when it has branches, of which none is kept."""
    if any(task.when or task.for_each or task.instead_of or task.on_codes for task in tasks):
        return None
    return (revision, *[_written(task) for task in tasks])


def _written(task: ProposedTask) -> tuple[object, ...]:
    arguments = [(one.name, one.kind, one.value if one.kind == "ref" else None) for one in task.arguments]
    return (task.id, task.action, task.after, task.optional, *arguments)


def kind_of(
    plan: Plan, steps: Sequence[Step], bound: Sequence[Bound], around: Surroundings, graph: Graph
) -> Kind | None:
    """Return the kind of a plan that was compiled without a fault; None where the house itself has a part in it."""
    if any(step.action is None or step.action.agent == HOUSE for step in steps):
        return None
    varying = frozenset(place for place, each in enumerate(bound) if not _reads_outputs_only(each))
    own = {around.ids[place] for place in varying}
    shapes = {name: shape for name, shape in around.shapes.items() if name != REQUEST_ROOT}
    return Kind(
        steps=tuple(
            structs.replace(step, task=structs.replace(step.task, arguments=())) if place in varying else step
            for place, step in enumerate(steps)
        ),
        bound=tuple(
            Bound(needs=each.needs, reads=each.reads, asks=each.asks) if place in varying else each
            for place, each in enumerate(bound)
        ),
        varying=tuple(sorted(varying)),
        around=replace(around, shapes=shapes, request={}, told=NOTHING_TOLD),
        graph=graph,
        tasks=tuple(structs.replace(task, bindings={}) if task.id in own else task for task in plan.tasks),
        ranks=tuple(graph.order.index(place) for place in range(len(steps))),
        terms=plan.terms,
        notes=plan.notes,
    )


def _reads_outputs_only(bound: Bound) -> bool:
    """Tell whether all arguments of a task are read from outputs; one that may read the request counts as if it did."""
    return all(one.expression and REQUEST_ROOT not in one.expression for one in bound.bindings.values())
