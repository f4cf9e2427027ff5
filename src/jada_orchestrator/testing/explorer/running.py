"""One case, from the adopted plan to its end: the pure engine, imagined agents, and time that jumps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from jada_orchestrator.domain.events import (
    AttemptEnded,
    ControlArrived,
    Event,
    ProposalReceived,
    RequestArrived,
    Resumed,
    SlotGranted,
    TimerFired,
)
from jada_orchestrator.domain.ids import workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.domain.request import BookingRequest, Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine import fold, step
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.house import open_approvals
from jada_orchestrator.engine.outstanding import next_instant
from jada_orchestrator.testing.explorer.acting import ImaginedWorld

_STEPS_MAX = 20_000
"""A plan of a hundred tasks, each retried as often as may be, takes fewer; more is going round in circles."""
_CALL_MS = 100
START = UtcMs(1_800_000_000_000)

Watch = Callable[[Workflow], Event | None]
"""Looks at the state before each step, and may put in an event of its own."""


@dataclass(slots=True)
class Run:
    """What a case came to. `commits` holds, for each commit, how many entries were durable after it."""

    workflow: Workflow
    world: ImaginedWorld
    entries: list[Entry] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    now: UtcMs = START
    is_stuck: bool = False


def plan(text: str, request: BookingRequest, world: ImaginedWorld) -> Run:
    """Return a run that has just adopted a plan, or was told what is wrong with it."""
    run = Run(Workflow(workflow_id_of(request.request_id)), world)
    _step(run, RequestArrived(request, "digest", Message("", {}), "imagined-model"))
    _step(run, ProposalReceived(1, text, "imagined-model", Usage(), 0, 0))
    return run


def resume(entries: Sequence[Entry], base: Run, world: ImaginedWorld, *, crashed: bool) -> Run:
    """Return a run that goes on from durable entries; `crashed`: what was in flight is not any more."""
    workflow = fold(base.workflow.workflow_id, entries)
    run = Run(workflow, world, list(entries), [], max(START, workflow.at))
    if crashed:
        _step(run, Resumed())
    return run


def run_on(run: Run, watch: Watch = lambda _: None, *, until: int | None = None) -> Run:
    """Let a run come to its end, or until it has so many entries; people approve what they are asked to."""
    for _ in range(_STEPS_MAX):
        if run.workflow.is_terminal or (until is not None and run.workflow.seq >= until):
            return run
        event = watch(run.workflow) or _next_event(run)
        if event is None:
            break
        _step(run, event)
    run.is_stuck = not run.workflow.is_terminal
    return run


def _next_event(run: Run) -> Event | None:
    workflow = run.workflow
    if workflow.status is Status.AWAITING_APPROVAL:
        asking = open_approvals(workflow)
        return ControlArrived("approve", "a person", "", asking[0] if asking else None)
    for (task_id, side), _ in claimable(workflow):
        return SlotGranted(task_id, side)
    for task_id, side in workflow.active:
        task = workflow.tasks[task_id]
        call = task.call(side)
        run.now = UtcMs(run.now + _CALL_MS)
        result = run.world.answer(workflow, task, side, call.purpose)
        return AttemptEnded(task_id, side, call.purpose, call.number, task.planned.revision, result)
    instant = next_instant(workflow)
    if instant is None:
        return None
    run.now = UtcMs(max(run.now, instant))
    return TimerFired()


def _step(run: Run, event: Event) -> None:
    entries = step(run.workflow, event, run.now, run.world.catalogue)
    run.entries += entries
    if entries:
        run.commits.append(len(run.entries))
