"""Arguments: each is bound to a field of the action's input, as a constant of the right type or a checked reference."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Final

from msgspec import Struct

from jada_orchestrator.domain.catalogue import Action, Binding, Effect
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.ids import ActionName, CatalogueVersion
from jada_orchestrator.planning.branches import Branches
from jada_orchestrator.planning.conditions import are_opposite
from jada_orchestrator.planning.findings import Findings, shown, suggestion
from jada_orchestrator.planning.inference import infer, mismatch
from jada_orchestrator.planning.presence import Presence, presence
from jada_orchestrator.planning.proposal import Argument, ProposedTask, read_json
from jada_orchestrator.planning.provenance import USER, Told, is_allowed, sources_of
from jada_orchestrator.planning.references import REQUEST_ROOT, ReferenceFault, evaluate, rename_roots, roots
from jada_orchestrator.planning.schemas import UNCHECKABLE, faults_in
from jada_orchestrator.planning.shapes import (
    ANY,
    Shape,
    article,
    field_of_schema,
    names_of,
    of_schema,
    type_names,
    types_of,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references may read: the proposal's tasks by id, and the request."""

    shapes: Mapping[str, Shape]
    """By id, and under ``request``."""
    places: Mapping[str, int]
    """Of the tasks, by id."""
    request: JsonObject
    actions: Mapping[str, ActionName]
    """Of the tasks whose action is known, by id."""
    version: CatalogueVersion
    told: Told
    """What the traveller and the frontend told; only asked where an action declares `sources`."""
    branches: Branches = field(default_factory=Branches)
    ids: tuple[str, ...] = ()
    """Of the tasks, by place."""
    branched: frozenset[str] = frozenset()
    """Ids of the tasks that are read as a list, or as one of several."""
    list_source: str = ""
    """Where the items of the list come from, for a task that is called for each of them."""

    def views(self, free: frozenset[str]) -> Iterator[View]:
        """Yield everything that these roots may stand for: each task for itself, and each stand-in in its place."""
        yield View(self.shapes, self.actions)
        for name in sorted(free):
            for stand_in in self.branches.stand_ins.get(self.places.get(name, -1), ()):
                other = self.ids[stand_in]
                yield View(
                    {**self.shapes, name: self.shapes.get(other, ANY)},  # nothing is known of one whose id is none
                    {**self.actions, name: self.actions[other]} if other in self.actions else self.actions,
                )

    def lost_for(self, reader: int, makers: Iterable[str]) -> frozenset[str]:
        """Return those tasks that need not have been called when `reader` is."""
        return frozenset(name for name in makers if self.branches.missing_for(reader, self.places[name]))

    def told_of(self, reader: int, lost: frozenset[str]) -> str:
        """Return what is wrong with reading these tasks."""
        name = min(lost)
        if self.places[name] in self.branches.primary:
            first = self.ids[self.branches.primary[self.places[name]]]
            return f"`{name}` stands in for `{first}`: read `{first}`, which stands for whichever of them was called"
        return (
            f"`{name}` is only called where its `when` holds, and this needs it: give `{self.ids[reader]}` the same "
            f"`when`, or say what else to take, as in not_null({name}.field, other.field)"
        )


@dataclass(frozen=True, slots=True)
class View:
    """One thing that the roots may stand for: shapes by root, actions by task id."""

    shapes: Mapping[str, Shape]
    actions: Mapping[str, ActionName]


@dataclass(slots=True)
class Bound:
    """A task's arguments, as far as they are good."""

    bindings: dict[str, Binding] = field(default_factory=dict)
    needs: set[int] = field(default_factory=set)
    """Tasks without whose outputs it cannot be called."""
    reads: set[int] = field(default_factory=set)
    """Others whose outputs it takes where they are there; some of `needs` may be among them."""
    asks: set[int] = field(default_factory=set)
    """Tasks that its condition looks at."""
    when: str = ""
    for_each: str = ""
    count: int | None = None
    """Of a task with `for_each`: the length of its list, where that is known already."""
    known: JsonObject = field(default_factory=dict)
    """Values that are certain before anything runs: constants, and references that read the request only."""


def bind(
    bound: Bound, task: ProposedTask, action: Action, place: int, where: str, around: Surroundings, findings: Findings
) -> None:
    """Bind a task's arguments; every fault goes to `findings`."""
    written = action.input_schema.get("required")
    required = frozenset(written) if isinstance(written, list) else frozenset()
    must_be_there = required if action.effect is Effect.COMMIT else frozenset()
    for argument in task.arguments:
        spot = f"{where}.args.{argument.name[:80]}"
        at = _Spot(place, spot, around, findings, action.name, must_be_there, required)
        if argument.name in bound.bindings:
            findings.add("DUPLICATE_INPUT", spot, "is given twice; give it once", task=place)
            continue
        bound.bindings[argument.name] = Binding()
        looked = field_of_schema(action.input_schema, argument.name)
        if looked.trouble:
            near = suggestion(argument.name, names_of(of_schema(action.input_schema)), all_of_them=True)
            message = f"{action.name} has no input field {shown(argument.name)}.{near}"
            findings.add("UNKNOWN_INPUT", spot, message, task=place)
        elif argument.kind == "ref":
            _bind_reference(argument, looked.shape, bound, at)
        else:
            _bind_constant(argument, looked.shape, bound, at)
        if argument.name in action.sources:
            _check_source(argument, action, bound, at)
    _check_whole(action, bound, place, where, findings)


def read_reference(expression: str, around: Surroundings, findings: Findings) -> tuple[str, frozenset[str]]:
    """Return a reference with its task ids in lower case, and its roots.

    Raises: ReferenceFault, also when a root is neither a task nor ``request``.
    """
    free = roots(expression)
    lowered = {name: name.lower() for name in free if name not in around.shapes and name.lower() in around.shapes}
    if lowered:
        renamed = rename_roots(expression, lowered)
        findings.note(f"The reference `{expression}` was read as `{renamed}`.")
        expression, free = renamed, roots(renamed)
    unknown = sorted(free - set(around.shapes))
    if unknown:
        named = ", ".join(shown(name) for name in unknown)
        near = suggestion(unknown[0], list(around.shapes), all_of_them=True)
        raise ReferenceFault(f"`{expression}` begins with {named}, which is no task of this plan.{near}")
    return expression, free


class _Spot(Struct, frozen=True, gc=False):
    """Where an argument is, and whom to tell."""

    place: int
    where: str
    around: Surroundings
    findings: Findings
    action: ActionName
    must_be_there: frozenset[str] = frozenset()
    """Fields that a commit requires: what may be missing is no source of them (it would fail with money spent)."""
    required: frozenset[str] = frozenset()
    """Fields that any action requires."""

    def fault(self, code: str, message: str) -> None:
        self.findings.add(code, self.where, message, task=self.place)


def _bind_reference(argument: Argument, wanted: Shape, bound: Bound, spot: _Spot) -> None:
    try:
        expression, free = read_reference(argument.value.strip(), spot.around, spot.findings)
    except ReferenceFault as error:
        spot.fault("BAD_REFERENCE", str(error))
        return
    bound.bindings[argument.name] = Binding(expression)
    try:
        _bind_makers(argument.name, expression, free, bound, spot)
        why = _misfit(argument.name, expression, free, wanted, spot)
        if why:
            spot.fault("BAD_REFERENCE", f"`{expression}` does not fit: {why}")
        elif free == {REQUEST_ROOT}:
            value = evaluate(expression, {REQUEST_ROOT: spot.around.request})
            if value is None:
                spot.fault("BAD_REFERENCE", f"`{expression}` is not in the request")
            else:
                bound.known[argument.name] = value
    except ReferenceFault as error:
        spot.fault("BAD_REFERENCE", f"`{expression}`: {error}")


def _bind_makers(name: str, expression: str, free: frozenset[str], bound: Bound, spot: _Spot) -> None:
    """Note whose outputs a reference takes, and which of them it can do without. Raises: ReferenceFault."""
    enough = Presence.WHOLE if name in spot.required else Presence.ABSENT
    missing = take(expression, free, bound, spot.place, enough, spot.around)
    if missing:
        spot.fault("CONDITIONAL_REQUIRED", f"`{expression}`: {spot.around.told_of(spot.place, missing)}")


def take(
    expression: str, free: frozenset[str], bound: Bound, reader: int, enough: Presence, around: Surroundings
) -> frozenset[str]:
    """Note whose outputs a reference takes; return tasks that it cannot do without and that need not be called.

    `enough` is what must be left of its value where such a task was not called. A task that is optional itself is left
    out with what it reads, unless its reference names what else to take. Raises: ReferenceFault.
    """
    makers = {each for each in free if each in around.places}
    lost = around.lost_for(reader, makers)
    is_optional = reader in around.branches.optional
    wanted = Presence.WHOLE if is_optional else enough
    together = _together(lost, around, look_at_optional=is_optional)
    missing = next((each for each in together if presence(expression, each) > wanted), frozenset[str]())
    if missing and is_optional:
        lost, missing = frozenset(), frozenset()
    bound.needs |= {around.places[each] for each in makers - lost}
    bound.reads |= {around.places[each] for each in lost}
    return missing


def _together(lost: frozenset[str], around: Surroundings, *, look_at_optional: bool) -> Iterator[frozenset[str]]:
    """Yield what may be missing at once at worst: of two tasks with opposite conditions, only one is.

    An optional one may fail without harm, and then both are: they count as such a pair only to `look_at_optional`.
    """
    if not look_at_optional:
        sure = frozenset(name for name in lost if around.places[name] not in around.branches.optional)
        yield from (lost - sure | each for each in _together(sure, around, look_at_optional=True))
        return
    pairs: list[tuple[str, str]] = []
    for one in sorted(lost):
        for other in sorted(lost):
            taken = {name for pair in pairs for name in pair}
            if one < other and not {one, other} & taken and _are_opposite(one, other, around):
                pairs.append((one, other))
    for choice in product(*pairs[:_PAIRS_MAX]):
        there = {one if one != kept else other for kept, (one, other) in zip(choice, pairs, strict=False)}
        yield lost - there


_PAIRS_MAX: Final = 4
"""Pairs of opposite conditions that are looked at one by one in a reference; of further ones both count as missing."""


def _are_opposite(one: str, other: str, around: Surroundings) -> bool:
    first, second = (around.branches.demands.get(around.places[name], frozenset()) for name in (one, other))
    return are_opposite(first, second)


def _check_source(argument: Argument, action: Action, bound: Bound, spot: _Spot) -> None:
    """Law 11: a field whose sources the catalogue names takes its value from one of them; what was told was told."""
    binding, allowed = bound.bindings[argument.name], action.sources[argument.name]
    if argument.kind == "ref" and not binding.expression:
        return  # no reference at all, which was told already
    around = spot.around
    free = roots(binding.expression) if binding.expression else frozenset()
    found = {
        source: None
        for view in around.views(free | roots(around.list_source) if around.list_source else free)
        for source in sources_of(argument.kind, binding.expression, view.actions, around.list_source)
    }
    wrong = [source for source in found if not is_allowed(source, allowed)]
    if wrong:
        what = f"it comes from {', '.join(wrong)}; the catalogue allows {', '.join(allowed)} here and nothing else"
        spot.fault("FORBIDDEN_SOURCE", what)
    elif argument.kind == USER and argument.name in bound.known and not around.told.has(bound.known[argument.name]):
        what = "its value does not occur in the request, although its kind is `user`: give what was told, or ask for it"
        spot.fault("UNFOUNDED_VALUE", what)


def _misfit(name: str, expression: str, free: frozenset[str], wanted: Shape, spot: _Spot) -> str:
    """Return why what a reference yields does not fit the field, or nothing. Raises: ReferenceFault.

    Bookings over one catalogue repeat the same references for ever, and following one through the schemas costs as
    much as everything else about it, so those that fit are remembered: whether they do depends on the catalogue alone.
    """
    around = spot.around
    key = _remembered_as(expression, free, around, spot.action, name)
    if key in _FITTING:
        return ""
    why = ""
    for view in around.views(free):
        found = infer(expression, view.shapes)
        why = why or mismatch(found.shape, wanted)
        if not why and found.lacks and name in spot.must_be_there:
            why = f"`{found.lacks}` may be missing where it is read, and this commit cannot do without"
    if not why:
        _remember(key)
    return why


def demand_readable(expression: str, free: frozenset[str], around: Surroundings) -> None:
    """Raise `ReferenceFault` where a reference reads what certainly cannot be there; `free` are its roots."""
    key = _remembered_as(expression, free, around, "", "")
    if key not in _FITTING:
        for view in around.views(free):
            infer(expression, view.shapes)
        _remember(key)


def _remembered_as(
    expression: str, free: frozenset[str], around: Surroundings, reader: str, name: str
) -> tuple[object, ...] | None:
    """Return all that it depends on whether a reference fits; None where that is more than the catalogue."""
    if around.branched & free:
        return None  # a list, or one of several tasks
    readers = tuple(sorted((root, around.actions[root]) for root in free if root in around.actions))
    if len(readers) < len(free):  # something of the request, or an action that nobody knows, is in it
        return None
    return (around.version, reader, name, expression, readers)


def _remember(key: tuple[object, ...] | None) -> None:
    if key is None:
        return
    if len(_FITTING) >= _FITTING_MAX:
        _FITTING.clear()
    _FITTING.add(key)


_FITTING_MAX: Final = 20_000
_FITTING: Final[set[tuple[object, ...]]] = set()


def _bind_constant(argument: Argument, wanted: Shape, bound: Bound, spot: _Spot) -> None:
    try:
        value = typed(argument.value, wanted)
    except ValueError as error:
        spot.fault("BAD_INPUT", str(error))
        return
    bound.bindings[argument.name] = Binding(constant=value)
    bound.known[argument.name] = value


def typed(text: str, wanted: Shape) -> Json:
    """Return the value that a constant's text stands for: the text itself for a text field, else JSON.

    Where a field takes texts and other things, JSON of another accepted type is read as that, everything else as text.
    Raises: ValueError.
    """
    types = types_of(wanted)
    if types <= {"string", "null"} and "string" in types:
        return None if text.strip() == "null" and "null" in types else text
    try:
        value = read_json(text)
    except ValueError as error:
        if "string" in types:
            return text
        raise ValueError(f"must be the JSON text of {article(types)}: {error}") from error
    if "string" in types and (isinstance(value, str) or not type_names(value) & types):
        return text
    return value


def _check_whole(action: Action, bound: Bound, place: int, where: str, findings: Findings) -> None:
    """Check the values that are known against the input schema, and that nothing required is missing."""
    schema = action.input_schema
    required = schema.get("required")
    missing = [name for name in required if name not in bound.bindings] if isinstance(required, list) else []
    for name in missing:
        findings.add(
            "MISSING_INPUT",
            f"{where}.args.{name}",
            f"{action.name} requires it: give a value, or a reference to the output that holds it",
            task=place,
        )
    base = f"{where}.args"
    complete = not missing and len(bound.known) == len(bound.bindings)
    if not complete and not bound.known:
        return  # nothing is known, and what is missing was told
    faults = faults_in(schema, bound.known, base, code="BAD_INPUT")
    known = tuple(f"{base}.{name}" for name in bound.known) if faults else ()
    for fault in faults:
        if complete or fault.code == UNCHECKABLE or fault.where.startswith(known):
            findings.add("BAD_INPUT", fault.where, fault.message, task=place)
