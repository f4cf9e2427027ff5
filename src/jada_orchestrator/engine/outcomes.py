"""What the frontend is told: the ``data`` object of an outcome, as the contract's section 4 has it."""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.domain.records import OutcomeType
from jada_orchestrator.domain.template import TEMPLATE_MODEL
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine.house import approval_of

_TEXT_CHARS_MAX: Final = 2_000
_REASON_CHARS_MAX: Final = 200
"""Of each of some hundreds of effects that may stand, in an outcome that is too large otherwise."""


def outcome_content(workflow: Workflow, outcome_type: OutcomeType, about: TaskId | None = None) -> JsonObject:
    """Return the content of an outcome decided now, from the state as it is now; `about` is the task that asks."""
    failure = workflow.failure
    content: JsonObject = {
        "request_id": workflow.request_id,
        "workflow_id": workflow.workflow_id,
        "tenant": workflow.tenant,
        "status": outcome_type,
        "result": workflow.result,
        "error": _error(workflow, failure),
        "questions": _questions(workflow),
        "tasks": [
            {
                "id": task.planned.id,
                "action": task.planned.action,
                "status": task.status.value,
                "attempts": task.do.attempts + task.undo.attempts,
            }
            for task in workflow.tasks.values()
        ],
        "cost": workflow.usage.to_json(),
        "plan_revision": workflow.revision,
        "model": model_of(workflow),
    }
    if about is not None:
        content["approval"] = approval_of(workflow, about)
    elif outcome_type == "awaiting_approval" and workflow.approval is not None:
        content["approval"] = {
            "amount": workflow.approval.amount.to_json(),
            "task_id": workflow.approval.task_id,
        }
    return content


def model_of(workflow: Workflow) -> str:
    """Return the model that a workflow is planned with, or what stands there for a template."""
    return TEMPLATE_MODEL if workflow.by_template else workflow.model


def _error(workflow: Workflow, failure: Failure | None) -> JsonObject | None:
    if failure is None:
        return None
    error: JsonObject = dict(failure.to_json())
    if workflow.rejected_faults:
        error["faults"] = [
            {"code": fault.code, "where": fault.where, "message": fault.message} for fault in workflow.rejected_faults
        ]
    kept = [task.planned.id for task in workflow.tasks.values() if task.kept]
    if kept:
        error["kept"] = kept
    standing = standing_effects(workflow)
    if standing:
        error["standing"] = standing
    return error


def without_outputs(content: JsonObject, ref: PayloadRef | None = None) -> JsonObject:
    """Return an outcome's content without what agents answered: for one that no queue would take otherwise.

    `ref` is where the whole content lies, if anywhere.
    """
    smaller = dict(content)
    where = "it is in data_ref" if ref is not None else f"see: jada show {content['workflow_id']}"
    if smaller.get("result") is not None:
        smaller["result"] = {"omitted": f"too large for a message; {where}"}
    if ref is not None:
        smaller["data_ref"] = ref.to_json()
    smaller["questions"] = [question[:_TEXT_CHARS_MAX] for question in content["questions"]]
    error = smaller.get("error")
    if isinstance(error, dict) and "standing" in error:
        smaller["error"] = {**error, "standing": [_without_output(effect) for effect in error["standing"]]}
    return smaller


def _without_output(effect: JsonObject) -> JsonObject:
    reason = {**effect["reason"], "message": effect["reason"]["message"][:_REASON_CHARS_MAX]}
    return {**effect, "output": None, "reason": reason}


def standing_effects(workflow: Workflow) -> list[JsonObject]:
    """Return what could not be undone and stands, or may stand: what a person must see to."""
    return [
        {
            "task_id": task.planned.id,
            "action": task.planned.action,
            "certain": not (task.do.maybe or task.undo.maybe),
            "output": task.output,
            "reason": task.stands.to_json(),
        }
        for task in workflow.tasks.values()
        if task.stands is not None
    ]


def _questions(workflow: Workflow) -> list[str]:
    if workflow.undo_question is not None:
        why = workflow.undo_question.failure.message
        return [f"The booking failed: {why}. Approve to undo everything; deny to leave what stands to a person."]
    if workflow.status is not Status.NEEDS_CLARIFICATION or not workflow.planning.clarifications:
        return []
    return list(workflow.planning.clarifications[-1].questions)
