"""Gates: the condition and the list of a task, read and checked as the references that they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jada_orchestrator.planning.arguments import Bound, Surroundings, read_reference, take
from jada_orchestrator.planning.conditions import trouble_with
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.findings import Findings
from jada_orchestrator.planning.inference import infer
from jada_orchestrator.planning.presence import Presence
from jada_orchestrator.planning.references import INDEX_ROOT, ITEM_ROOT, REQUEST_ROOT, ReferenceFault, evaluate
from jada_orchestrator.planning.shapes import ANY, Shape, article, item_of, of_type, one_of, types_of


def bind_condition(place: int, step: Step, bound: Bound, around: Surroundings, findings: Findings) -> None:
    """Read a task's condition into `bound`: it waits for all that it looks at, and takes what is not there as null."""
    if not step.task.when:
        return
    where = f"{step.where}.when"
    try:
        expression, free = read_reference(step.task.when, around, findings)
        bound.asks |= {around.places[name] for name in free if name in around.places}
        bound.when = expression
        for view in around.views(free):
            trouble = trouble_with(expression, view.shapes)
            if trouble:
                findings.add("BAD_CONDITION", where, f"`{expression}`: {trouble}", task=place)
                return
    except ReferenceFault as error:
        hint = "; `!` goes before `.`: write !(task.field)" if "!" in step.task.when else ""
        findings.add("BAD_CONDITION", where, f"{error}{hint}", task=place)


def bind_list(place: int, step: Step, bound: Bound, around: Surroundings, findings: Findings) -> Surroundings:
    """Read the list of a task that is called for each of its items; return what its references may read then."""
    if not step.task.for_each:
        return around
    where = f"{step.where}.for_each"
    item: Shape = ANY
    source = step.task.for_each
    try:
        source, free = read_reference(step.task.for_each, around, findings)
        bound.for_each = source
        missing = take(source, free, bound, place, Presence.WHOLE, around)
        if missing:
            findings.add("CONDITIONAL_REQUIRED", where, around.told_of(place, missing), task=place)
        item = one_of(tuple(_items(source, around, free)))
        if free == {REQUEST_ROOT}:
            found = evaluate(source, {REQUEST_ROOT: around.request})
            bound.count = len(found) if isinstance(found, list) else None
            if found is None:
                findings.add("BAD_LIST", where, f"`{source}` is not in the request", task=place)
    except ReferenceFault as error:
        findings.add("BAD_LIST", where, str(error), task=place)
    shapes = {**around.shapes, ITEM_ROOT: item, INDEX_ROOT: of_type("integer")}
    return replace(around, shapes=shapes, list_source=source)


def _items(expression: str, around: Surroundings, free: frozenset[str]) -> Iterator[Shape]:
    """Yield what an item may be, by everything that the reference may read. Raises: ReferenceFault."""
    for view in around.views(free):
        shape = infer(expression, view.shapes).shape
        if "array" not in types_of(shape):
            raise ReferenceFault(f"`{expression}` is no list, but {article(types_of(shape))}; write find.offers[*]")
        looked = item_of(shape)
        yield looked.shape
