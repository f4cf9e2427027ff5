"""The two state machines as tables: what may follow what, and because of which record.

The tables are checked against the engine by property tests (every move that `apply` makes is in them) and drawn into
`docs/states/` by `tools/generate_docs.py`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from jada_orchestrator.domain.workflow import Phase, Status


class Arrow(NamedTuple):
    """One legal move: from a state, by a record, to a state."""

    source: str
    record: str
    target: str


def _arrows(*rows: tuple[tuple[Phase, ...] | tuple[Status, ...], str, Phase | Status]) -> frozenset[Arrow]:
    return frozenset(
        Arrow(source.value, record, target.value) for sources, record, target in rows for source in sources
    )


_P = Phase
_UNSURE: Final = (_P.CALLING, _P.LOST, _P.LOOKUP_READY, _P.LOOKING_UP, _P.BACKING_OFF, _P.READY)
_FINAL: Final = (_P.SUCCEEDED, _P.FAILED, _P.UNRESOLVED, _P.SKIPPED)

CALL_ARROWS: Final = _arrows(
    ((_P.WAITING,), "predecessors done", _P.READY),
    ((_P.WAITING,), "UndoStarted", _P.READY),
    ((_P.READY,), "AwaitStarted", _P.AWAITING),
    ((_P.AWAITING,), "TaskSucceeded", _P.SUCCEEDED),
    ((_P.AWAITING,), "TaskFailed", _P.FAILED),
    ((_P.AWAITING,), "CompensationStarted", _P.SKIPPED),
    ((_P.AWAITING,), "PlanAdopted", _P.WAITING),
    ((_P.AWAITING,), "PlanAdopted", _P.READY),
    ((_P.WAITING,), "PlanAdopted", _P.READY),
    ((_P.READY, _P.BACKING_OFF), "PlanAdopted", _P.WAITING),
    ((_P.BACKING_OFF,), "PlanAdopted", _P.READY),
    ((_P.WAITING,), "PlanAdopted", _P.SKIPPED),
    ((_P.WAITING,), "RefreshStarted", _P.READY),
    ((_P.READY,), "RefreshStarted", _P.WAITING),
    ((_P.SUCCEEDED,), "TaskCompensated", _P.READY),
    ((_P.WAITING,), "UndoStarted", _P.BACKING_OFF),
    ((_P.UNRESOLVED,), "UndoStarted", _P.LOST),
    ((_P.UNRESOLVED,), "UndoStarted", _P.BACKING_OFF),
    ((_P.READY,), "AttemptStarted", _P.CALLING),
    ((_P.LOOKUP_READY,), "AttemptStarted", _P.LOOKING_UP),
    (_UNSURE, "TaskBackedOff", _P.BACKING_OFF),
    (_UNSURE, "TaskBackedOff", _P.READY),
    (_UNSURE, "AttemptLost", _P.LOST),
    (_UNSURE, "AttemptLost", _P.LOOKUP_READY),
    (_UNSURE, "AttemptLost", _P.BACKING_OFF),
    ((_P.LOOKING_UP,), "LookupEnded", _P.LOST),
    ((_P.LOOKING_UP,), "LookupEnded", _P.LOOKUP_READY),
    ((_P.LOOKING_UP,), "LookupEnded", _P.BACKING_OFF),
    ((_P.LOST,), "CallDue", _P.LOOKUP_READY),
    ((_P.BACKING_OFF,), "CallDue", _P.READY),
    (_UNSURE, "TaskSucceeded", _P.SUCCEEDED),
    (_UNSURE, "TaskCompensated", _P.SUCCEEDED),
    (_UNSURE, "TaskCompensated", _P.WAITING),
    (_UNSURE, "TaskFailed", _P.FAILED),
    (_UNSURE, "TaskUnresolved", _P.UNRESOLVED),
    ((_P.WAITING,), "TaskSkipped", _P.SKIPPED),
    ((_P.WAITING,), "BranchTaken", _P.READY),
    ((_P.WAITING,), "TaskJoined", _P.SUCCEEDED),
    ((_P.WAITING,), "TaskFailed", _P.FAILED),
    ((_P.WAITING, _P.READY, _P.CALLING), "CompensationStarted", _P.SKIPPED),
    ((_P.READY, _P.BACKING_OFF), "CompensationStarted", _P.FAILED),
    ((_P.WAITING, _P.READY, _P.BACKING_OFF), "CompensationStarted", _P.UNRESOLVED),
    ((_P.WAITING,), "TaskSkipped", _P.UNRESOLVED),
    (_FINAL, "RetryStarted", _P.WAITING),
    (_FINAL, "RetryStarted", _P.READY),
    ((*_UNSURE, _P.WAITING), "TaskStands", _P.FAILED),
    ((*_UNSURE, _P.WAITING), "TaskStands", _P.UNRESOLVED),
)
"""A call, doing or undoing: `predecessors done` is not a record of its own, it happens with the last predecessor's."""

_S = Status
_PLANNED: Final = (_S.RUNNING, _S.AWAITING_APPROVAL)
_OPEN: Final = (_S.ACCEPTED, _S.PLANNING, _S.NEEDS_CLARIFICATION)
_ENDED: Final = (_S.FAILED, _S.COMPENSATED, _S.CANCELLED, _S.NEEDS_ATTENTION)

WORKFLOW_ARROWS: Final = _arrows(
    ((_S.ACCEPTED, _S.PLANNING), "PlanningStarted", _S.PLANNING),
    ((_S.PLANNING,), "PlanAdopted", _S.RUNNING),
    ((_S.RUNNING,), "AwaitStarted", _S.AWAITING_APPROVAL),
    ((_S.AWAITING_APPROVAL,), "TaskSucceeded", _S.RUNNING),
    ((_S.AWAITING_APPROVAL,), "TaskFailed", _S.RUNNING),
    ((_S.AWAITING_APPROVAL,), "PlanningStarted", _S.PLANNING),
    ((_S.PLANNING,), "RevisionGivenUp", _S.AWAITING_APPROVAL),
    ((_S.AWAITING_APPROVAL,), "RevisionAsked", _S.RUNNING),
    ((_S.RUNNING,), "PlanningStarted", _S.PLANNING),
    ((_S.PLANNING,), "RevisionGivenUp", _S.RUNNING),
    ((_S.PLANNING,), "CompensationStarted", _S.COMPENSATING),
    ((_S.PLANNING,), "ClarificationAsked", _S.NEEDS_CLARIFICATION),
    ((_S.NEEDS_CLARIFICATION,), "ClarificationAnswered", _S.PLANNING),
    ((_S.RUNNING,), "ApprovalRequested", _S.AWAITING_APPROVAL),
    ((_S.AWAITING_APPROVAL,), "ApprovalDecided", _S.RUNNING),
    (_PLANNED, "UndoQuestionAsked", _S.AWAITING_APPROVAL),
    ((_S.AWAITING_APPROVAL,), "UndoQuestionAnswered", _S.RUNNING),
    (_PLANNED, "CompensationStarted", _S.COMPENSATING),
    (_PLANNED, "WorkflowEnded", _S.COMPLETED),
    (_PLANNED, "WorkflowEnded", _S.NEEDS_ATTENTION),
    ((_S.PLANNING,), "WorkflowEnded", _S.NEEDS_ATTENTION),
    (_OPEN, "WorkflowEnded", _S.FAILED),
    (_OPEN, "WorkflowEnded", _S.CANCELLED),
    ((_S.COMPENSATING,), "WorkflowEnded", _S.FAILED),
    ((_S.COMPENSATING,), "WorkflowEnded", _S.COMPENSATED),
    ((_S.COMPENSATING,), "WorkflowEnded", _S.CANCELLED),
    ((_S.COMPENSATING,), "WorkflowEnded", _S.NEEDS_ATTENTION),
    (_ENDED, "RetryStarted", _S.RUNNING),
    (_ENDED, "RetryStarted", _S.PLANNING),
)
"""A workflow. `rejected` is where a message that is no request begins and ends (`WorkflowRejected`)."""
