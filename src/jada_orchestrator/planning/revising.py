"""Revisions: which executed tasks a proposal keeps, and what it may not do to them.

What was executed is history. A revision keeps a task by naming it: in its list, with nothing or the same said of it, or
by reading it or coming after it; what it keeps stands on what came before, which is kept, too, and so is what cannot be
undone. The rest of what was executed is given up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from jada_orchestrator.domain.catalogue import Binding, Catalogue
from jada_orchestrator.domain.house import action_named
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.revision import Past, PastTask
from jada_orchestrator.planning.arguments import Bound
from jada_orchestrator.planning.effects import Step
from jada_orchestrator.planning.findings import Findings
from jada_orchestrator.planning.inputs import request_document
from jada_orchestrator.planning.proposal import Argument, Proposal, ProposedTask
from jada_orchestrator.planning.provenance import Told
from jada_orchestrator.planning.references import ReferenceFault, roots


@dataclass(frozen=True, slots=True)
class Revised:
    """A proposal taken apart: the executed tasks that it keeps, and the tasks that are new, in their order."""

    kept: tuple[PastTask, ...]
    new: tuple[ProposedTask, ...]

    @property
    def without_output(self) -> frozenset[str]:
        """The kept tasks that nothing can be read of: they did not succeed, but others came after them."""
        return frozenset(past.planned.id for past in self.kept if past.state != "succeeded")

    @property
    def standing(self) -> Money | None:
        """The money that what is kept has committed; None when that is nothing. Raises: CurrencyMismatchError."""
        amounts = [past.amount for past in self.kept if past.amount is not None]
        total: Money | None = None
        for amount in amounts:
            total = amount if total is None else total + amount
        return total


def take_apart(proposal: Proposal, past: Past | None, findings: Findings) -> Revised:
    """Return what a revision keeps and what is new in it, which is all of a first plan.

    Attempts to change history go to `findings`.
    """
    if past is None:
        return Revised((), proposal.tasks)
    history = {task.planned.id: task for task in past.tasks if task.state != "not_started"}
    named: set[TaskId] = set()
    new: list[ProposedTask] = []
    for task in proposal.tasks:
        executed = history.get(TaskId(task.id))
        if executed is None:
            new.append(task)
        elif _is_unchanged(task, executed, past, findings):
            named.add(executed.planned.id)
    read = _named_by(new, proposal)
    named |= {task_id for task_id, task in history.items() if task.state == "succeeded" and task_id in read}
    named |= {task_id for task_id, task in history.items() if task.is_bound}
    kept = _with_foundations(named, past)
    return Revised(tuple(task for task in past.tasks if task.planned.id in kept), tuple(new))


def _is_unchanged(task: ProposedTask, executed: PastTask, past: Past, findings: Findings) -> bool:
    """Tell whether a task of the proposal keeps an executed one as it is; say what is wrong where it does not."""
    where, planned = f"tasks.{task.id}", executed.planned
    if executed.state != "succeeded":
        message = f"`{task.id}` {_state(executed)} and stays so: leave it out, and give a new task another id"
        findings.add("EXECUTED_ID", f"{where}.id", message)
        return False
    before = _before(planned.id, {each.planned.id: each.planned for each in past.tasks})
    same = task.action == planned.action and set(task.after) <= before and _says_the_same(task, planned)
    if not same:
        message = (
            f"`{task.id}` was executed and cannot be changed: to keep it, give its id and action with empty `args`, "
            "`control` and `after`; for something else, give a new task another id"
        )
        findings.add("EXECUTED_CHANGED", where, message)
    return same


def _state(task: PastTask) -> str:
    match task.state:
        case "failed":
            return f"failed{f' with {task.code}' if task.code else ''}"
        case "unknown":
            return "ended with its fate unknown"
        case "given_up":
            return "was given up"
        case _:
            return "was not run"


def _says_the_same(task: ProposedTask, planned: PlannedTask) -> bool:
    gates = (
        (task.when, planned.when),
        (task.for_each, planned.for_each),
        (task.instead_of, planned.instead_of or ""),
        (task.on_codes, planned.on_codes),
    )
    if any(said and said != was for said, was in gates):
        return False
    return all(
        argument.name in planned.bindings and _is_same(argument, planned.bindings[argument.name])
        for argument in task.arguments
    )


def _is_same(argument: Argument, binding: Binding) -> bool:
    if argument.kind == "ref" or binding.expression:
        return argument.kind == "ref" and argument.value.strip() == binding.expression
    if argument.value == binding.constant:
        return True
    try:
        return bool(json.loads(argument.value) == binding.constant)
    except (ValueError, RecursionError):
        return False


def _named_by(new: Iterable[ProposedTask], proposal: Proposal) -> set[str]:
    """Return the ids that new tasks and the result read, look at or come after."""
    expressions = [argument.value for task in new for argument in task.arguments if argument.kind == "ref"]
    expressions += [gate for task in new for gate in (task.when, task.for_each) if gate]
    expressions += [line.value for line in proposal.result]
    found = {name for task in new for name in task.after}
    for expression in expressions:
        try:
            found |= {name.lower() for name in roots(expression.strip())}
        except ReferenceFault:
            continue  # told where it is bound
    return found


def _with_foundations(named: Iterable[TaskId], past: Past) -> set[TaskId]:
    planned = {task.planned.id: task.planned for task in past.tasks}
    found = set(named)
    for task_id in list(found):
        found |= _before(task_id, planned)
    return found


def _before(task_id: TaskId, planned: Mapping[TaskId, PlannedTask]) -> set[TaskId]:
    """Return everything that a task came after, directly or through others."""
    found: set[TaskId] = set()
    left = list(planned[task_id].after)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += planned[name].after
    return found


def steps_of(revised: Revised, catalogue: Catalogue) -> list[Step]:
    """Return the kept tasks as steps of the new plan, in topological order."""
    return [
        Step(
            ProposedTask(
                id=past.planned.id,
                written_id=past.planned.id,
                action=past.planned.action,
                after=past.planned.after,
                optional=past.planned.optional,
                arguments=(),
                for_each=past.planned.for_each,
            ),
            action_named(catalogue, past.planned.action),
            f"tasks.{past.planned.id}",
            done=True,
        )
        for past in revised.kept
    ]


def told_arguments(planned: PlannedTask, told: Told) -> frozenset[str]:
    """Return the arguments of a task that are constants which the traveller or the frontend told."""
    constants = ((name, each.constant) for name, each in planned.bindings.items() if not each.expression)
    return frozenset(name for name, constant in constants if told.has(constant))


def told_in(request: BookingRequest, answers: Sequence[str]) -> Told:
    """Return everything that was told with a request and in answer to questions."""
    return Told([request.text, *answers], request_document(request))


def bound_of(past: PastTask, places: Mapping[str, int]) -> Bound:
    """Return what is bound of a kept task."""
    bindings = past.planned.bindings
    known = {name: each.constant for name, each in bindings.items() if not each.expression}
    needs = {places[name] for name in past.planned.needs}
    return Bound(bindings=dict(bindings), needs=needs, known=known, for_each=past.planned.for_each)


def check_repetition(steps: Sequence[Step], bound: Sequence[Bound], past: Past | None, findings: Findings) -> None:
    """Fault what is exactly what failed: the same action with the same arguments fails the same way."""
    failed = [task for task in past.tasks if task.planned.id in past.failed] if past is not None else []
    for place, step in enumerate(steps):
        if step.done or place in findings.touched:
            continue
        for task in failed:
            if step.task.action == task.planned.action and _asks_the_same(bound[place], task.planned):
                message = f"does exactly what `{task.planned.id}` did, which {_state(task)}: choose something else"
                findings.add("REPEATED_FAILURE", step.where, message)


def _asks_the_same(bound: Bound, planned: PlannedTask) -> bool:
    return bound.bindings == planned.bindings and bound.for_each == planned.for_each


def standing_of(revised: Revised, findings: Findings) -> Money | None:
    """Return the money that stands already; a mixture of currencies goes to `findings`."""
    try:
        return revised.standing
    except CurrencyMismatchError as error:
        findings.add("CURRENCY_MISMATCH", "tasks", str(error))
        return None
