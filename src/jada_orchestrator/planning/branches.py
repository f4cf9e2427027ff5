"""Branches: tasks that are not called in any case, or not once, and what may be read of them.

A task with `when` is called only where its condition holds; one with `for_each`, once for each item of a list, and read
as the list of its outputs; one with `instead_of` only where the task that it stands in for has failed with one of
`on_codes`, and then it is read under that one's name. The laws are numbered in the package's docstring.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from msgspec import structs

from jada_orchestrator.domain.codes import can_fail_with
from jada_orchestrator.planning.conditions import Demand, Demands, demands
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.findings import Findings, shown, suggestion
from jada_orchestrator.planning.references import ReferenceFault

_CODE: Final = re.compile(r"\A[A-Z][A-Z0-9_]{0,63}\Z")


@dataclass(frozen=True, slots=True)
class Branches:
    """Who is called when, by places."""

    primary: Mapping[int, int] = field(default_factory=dict)
    """Of each task that stands in for another: which."""
    stand_ins: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Of each task with any: all that may be called instead of it, directly or instead of one of those."""
    demands: Mapping[int, Demands] = field(default_factory=dict)
    """Of each task: what its own condition demands, or for a stand-in that of its primary."""
    optional: frozenset[int] = frozenset()
    """Tasks without which the booking is still what was asked for."""

    def of(self, place: int) -> Demands:
        """Return what is so whenever a task is called, with what becomes of its primary and its stand-ins."""
        found = self.demands.get(place, frozenset())
        if place in self.primary:
            found |= {_gone_well(self.primary[place], negated=True)}
        return found | {_gone_well(place)} if place in self.stand_ins else found

    def missing_for(self, reader: int, maker: int) -> Demands:
        """Return what must be so for `maker` to be called and need not be so when `reader` is."""
        wanted = self.demands.get(maker, frozenset())
        if maker in self.primary:
            wanted |= {_gone_well(self.primary[maker], negated=True)}
        return wanted - self.demands.get(reader, frozenset())


def _gone_well(place: int, *, negated: bool = False) -> Demand:
    """Demand that a task succeeded, or that it failed with a code on which another one stands in."""
    return Demand(str(place), "gone well", negated)


def read_branches(steps: Sequence[Step], places: Mapping[str, int], findings: Findings) -> Branches:
    """Return who stands in for whom, and what every condition demands; every fault of that goes to `findings`."""
    if not any(step.task.when or step.task.instead_of or step.task.on_codes for step in steps):
        return Branches(optional=frozenset(place for place, step in enumerate(steps) if step.task.optional))
    primary = {place: first for place, step in enumerate(steps) if (first := _primary(place, steps, places, findings))}
    direct = {place: first[0] for place, first in primary.items()}
    stand_ins: dict[int, tuple[int, ...]] = {}
    for place in direct:
        for above in _chain(place, direct):
            stand_ins[above] = (*stand_ins.get(above, ()), place)
    _check_codes(steps, direct, findings)
    wanted = {place: _demands(step) for place, step in enumerate(steps)}
    return Branches(
        primary=direct,
        stand_ins=stand_ins,
        demands={place: wanted[_first_of(place, direct)] for place in range(len(steps))},
        optional=frozenset(p for p in range(len(steps)) if steps[_first_of(p, direct)].task.optional),
    )


def _demands(step: Step) -> Demands:
    try:
        return demands(step.task.when)
    except ReferenceFault:
        return frozenset()  # told where the condition itself is read


def _primary(place: int, steps: Sequence[Step], places: Mapping[str, int], findings: Findings) -> tuple[int] | None:
    """Return the task that one stands in for, if it may."""
    step = steps[place]
    task = step.task
    if not task.instead_of:
        if task.on_codes:
            message = "codes are for a task that stands in for another: name that one in `instead_of`"
            findings.add("BAD_ALTERNATIVE", f"{step.where}.on_codes", message, task=place)
        return None
    where = f"{step.where}.instead_of"
    first = places.get(task.instead_of)
    if first is None:
        near = "" if findings.is_full else suggestion(task.instead_of, list(places))
        message = f"`instead_of` names {shown(task.instead_of)}, which is no task of this plan.{near}"
        findings.add("UNKNOWN_TASK", where, message, task=place)
        return None
    for trouble in _unfit(place, first, steps):
        findings.add("BAD_ALTERNATIVE", where, trouble, task=place)
    return (first,) if first != place else None


def _unfit(place: int, first: int, steps: Sequence[Step]) -> Iterable[str]:
    task, other = steps[place].task, steps[first].task
    if place == first:
        yield "a task does not stand in for itself"
    if not task.on_codes:
        yield f"name in `on_codes` the error codes of `{other.id}` on which it is called instead"
    odd = [code for code in task.on_codes if not _CODE.match(code)]
    if odd:
        yield f"{', '.join(map(shown, odd))} is no error code: capital letters, digits and _"
    action = steps[first].action
    declared = None if action is None else action.codes
    for code in task.on_codes:
        if action is not None and code not in odd and not can_fail_with(code, declared):
            near = suggestion(code, sorted(declared or ()), all_of_them=True)
            yield f"`{other.id}` ({action.name}) does not fail with {shown(code)}.{near}"
    if task.when or task.for_each:
        yield f"it is called whenever `{other.id}` would have been: it has no `when` and no `for_each` of its own"
    if other.for_each:
        yield f"`{other.id}` is called for each item of a list, some of which may succeed: nothing stands in for it"


def _chain(place: int, direct: Mapping[int, int]) -> list[int]:
    """Return the tasks that one stands in for, the nearest first; each once, also where they go in a circle."""
    found: list[int] = []
    while place in direct and direct[place] not in found:
        place = direct[place]
        found.append(place)
    return found


def _first_of(place: int, direct: Mapping[int, int]) -> int:
    chain = _chain(place, direct)
    return chain[-1] if chain else place


def _check_codes(steps: Sequence[Step], direct: Mapping[int, int], findings: Findings) -> None:
    """On one code only one task stands in."""
    taken: dict[tuple[int, str], int] = {}
    for place, first in direct.items():
        for code in steps[place].task.on_codes:
            other = taken.setdefault((first, code), place)
            if other != place:
                message = f"on {shown(code)}, `{steps[other].task.id}` is called already: one code, one task"
                findings.add("BAD_ALTERNATIVE", f"{steps[place].where}.on_codes", message, task=place)


def with_their_options(steps: Sequence[Step], branches: Branches, findings: Findings) -> list[Step]:
    """Return the steps, each stand-in as optional as what it stands in for."""
    return [
        step if step.task.optional is (place in branches.optional) else _turned(place, step, steps, branches, findings)
        for place, step in enumerate(steps)
    ]


def _turned(place: int, step: Step, steps: Sequence[Step], branches: Branches, findings: Findings) -> Step:
    word = "required" if step.task.optional else "optional"
    first = steps[branches.primary[place]].task.id
    findings.note(f"`{step.task.id}` was made {word}, as `{first}` is, which it stands in for.")
    return structs.replace(step, task=structs.replace(step.task, optional=not step.task.optional))
