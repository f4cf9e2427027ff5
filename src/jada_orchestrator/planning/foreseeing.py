"""Tasks of a proposal that is still arriving: which of them may start before the rest is there."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from jada_orchestrator.domain.catalogue import Action, Catalogue, Effect
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.plan import PlannedTask, Terms
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning.compiler import Adopted, compile_proposal
from jada_orchestrator.planning.proposal import read_json


@dataclass(frozen=True, slots=True)
class ForeseenTask:
    """A task that may start before its plan is there, and the terms that it is called under."""

    task: PlannedTask
    terms: Terms


def foresee(
    text: str,
    earlier: Sequence[str],
    catalogue: Catalogue,
    request: BookingRequest,
    *,
    revision: int,
    answers: Sequence[str] = (),
) -> ForeseenTask | None:
    """Return a task that may start although the proposal which it belongs to is unfinished; None when it may not.

    `text` and `earlier` are the JSON of this task and of those that were foreseen before it. It may start when its
    action only reads and may be repeated, and when the tasks together compile as a plan without a fault: so its
    arguments fit, come from where they may come from, and read nothing but the request and what was foreseen.
    A task with any control flow of its own, and one of the house itself, waits for the whole plan. Never raises.
    """
    document = _task(text)
    if document is None:
        return None
    action = catalogue.actions.get(ActionName(str(document.get("action", "")).strip().lower()))
    if action is None or not _may_be_early(action):
        return None
    tasks = [*(_task(each) for each in earlier), document]
    proposal = {"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": []}
    compiled = compile_proposal(json.dumps(proposal), catalogue, request, revision=revision, answers=answers)
    if not isinstance(compiled, Adopted):
        return None
    wanted = str(document.get("id", "")).strip().lower()
    task = next((task for task in compiled.plan.tasks if task.id == wanted), None)
    if task is None or task != _plain(task) or compiled.plan.terms_of(task).via == "house":
        return None
    return ForeseenTask(task, compiled.plan.terms_of(task))


def _may_be_early(action: Action) -> bool:
    return action.effect is Effect.READ and action.idempotent


def _plain(task: PlannedTask) -> PlannedTask:
    """Return the task without whatever decides whether, how often or instead of what it runs."""
    return PlannedTask(task.id, task.action, task.bindings, task.after, task.needs, task.optional, task.revision)


def _task(text: str) -> JsonObject | None:
    try:
        document = read_json(text)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
