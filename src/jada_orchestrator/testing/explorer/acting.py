"""The imagined agents: what each call comes to in one case, and what the imagined world then holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from jada_orchestrator.domain.catalogue import Catalogue, Effect
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import AttemptResult, Failed, Lost, Purpose, Side, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, TaskId
from jada_orchestrator.domain.workflow import Task, Workflow
from jada_orchestrator.engine.keys import call_key, terms_of_call
from jada_orchestrator.planning import faults_in
from jada_orchestrator.testing.explorer.imagining import imagine


class Mishap(StrEnum):
    """What goes wrong with one call, in the words that people are shown."""

    REFUSED = "fails for good"
    LOST_DONE = "lost, with its effect"
    LOST_NOT_DONE = "lost, without its effect"
    NEVER_ANSWERS = "never answers"
    """Neither it nor its lookup, and it has no effect."""
    NEVER_ANSWERS_DONE = "never answers, but has its effect"
    BAD_OUTPUT = "answers what its schema does not allow"


_SILENT = frozenset({Mishap.NEVER_ANSWERS, Mishap.NEVER_ANSWERS_DONE})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One call that goes wrong, in one way."""

    task_id: TaskId
    side: Side
    mishap: Mishap
    code: str = "NOT_POSSIBLE"
    """What is said where it is refused."""


@dataclass(slots=True)
class ImaginedWorld:
    """Does calls, one effect a key, and goes wrong where `trouble` says."""

    catalogue: Catalogue
    trouble: Trouble | None = None
    refused: Mapping[TaskId, str] = field(default_factory=dict)
    """Tasks that are refused for good besides, so that what stands in for them is called; each with the code."""
    answers: dict[IdempotencyKey, JsonObject] = field(default_factory=dict)
    made: dict[IdempotencyKey, TaskId] = field(default_factory=dict)
    """Effects that were made, by the key of the call that made them."""
    undone: set[TaskId] = field(default_factory=set)
    misused: list[str] = field(default_factory=list)
    """Compensations that were called with an input that their schema does not allow."""
    _lost_once: bool = False

    def answer(self, workflow: Workflow, task: Task, side: Side, purpose: Purpose) -> AttemptResult:
        """Do an attempt that is in flight, or lose it."""
        mine = self.trouble is not None and (self.trouble.task_id, self.trouble.side) == (task.planned.id, side)
        mishap = self.trouble.mishap if self.trouble is not None and mine else None
        code = self.trouble.code if self.trouble is not None else ""
        if side == "do" and task.planned.id in self.refused:
            mishap, code = Mishap.REFUSED, self.refused[task.planned.id]
        if purpose == "lookup":
            return self._look_up(workflow, task, side, mishap)
        match mishap:
            case None:
                return Succeeded(self.act(workflow, task, side))
            case Mishap.REFUSED:
                return Failed(Failure(code, "the agent says no"), retryable=False, answered=True)
            case Mishap.BAD_OUTPUT:
                self.act(workflow, task, side)
                return Succeeded({"unexpected": True})
            case Mishap.NEVER_ANSWERS:
                return _lost()
            case Mishap.NEVER_ANSWERS_DONE:
                self.act(workflow, task, side)
                return _lost()
            case Mishap.LOST_DONE | Mishap.LOST_NOT_DONE:
                return self._lose_once(workflow, task, side, done=mishap is Mishap.LOST_DONE)

    def _lose_once(self, workflow: Workflow, task: Task, side: Side, *, done: bool) -> AttemptResult:
        if self._lost_once:
            return Succeeded(self.act(workflow, task, side))
        self._lost_once = True
        if done:
            self.act(workflow, task, side)
        return _lost()

    def act(self, workflow: Workflow, task: Task, side: Side) -> JsonObject:
        """Do a call's action, once per key, and return its answer."""
        key = call_key(workflow, task, side)
        if key in self.answers:
            return self.answers[key]
        call_input = task.call(side).input or {}
        action = self.catalogue.actions[terms_of_call(workflow, task, side, "call").action]
        if side == "undo":
            self.undone.add(task.planned.id)
            faults = faults_in(action.input_schema, call_input, f"{action.name}.input")
            self.misused += [f"undoing {task.planned.id}: {fault}" for fault in faults]
        elif action.effect is not Effect.READ:
            self.made[key] = task.planned.id
            self.undone.discard(task.planned.id)
        output = imagine(action.output_schema, call_input)
        answer: JsonObject = output if isinstance(output, dict) else {}
        self.answers[key] = answer
        return answer

    def _look_up(self, workflow: Workflow, task: Task, side: Side, mishap: Mishap | None) -> AttemptResult:
        if mishap in _SILENT:
            return _lost()
        if mishap is Mishap.REFUSED:
            failed = {"state": "failed", "error": {"code": "NOT_POSSIBLE", "message": "the agent says no"}}
            return Succeeded(failed)
        answer = self.answers.get(call_key(workflow, task, side))
        if answer is None:
            return Succeeded({"state": "absent"})
        return Succeeded({"state": "succeeded", "output": {"unexpected": 1} if mishap is Mishap.BAD_OUTPUT else answer})

    def standing(self) -> set[TaskId]:
        """Return the tasks of which something stands."""
        return {task_id for task_id in self.made.values() if task_id not in self.undone}


def _lost() -> AttemptResult:
    return Lost(Failure("LOST", "no answer came"))


def can_be_bad(catalogue: Catalogue, action: ActionName) -> bool:
    """Tell whether there is an answer that an action's schema does not allow."""
    return bool(faults_in(catalogue.actions[action].output_schema, {"unexpected": True}, "output"))
