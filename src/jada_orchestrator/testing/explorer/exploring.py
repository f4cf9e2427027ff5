"""The cases, and what each of them came to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from jada_orchestrator.domain.catalogue import Action, Catalogue, Compensation, Effect
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import ControlArrived
from jada_orchestrator.domain.ids import ActionName, TaskId
from jada_orchestrator.domain.records import PlanAdopted, Record
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.workflow import Phase, Task, Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.testing.explorer.acting import ImaginedWorld, Mishap, Trouble, can_be_bad
from jada_orchestrator.testing.explorer.running import Run, Watch, plan, resume, run_on

_DOING = (
    Mishap.REFUSED,
    Mishap.LOST_DONE,
    Mishap.LOST_NOT_DONE,
    Mishap.NEVER_ANSWERS,
    Mishap.NEVER_ANSWERS_DONE,
    Mishap.BAD_OUTPUT,
)
_UNDOING = (Mishap.REFUSED, Mishap.LOST_DONE, Mishap.LOST_NOT_DONE, Mishap.NEVER_ANSWERS, Mishap.NEVER_ANSWERS_DONE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One case: what goes wrong where, how the booking ends, and what is left behind."""

    case: str
    where: str
    status: str
    named: tuple[str, ...] = ()
    """Tasks of which something stands, or may stand, and a person is told so, each with the reason."""
    unnamed: tuple[str, ...] = ()
    """Tasks of which something stands, and nobody is told: this must never be."""
    broken: tuple[str, ...] = ()
    """What else must not be: laws of the engine, compensations that were called wrongly, no end."""

    @property
    def is_safe(self) -> bool:
        """Whether nothing is left behind that nobody is told of."""
        return not self.unnamed and not self.broken

    def to_json(self) -> JsonObject:
        """Return the finding as JSON."""
        return {
            "case": self.case,
            "where": self.where,
            "status": self.status,
            "named": list(self.named),
            "unnamed": list(self.unnamed),
            "broken": list(self.broken),
        }


@dataclass(slots=True)
class Exploration:
    """All findings. `missing` names actions of the plan that change the world, and that nothing undoes or excuses."""

    baseline: Finding
    faults: tuple[str, ...] = ()
    """Why the plan could not be adopted at all; nothing was explored then."""
    missing: tuple[str, ...] = ()
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_covered(self) -> bool:
        """Whether nothing could be left behind without a person being told, and no compensation is missing."""
        safe = self.baseline.is_safe and all(finding.is_safe for finding in self.findings)
        return safe and not self.missing and not self.faults

    def to_json(self) -> JsonObject:
        """Return everything as JSON."""
        return {
            "covered": self.is_covered,
            "faults": list(self.faults),
            "missing_compensations": list(self.missing),
            "baseline": self.baseline.to_json(),
            "cases": len(self.findings),
            "findings": [finding.to_json() for finding in self.findings],
        }


def explore(text: str, catalogue: Catalogue, request: BookingRequest) -> Exploration:
    """Explore a written proposal. Raises: CannotImagineError."""
    excused, missing = _excuse(catalogue)
    base = plan(text, request, ImaginedWorld(excused))
    if base.workflow.plan is None:
        return Exploration(Finding("the plan", "", base.workflow.status.value), faults=_faults(base.workflow))
    base = _bereft(base, missing)
    used = {task.planned.action for task in base.workflow.tasks.values()}
    whole = run_on(resume(base.entries, base, ImaginedWorld(excused), crashed=False))
    exploration = Exploration(
        _found("nothing goes wrong", "", whole), missing=tuple(name for name in missing if name in used)
    )
    exploration.findings += _cases(base, excused, whole)
    if any(task.planned.when for task in base.workflow.tasks.values()):
        turned = _turned(base)
        other = run_on(resume(turned.entries, turned, ImaginedWorld(excused), crashed=False))
        found = [_found("nothing goes wrong", "", other), *_cases(turned, excused, other)]
        exploration.findings += [replace(each, case=f"{each.case}, the conditions turned") for each in found]
    return exploration


def _cases(base: Run, catalogue: Catalogue, whole: Run) -> Iterator[Finding]:
    """Explore everything that may go wrong on the way on which `whole` went well."""
    yield from _one_call_fails(base, catalogue, whole)
    yield from _one_stands_in(base, catalogue, whole)
    yield from _undoing_fails(base, catalogue, whole)
    yield from _cancelled(base, catalogue, whole)
    yield from _crashes("the process dies, the booking going on", base, catalogue, whole)
    undone = run_on(resume(base.entries, base, ImaginedWorld(catalogue, _last_refused(whole)), crashed=False))
    yield from _crashes("the process dies, the last required task failing", base, catalogue, undone)


def _turned(base: Run) -> Run:
    """Return the same run under opposite conditions: what is imagined makes each of them go one way only."""
    entries = [structs.replace(entry, record=_with_conditions_turned(entry.record)) for entry in base.entries]
    workflow = fold(base.workflow.workflow_id, entries)
    return Run(workflow, base.world, entries, list(base.commits), base.now)


def _with_conditions_turned(record: Record) -> Record:
    if not isinstance(record, PlanAdopted):
        return record
    tasks = tuple(structs.replace(task, when=f"!({task.when})") if task.when else task for task in record.plan.tasks)
    return replace(record, plan=replace(record.plan, tasks=tasks))


def _excuse(catalogue: Catalogue) -> tuple[Catalogue, tuple[ActionName, ...]]:
    """Let actions that nothing undoes pass the compiler, so that what comes of them can be seen."""
    missing = [action for action in catalogue.actions.values() if _lacks_undoing(action)]
    passes = {action.name: replace(action, compensate=Compensation(action.name, {})) for action in missing}
    return replace(catalogue, actions={**catalogue.actions, **passes}), tuple(passes)


def _bereft(base: Run, missing: tuple[ActionName, ...]) -> Run:
    """Return the same run with a plan that knows of no undoing where the catalogue names none."""
    base.entries = [structs.replace(entry, record=_without_undoing(entry.record, missing)) for entry in base.entries]
    base.workflow = fold(base.workflow.workflow_id, base.entries)
    return base


def _without_undoing(record: Record, missing: tuple[ActionName, ...]) -> Record:
    if not isinstance(record, PlanAdopted):
        return record
    terms = record.plan.terms
    bereft = {name: replace(terms[name], compensate=None) for name in missing if name in terms}
    return replace(record, plan=replace(record.plan, terms={**terms, **bereft}))


def _lacks_undoing(action: Action) -> bool:
    return action.effect is not Effect.READ and action.compensate is None and not action.irreversible


def _faults(workflow: Workflow) -> tuple[str, ...]:
    exchanges = workflow.planning.exchanges
    if exchanges:
        return tuple(str(fault) for fault in exchanges[-1].faults)
    return (workflow.failure.message if workflow.failure is not None else f"it is {workflow.status.value}",)


# --- Cases ------------------------------------------------------------------------------------------------------------


def _called(whole: Run) -> Iterator[Task]:
    """Yield the tasks that are called where nothing goes wrong: the calls of lists, and nothing that is skipped."""
    return (task for task in whole.workflow.tasks.values() if task.do.attempts)


def _one_call_fails(base: Run, catalogue: Catalogue, whole: Run) -> Iterator[Finding]:
    for task in _called(whole):
        yield from _fails(task, base, catalogue, {})


def _fails(task: Task, base: Run, catalogue: Catalogue, refused: Mapping[TaskId, str]) -> Iterator[Finding]:
    for mishap in _DOING:
        if mishap is Mishap.BAD_OUTPUT and not can_be_bad(catalogue, task.planned.action):
            continue
        world = ImaginedWorld(catalogue, Trouble(task.planned.id, "do", mishap), refused)
        yield _found(mishap, task.planned.id, run_on(resume(base.entries, base, world, crashed=False)))


def _one_stands_in(base: Run, catalogue: Catalogue, whole: Run) -> Iterator[Finding]:
    """A task fails with each code on which another stands in, which does well, or goes wrong in its turn."""
    for task in whole.workflow.tasks.values():
        first = task.planned.instead_of
        for code in task.planned.on_codes if first is not None and whole.workflow.tasks[first].do.attempts else ():
            refused = {first: code} if first is not None else {}
            world = ImaginedWorld(catalogue, None, refused)
            run = run_on(resume(base.entries, base, world, crashed=False))
            yield _found(f"{first} fails with {code}", task.planned.id, run)
            yield from _fails(task, base, catalogue, refused)
            yield from _crashes(f"the process dies, {first} failing with {code}", base, catalogue, run)


def _undoing_fails(base: Run, catalogue: Catalogue, whole: Run) -> Iterator[Finding]:
    """The booking is cancelled as soon as a task has succeeded, and undoing that task goes wrong."""
    for task in _called(whole):
        if task.terms.effect is Effect.READ or task.terms.compensate is None:
            continue
        for mishap in _UNDOING:
            world = ImaginedWorld(catalogue, Trouble(task.planned.id, "undo", mishap))
            run = run_on(resume(base.entries, base, world, crashed=False), _cancel_after(task.planned.id))
            yield _found(f"undoing it {mishap}", task.planned.id, run)


def _cancel_after(task_id: TaskId) -> Watch:
    def watch(workflow: Workflow) -> ControlArrived | None:
        task = workflow.tasks.get(task_id)
        if workflow.cancelled or task is None or task.do.phase is not Phase.SUCCEEDED:
            return None
        return ControlArrived("cancel", "a person")

    return watch


def _cancelled(base: Run, catalogue: Catalogue, whole: Run) -> Iterator[Finding]:
    """The booking is cancelled after each of its commits."""
    for number, durable in enumerate(whole.commits, start=1):

        def watch(workflow: Workflow, durable: int = durable) -> ControlArrived | None:
            wanted = workflow.seq >= durable and not workflow.cancelled
            return ControlArrived("cancel", "a person") if wanted else None

        if durable < len(whole.entries):
            run = run_on(resume(base.entries, base, ImaginedWorld(catalogue), crashed=False), watch)
            yield _found("it is cancelled", f"after commit {number}", run)


def _last_refused(whole: Run) -> Trouble:
    called = list(_called(whole)) or list(whole.workflow.tasks.values())
    required = [task.planned.id for task in called if not task.planned.optional]
    return Trouble(required[-1] if required else called[0].planned.id, "do", Mishap.REFUSED)


def _crashes(case: str, base: Run, catalogue: Catalogue, run: Run) -> Iterator[Finding]:
    """The process is killed after each commit; what was in flight was done, or was not."""
    for number, durable in enumerate(run.commits, start=1):
        for done in (True, False):
            world = ImaginedWorld(catalogue, run.world.trouble, run.world.refused)
            before = _replayed(base, world, durable)
            if done:
                for task_id, side in before.workflow.active:
                    task = before.workflow.tasks[task_id]
                    if task.call(side).purpose == "call" and not _is_refused(world, task_id, side):
                        world.act(before.workflow, task, side)
            after = run_on(resume(before.entries[:durable], base, world, crashed=True))
            yield _found(case, f"after commit {number}, calls in flight {'done' if done else 'not done'}", after)


def _is_refused(world: ImaginedWorld, task_id: TaskId, side: str) -> bool:
    trouble = world.trouble
    if side == "do" and task_id in world.refused:
        return True
    return trouble is not None and (trouble.task_id, trouble.side) == (task_id, side)


def _replayed(base: Run, world: ImaginedWorld, durable: int) -> Run:
    """Return the same run again, up to a commit: the imagined world is then as it was at that moment."""
    return run_on(resume(base.entries, base, world, crashed=False), until=durable)


# --- What it came to --------------------------------------------------------------------------------------------------


def _found(case: str, where: str, run: Run) -> Finding:
    workflow, world = run.workflow, run.world
    told = {task.planned.id for task in workflow.tasks.values() if task.stands is not None}
    if workflow.winding_up is None:  # the booking was made: what it was made of is what was wanted
        told |= {task.planned.id for task in workflow.tasks.values() if task.do.phase is Phase.SUCCEEDED}
    named = tuple(
        f"{task.planned.id} ({task.planned.action}): {task.stands.message} [{task.stands.code}]"
        for task in workflow.tasks.values()
        if task.stands is not None
    )
    broken = [*breaches(workflow), *world.misused]
    if run.is_stuck:
        broken.append("it does not come to an end")
    return Finding(
        case, where, workflow.status.value, named, tuple(sorted(world.standing() - told)), tuple(dict.fromkeys(broken))
    )
