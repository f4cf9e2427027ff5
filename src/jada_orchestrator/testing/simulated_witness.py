"""The witness: stands at every door of the simulated process and checks that what leaves it may leave it.

It knows only what is durable, folded by the real engine, and what the agents' books say. It never looks into the
process. Every broken law is a sentence in `broken`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence

from jada_orchestrator.domain.catalogue import Catalogue, Effect, LambdaTransport, SqsTransport
from jada_orchestrator.domain.events import Side
from jada_orchestrator.domain.ids import CatalogueVersion, IdempotencyKey, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import (
    AttemptStarted,
    Entry,
    PlanningStarted,
    RetryStarted,
    TaskBackedOff,
    WorkflowAccepted,
)
from jada_orchestrator.domain.workflow import Phase, Status, Task, Workflow
from jada_orchestrator.engine import apply, fold
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.engine.branches import delivers, in_place_of, lets_others_go
from jada_orchestrator.engine.keys import call_key
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.journal import Append
from jada_orchestrator.testing.journal import MemoryStore
from jada_orchestrator.testing.simulated_agents import Books

BROKEN_MAX = 20
"""Sentences kept of one run; one broken law often breaks others."""


class Witness:
    """Checks calls, commits, outcomes and deletes against what is durable."""

    def __init__(
        self,
        store: MemoryStore,
        books: Books,
        catalogues: dict[CatalogueVersion, Catalogue],
        executing: Callable[[], Iterable[AgentCall]],
        now: Callable[[], UtcMs],
    ) -> None:
        """Begin with an empty store; `executing` tells which calls agents are at work on."""
        self._now = now
        self.broken: dict[str, WorkflowId | None] = {}
        """Each broken law once, with the workflow that it was broken in, if it was in one."""
        self.outcome_bodies: dict[str, str] = {}
        """By outcome id what was published under it."""
        self._store = store
        self._books = books
        self._catalogues = catalogues
        self._executing = executing
        self._folded: dict[WorkflowId, Workflow] = {}
        self._replaced: dict[WorkflowId, tuple[Entry, ...]] = {}
        self._keys: dict[tuple[WorkflowId, TaskId, Side], tuple[IdempotencyKey, int]] = {}
        self._lanes: dict[str, list[WorkflowId]] = {}
        self._first_tried: dict[tuple[WorkflowId, int], tuple[Entry, UtcMs]] = {}
        """By the place of an attempt's start in its workflow: what was to be appended there, and since when."""

    def object(self, sentence: str, workflow_id: WorkflowId | None = None) -> None:
        """Note a broken law."""
        if len(self.broken) < BROKEN_MAX:
            self.broken.setdefault(sentence, workflow_id)

    def durable(self, workflow_id: WorkflowId) -> Workflow | None:
        """Return what a workflow durably is."""
        stored = self._store.workflows.get(workflow_id)
        if stored is None:
            return None
        workflow = self._folded.setdefault(workflow_id, Workflow(workflow_id))
        for entry in stored.entries:
            if entry.seq > workflow.seq:
                apply(workflow, entry)
        return workflow

    def entries(self, workflow_id: WorkflowId) -> tuple[Entry, ...]:
        """Return all that ever became durable of a workflow, also what a tombstone stands in the place of."""
        before = self._replaced.get(workflow_id, ())
        return (*before, *self._store.workflows[workflow_id].entries[1 if before else 0 :])

    # --- Commits ------------------------------------------------------------------------------------------------------

    def appending(self, batch: Sequence[Append]) -> None:
        """Note when the start of an attempt is first put to the store, which may have it wait."""
        for append in batch:
            for entry in append.entries:
                place = append.workflow_id, entry.seq
                if isinstance(entry.record, AttemptStarted) and self._first_tried.get(place, (None, 0))[0] is not entry:
                    self._first_tried[place] = entry, self._now()

    def committing(self, *, superseded: bool) -> None:
        """Check whether a process may make a batch durable."""
        if superseded:
            self.object("a process appended after another one had taken the store over")

    def committed(self, batch: Sequence[Append]) -> None:
        """Check a batch that has just become durable."""
        for append in batch:
            for entry in append.entries:
                match entry.record:
                    case WorkflowAccepted(request=request) if request.ordering_key is not None:
                        lane = self._lanes.setdefault(request.ordering_key, [])
                        if append.workflow_id not in lane:
                            lane.append(append.workflow_id)
                    case RetryStarted():
                        self._check_alone(append.workflow_id)
                    case TaskBackedOff(purpose="call", failure=failure) as backed_off if failure.code == "BUSY":
                        self._check_answer(append.workflow_id, backed_off, entry.seq)
                    case _:
                        pass
        for append in batch:
            # The runtime audits what its turn touched; here is the whole of it, folded afresh from what is durable.
            workflow = self.durable(append.workflow_id)
            for sentence in breaches(workflow) if workflow is not None else ():
                self.object(f"after a commit: {sentence}", append.workflow_id)
            if any(isinstance(entry.record, PlanningStarted) and entry.record.call == 1 for entry in append.entries):
                self._check_turn(append.workflow_id)

    def retiring(self, tombstone: Append, *, superseded: bool) -> None:
        """Check a tombstone that is just being put in the place of a workflow's records."""
        workflow_id = tombstone.workflow_id
        self.committing(superseded=superseded)
        workflow, kept = self.durable(workflow_id), fold(workflow_id, tombstone.entries)
        assert workflow is not None, "only what is there is retired"
        self._replaced[workflow_id] = self._store.workflows[workflow_id].entries
        if not workflow.is_done or workflow.terminal == "needs_attention" or workflow.quarantined is not None:
            self.object("it was retired before it was over", workflow_id)
        if workflow.lane is not None:
            self.object("it was retired while others of its lane wait for it", workflow_id)
        for name in ("seq", "at", "request_id", "tenant", "digest", "terminal", "finished_at", "usage", "is_done"):
            if getattr(kept, name) != getattr(workflow, name):
                self.object(f"its tombstone tells another {name}", workflow_id)
        for sentence in breaches(kept):
            self.object(f"once retired: {sentence}", workflow_id)

    def _check_answer(self, workflow_id: WorkflowId, record: TaskBackedOff, seq: int) -> None:
        """An attempt is fenced from the answers to other attempts of the same call, as it was when it was decided.

        Later records of the same commit may have another task in its place, under another key.
        """
        workflow = fold(workflow_id, self.entries(workflow_id)[: seq - 1])
        key = call_key(workflow, workflow.tasks[record.task_id], record.side)
        if (key, record.number) not in self._books.refused:
            sentence = f"attempt {record.number} at {record.task_id} is held to be refused, but another one was"
            self.object(sentence, workflow_id)

    def _check_turn(self, workflow_id: WorkflowId) -> None:
        """Requests that share an ordering key run one after another, in order of acceptance."""
        for key, lane in self._lanes.items():
            for earlier in lane[: lane.index(workflow_id)] if workflow_id in lane else ():
                workflow = self.durable(earlier)
                if workflow is not None and not workflow.is_terminal:
                    self.object(f"it began while {earlier}, before it in the lane {key}, was under way", workflow_id)

    def _check_alone(self, workflow_id: WorkflowId) -> None:
        """One that is taken up again after its end waits until no other of its lane is under way."""
        for key, lane in self._lanes.items():
            for other in lane if workflow_id in lane else ():
                workflow = self.durable(other) if other != workflow_id else None
                if workflow is not None and not workflow.is_terminal and workflow.status is not Status.ACCEPTED:
                    self.object(f"it was tried again while {other}, in the same lane {key}, was under way", workflow_id)

    # --- Calls --------------------------------------------------------------------------------------------------------

    def dispatched(self, target: LambdaTransport | SqsTransport, call: AgentCall) -> None:
        """Check a call that leaves the process."""
        workflow = self.durable(call.workflow_id)
        task = workflow.tasks.get(call.task_id) if workflow is not None else None
        if workflow is None or task is None:
            self.object(f"{call.task_id} left the process before its plan was durable", call.workflow_id)
            return
        side = self._side_of(task, call)
        lookup = call.action.endswith(".lookup")
        for sentence in (
            self._justified(workflow, task, call, side, lookup=lookup),
            self._planned(workflow, task),
            self._right_version(workflow, target, call),
            None if lookup else self._one_key(workflow, task, call, side),
            self._after_others(workflow, task) if side == "do" and not lookup else None,
            self._before_others(workflow, task) if side == "undo" and not lookup else None,
            self._within_bounds(workflow, task, call) if side == "do" and not lookup else None,
        ):
            if sentence is not None:
                self.object(f"{call.task_id} ({call.action}, attempt {call.attempt}): {sentence}", call.workflow_id)

    def _side_of(self, task: Task, call: AgentCall) -> Side:
        if call.action == task.planned.action:
            return "do"
        if call.action == task.terms.lookup and task.undo.phase is not Phase.LOOKING_UP:
            return "do"
        return "undo"

    def _justified(self, workflow: Workflow, task: Task, call: AgentCall, side: Side, *, lookup: bool) -> str | None:
        """Law 1: whatever leaves the process is justified by a record that is durable already."""
        began = task.call(side).lookups if lookup else task.call(side).attempts
        if began >= (1 if lookup else call.attempt):
            return None
        return f"it left the process before the record that justifies it was durable ({workflow.seq} records are)"

    def _planned(self, workflow: Workflow, task: Task) -> str | None:
        """Before there is a plan, nothing is called but reads."""
        if workflow.plan is not None or task.terms.effect is Effect.READ:
            return None
        return f"it is a {task.terms.effect.value}, and left the process before there was a plan"

    def _right_version(self, workflow: Workflow, target: LambdaTransport | SqsTransport, call: AgentCall) -> str | None:
        """Each workflow keeps the catalogue that it was accepted with."""
        catalogue = self._catalogues.get(workflow.catalogue_version)
        if catalogue is None:
            return f"nobody knows its catalogue {workflow.catalogue_version}"
        wanted = catalogue.transport_of(call.action)
        return None if wanted == target else f"it went to {target}, but its catalogue says {wanted}"

    def _one_key(self, workflow: Workflow, task: Task, call: AgentCall, side: Side) -> str | None:
        """One key per task and side; a new revision has a new key, once nothing can come of the old one any more."""
        key, revision = call.idempotency_key, task.planned.revision
        before = self._keys.get((workflow.workflow_id, call.task_id, side))
        self._keys[workflow.workflow_id, call.task_id, side] = (key, revision)
        if before is None or before[0] == key:
            return None
        if before[1] == revision:
            return f"it was called under two keys, {before[0]} and {key}"
        effect = self._books.effects.get(before[0])
        if effect is not None and not effect.undone:
            return f"it is called under a new key, but what it did under the old one, {before[0]}, stands"
        answered = before[0] in self._books.answers or before[0] in self._books.refusals
        may_act = task.terms.effect is not Effect.READ and not answered
        if may_act and any(other.idempotency_key == before[0] for other in self._executing()):
            return f"it is called under a new key while an agent is still at work on the old one, {before[0]}"
        return None

    def _after_others(self, workflow: Workflow, task: Task) -> str | None:
        """No task starts before what it depends on is durable."""
        for before_id in task.planned.after:
            before = workflow.tasks[before_id]
            needed = before_id in task.planned.needs
            over = delivers(workflow, before) if needed else lets_others_go(workflow, before)
            renewed = in_place_of(workflow, before).refreshing and task.do.attempts > 0
            if not (over or renewed or workflow.winding_up or task.undoing):
                return f"it left before {before_id} was done, which is {before.do.phase.value}"
        return None

    def _before_others(self, workflow: Workflow, task: Task) -> str | None:
        """What was built on a task is undone before it, or known to stand."""
        if (workflow.winding_up is None and not task.retired) or task.refreshing:
            return None  # given back to be reserved anew, or left over of an optional task: what came after it stays
        for dependent_id in workflow.dependents.get(task.planned.id, ()):
            dependent = workflow.tasks[dependent_id]
            if (
                dependent.stands is None
                and not dependent.kept
                and any(effect.task_id == dependent_id for effect in self._books.standing(workflow.workflow_id))
            ):
                return f"it is undone before {dependent_id}, which was built on it and stands"
        return None

    def _within_bounds(self, workflow: Workflow, task: Task, call: AgentCall) -> str | None:
        """Nothing is committed on a reservation that ran out, nor above what may be spent without a person."""
        if task.terms.effect is not Effect.COMMIT or call.attempt > 1 or workflow.request is None:
            return None
        began = self._when_decided(workflow.workflow_id, call)
        for needed_id in task.planned.takes:
            needed = workflow.tasks[needed_id]
            used = any(
                workflow.tasks[user].do.attempts > 0 and user != call.task_id
                for user in workflow.dependents.get(needed_id, ())
                if workflow.tasks[user].terms.effect is Effect.COMMIT
            )
            if needed.expires_at is not None and began >= needed.expires_at and not used:
                return f"it commits on {needed_id}, which ran out before"
        limit, amount = workflow.request.constraints.approve_above, task.amount
        if limit is None or amount is None or not amount.exceeds(limit):
            return None
        approved = workflow.approved_up_to
        if approved is None or amount.exceeds(approved):
            return f"it commits {amount} above {limit}, and nobody approved that"
        return None

    def _when_decided(self, workflow_id: WorkflowId, call: AgentCall) -> int:
        """Return when a call was decided upon.

        Not when it is made: the commit may have taken its time. Nor what its entry says, if the clock has gone back:
        entries never do.
        """
        for entry in reversed(self._store.workflows[workflow_id].entries):
            record = entry.record
            if isinstance(record, AttemptStarted) and record.task_id == call.task_id and record.side == "do":
                _, tried_at = self._first_tried.get((workflow_id, entry.seq), (entry, entry.at))
                return min(self._now(), entry.at, tried_at)
        return 0

    # --- Messages -----------------------------------------------------------------------------------------------------

    def published(self, body: str) -> None:
        """Check an outcome that was put into the outcome queue."""
        outcome = json.loads(body)
        workflow = self.durable(WorkflowId(outcome["workflow_id"]))
        decided = workflow is not None and any(o.outcome_id == outcome["id"] for o in workflow.outcomes)
        if not decided:
            self.object(f"the outcome {outcome['id']} was published before it was durable", outcome["workflow_id"])
        if self.outcome_bodies.setdefault(outcome["id"], body) != body:
            self.object(f"the outcome {outcome['id']} was published with two contents", outcome["workflow_id"])
