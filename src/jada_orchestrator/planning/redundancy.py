"""Redundancy: work that is done twice, orders that mean nothing, and more at once than an agent takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from jada_orchestrator.domain.catalogue import Catalogue, Effect
from jada_orchestrator.domain.documents import canonical_json
from jada_orchestrator.domain.house import HOUSE
from jada_orchestrator.domain.ids import AgentName
from jada_orchestrator.planning.arguments import Bound
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.findings import Findings
from jada_orchestrator.planning.graph import Graph, Node, build


def check_duplicate_work(
    places: Iterable[int],
    steps: Sequence[Step],
    bound: Sequence[Bound],
    graph: Graph,
    findings: Findings,
    exclude: Callable[[int, int], bool] = lambda _, __: False,
) -> None:
    """Law 7: no two of these tasks do the same thing. To read something again after what came between is another thing.

    `exclude` tells of two tasks that never both of them are called, so that nothing is done twice.
    """
    first_of: dict[tuple[str, ...], list[int]] = {}
    for place in places:
        step = steps[place]
        if step.action is None or place in findings.touched:
            continue
        alike = first_of.setdefault(_written(step.task.action, bound[place]), [])
        for other in alike:
            if steps[other].done and step.done:
                continue
            stands_in = step.task.instead_of == steps[other].task.id or steps[other].task.instead_of == step.task.id
            if exclude(other, place) and not stands_in:
                continue
            ordered = graph.is_before(other, place) or graph.is_before(place, other) or steps[other].done
            if step.action.effect is Effect.READ and ordered:
                continue
            message = (
                f"does exactly what `{steps[other].task.id}` does; leave one out, and let others use the one that stays"
            )
            findings.add("DUPLICATE_WORK", step.where, message)
            break
        alike.append(place)


def _written(action: str, bound: Bound) -> tuple[str, ...]:
    """Return what a task says that it does, so that it can be compared: the action and its arguments by name."""
    said = [action, bound.for_each]
    for name in sorted(bound.bindings):
        one = bound.bindings[name]
        if one.expression:
            said += (name, "is", one.expression)
        elif isinstance(one.constant, str):
            said += (name, "is the text", one.constant)
        else:
            said += (name, "is the value", canonical_json(one.constant))
    return tuple(said)


def check_fan_out(steps: Sequence[Step], graph: Graph, catalogue: Catalogue, findings: Findings) -> None:
    """Law 12: no more tasks of one agent may run side by side than the agent takes at once."""
    if len(graph.order) < len(steps):
        return  # where tasks wait for each other, nobody knows what runs side by side
    by_agent: dict[AgentName, list[int]] = {}
    for place, step in enumerate(steps):
        if step.action is not None and not step.done:
            by_agent.setdefault(step.action.agent, []).append(place)
    for name, places in by_agent.items():
        agent = catalogue.agents.get(name)
        if agent is None or len(places) <= agent.limits.concurrency:
            continue
        widest = _widest(places, graph)
        if widest > agent.limits.concurrency:
            message = (
                f"{widest} tasks of {name} may run side by side; it takes {agent.limits.concurrency} at once: use "
                f"fewer, or let some come after others"
            )
            findings.add("FAN_OUT", "tasks", message)


def _widest(places: Sequence[int], graph: Graph) -> int:
    """Return how many of these tasks may run side by side at most: the largest set without an order in it.

    By Dilworth's theorem as many as there are chains in the smallest cover, which is found by matching each task with
    a later one (D. R. Fulkerson, Note on Dilworth's decomposition theorem, 1956).
    """
    later = {one: [other for other in places if graph.is_before(one, other)] for one in places}
    matched: dict[int, int] = {}

    def match(one: int, seen: set[int]) -> bool:
        for other in later[one]:
            if other not in seen:
                seen.add(other)
                if other not in matched or match(matched[other], seen):
                    matched[other] = one
                    return True
        return False

    return len(places) - sum(match(one, set()) for one in places)


def without_idle_order(steps: Sequence[Step], bound: Sequence[Bound], graph: Graph, findings: Findings) -> Graph:
    """Return the graph without orders that mean nothing: of a read after a read from which it takes no data.

    Reads change nothing, so which of two comes first is all the same; to keep them in a row only takes longer. Every
    order with something that has an effect at one of its ends stays, also where it held by way of what is left out, and
    so does that of a read before its repetition.
    """
    idle = [
        (first, place)
        for place in graph.order
        if graph.nodes[place].after
        for first in sorted(graph.nodes[place].after - graph.nodes[place].reads)
        if not _means_something(first, place, steps, bound)
    ]
    if not idle:
        return graph
    nodes = [
        Node(
            node.needs,
            frozenset(
                first
                for first in range(len(steps))
                if graph.is_before(first, place) and _means_something(first, place, steps, bound)
            )
            - node.reads,
            optional=node.optional,
            asks=node.asks,
        )
        for place, node in enumerate(graph.nodes)
    ]
    named = ", ".join(f"{steps[first].task.id} -> {steps[place].task.id}" for first, place in idle)
    findings.note(f"Left out, because a read need not wait for a read that it takes nothing from: {named}.")
    return build(nodes)


def _means_something(first: int, second: int, steps: Sequence[Step], bound: Sequence[Bound]) -> bool:
    if not (_is_read(steps[first]) and _is_read(steps[second])):
        return True
    is_repeated = steps[first].task.action == steps[second].task.action
    return is_repeated and bound[first].bindings == bound[second].bindings and not bound[first].for_each


def _is_read(step: Step) -> bool:
    """Tell whether a task only looks something up: to wait, or to ask a person, before or after it means something."""
    return step.action is not None and step.action.effect is Effect.READ and step.action.agent != HOUSE
