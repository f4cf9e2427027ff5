"""Spoiling a good plan on order, so that the orchestrator's corrections are exercised."""

from __future__ import annotations

from dataclasses import replace

from jada_orchestrator.sandbox.model.faults import FaultKind
from jada_orchestrator.sandbox.model.proposal import Arg, Proposal, ProposedTask

GHOST = "ghost_task"
NO_SUCH_ACTION = "teleports.book"
_LONE = ProposedTask("book_trip", NO_SUCH_ACTION)


def spoil(proposal: Proposal, kind: FaultKind) -> Proposal:
    """Return the proposal with the ordered mistake in it.

    A proposal without tasks (a clarification, a refusal) becomes a plan of one impossible task, so that an ordered
    mistake is always seen.
    """
    if kind is FaultKind.EMPTY_PLAN:
        return replace(proposal, outcome="plan", reason="", questions=(), tasks=(), result=())
    if not proposal.tasks:
        proposal = Proposal("plan", tasks=(_LONE,))
    return replace(proposal, tasks=_spoil_tasks(proposal.tasks, kind))


def _spoil_tasks(tasks: tuple[ProposedTask, ...], kind: FaultKind) -> tuple[ProposedTask, ...]:
    first, last = tasks[0], tasks[-1]
    match kind:
        case FaultKind.CYCLE:
            first, last = replace(first, after=(*first.after, last.id)), replace(last, after=(*last.after, first.id))
            return (replace(first, after=(first.id,)),) if len(tasks) == 1 else (first, *tasks[1:-1], last)
        case FaultKind.UNKNOWN_ACTION:
            return (replace(first, action=NO_SUCH_ACTION), *tasks[1:])
        case FaultKind.DANGLING_REFERENCE:
            args = (
                *last.args[1:],
                Arg(last.args[0].name if last.args else "input", "ref", f"{GHOST}.offers[0].offer_id"),
            )
            return (*tasks[:-1], replace(last, args=args))
        case FaultKind.DUPLICATE_ID:
            return (*tasks, first)
        case FaultKind.MISSING_ARGUMENT:
            spoiled = next((task for task in tasks if task.args), first)
            return tuple(replace(task, args=()) if task is spoiled else task for task in tasks)
        case FaultKind.WRONG_CASE:
            return tuple(replace(task, action=task.action.title()) for task in tasks)
        case _:
            return tasks
