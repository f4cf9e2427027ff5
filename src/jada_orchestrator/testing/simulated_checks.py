"""The laws that are checked when a simulated run is over: what became of every request, and what stands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from jada_orchestrator.domain.ids import RequestId, WorkflowId, workflow_id_of
from jada_orchestrator.domain.records import Entry, PlanAdopted, RevisionAsked, RevisionGivenUp, WorkflowEnded
from jada_orchestrator.domain.workflow import Phase, Task, Workflow
from jada_orchestrator.engine import outstanding
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.engine.branches import outputs_for
from jada_orchestrator.engine.house import is_house
from jada_orchestrator.engine.keys import call_key
from jada_orchestrator.planning import resolve_input
from jada_orchestrator.testing.journal import MemoryStore
from jada_orchestrator.testing.simulated_agents import Books
from jada_orchestrator.testing.simulated_frontend import Frontends
from jada_orchestrator.testing.simulated_witness import Witness


def check_ends(
    store: MemoryStore, books: Books, witness: Witness, frontends: Frontends, outcomes: Counter[str]
) -> None:
    """Compare every workflow with the books and with what its frontend was told; count the outcomes."""
    for what in books.doubled:
        witness.object(f"doubled: {what}")
    for what in books.hollow:
        witness.object(f"on what was given back: {what}")
    for what in books.changed_inputs:
        witness.object(f"two inputs under one key: {what}")
    for request_id in frontends.owed.texts:
        if workflow_id_of(RequestId(request_id)) not in store.workflows:
            witness.object(f"{request_id} was never accepted")
    for workflow_id in store.workflows:
        workflow = witness.durable(workflow_id)
        assert workflow is not None, "what is stored can be folded"
        ends = sum(isinstance(entry.record, WorkflowEnded) for entry in witness.entries(workflow_id))
        for sentence in _broken(workflow, ends, books, frontends):
            witness.object(sentence, workflow_id)
        if workflow.terminal is not None:
            outcomes[workflow.terminal] += 1
    for sentence in frontends.check():
        witness.object(sentence)


def revisions_in(stories: Iterable[Sequence[Entry]]) -> Counter[str]:
    """Count the revisions of plans that were asked for, adopted, and given up, in the entries of workflows."""
    found: Counter[str] = Counter()
    for entries in stories:
        is_asked = False
        for entry in entries:
            match entry.record:
                case RevisionAsked():
                    found["asked"] += 1
                    is_asked = True
                case PlanAdopted() if is_asked:
                    found["adopted"] += 1
                    is_asked = False
                case RevisionGivenUp():
                    found["given up"] += 1
                    is_asked = False
                case _:
                    pass
    return found


def _broken(workflow: Workflow, ends: int, books: Books, frontends: Frontends) -> Iterator[str]:
    yield from breaches(workflow)
    if workflow.quarantined is not None:
        yield f"it was set aside: {workflow.quarantined}"
    if not workflow.is_done:
        left = [str(command) for command in outstanding(workflow)]
        yield f"it did not come to its end: {workflow.status.value}, outstanding {left}"
        return
    yield from frontends.check_told(workflow, ends if workflow.request is not None else 1)
    yield from _standing(workflow, books)
    yield from _money(workflow.workflow_id, workflow, books)
    if workflow.terminal == "completed":
        yield from _as_it_is(workflow)


def _standing(workflow: Workflow, books: Books) -> Iterator[str]:
    """What a workflow leaves in the world is exactly what it says that it leaves."""
    keys = {call_key(workflow, task, "do"): task for task in workflow.tasks.values()}
    really = {effect.key: effect for effect in books.standing(workflow.workflow_id)}
    for key, effect in really.items():
        task = keys.get(key)
        if task is None:
            yield f"{effect.action} stands under {key}, which no task has"
        elif task.stands is None and not _is_wanted(workflow, task):
            yield f"it ended as {workflow.terminal}, but {task.planned.id} ({effect.action}) stands and nobody says so"
    for key, task in keys.items():
        if not task.has_effect or key in really or task.undo.phase is Phase.SUCCEEDED:
            continue
        if task.stands is None:
            yield f"it ended as {workflow.terminal} with {task.planned.id}, of which nothing stands"
        elif not task.do.maybe and not task.undo.maybe:
            yield f"it says for certain that {task.planned.id} stands, and nothing does"


def _is_wanted(workflow: Workflow, task: Task) -> bool:
    """What a booking that was made consists of is wanted, and so is what may stay of one that was not."""
    if task.retired:
        return False
    return task.kept or (workflow.winding_up is None and task.do.phase is Phase.SUCCEEDED)


def _money(workflow_id: WorkflowId, workflow: Workflow, books: Books) -> Iterator[str]:
    bound = workflow.request.constraints.max_total if workflow.request is not None else None
    captured = books.captured(workflow_id)
    if bound is not None and max(captured, books.captured_most.get(workflow_id, captured)) > bound.amount:
        yield f"{captured} was captured, above {bound}"


def _as_it_is(workflow: Workflow) -> Iterator[str]:
    """What a booking consists of was done with what stands in the end, not with what was there once."""
    assert workflow.request is not None, "what is completed was requested"
    for task in workflow.tasks.values():
        if task.retired or is_house(task) or task.planned.for_each or task.do.phase is not Phase.SUCCEEDED:
            continue
        called_now = resolve_input(task.planned, outputs_for(workflow, task.planned), workflow.request)
        if task.undo.phase is not Phase.SUCCEEDED and called_now != task.do.input:
            yield f"{task.planned.id} was called with {task.do.input}; now it would be with {called_now}"
