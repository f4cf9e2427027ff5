"""Records of what people were asked and what they wanted.

Part of `domain.records`, under whose rules they stand: a class is never edited once released.
"""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import CatalogueVersion, TaskId
from jada_orchestrator.domain.instants import UtcMs


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the booking undone."""

    by: str


@dataclass(frozen=True, slots=True)
class ApprovalRequested:
    """The next commit would bring the total to `amount`, above what may be spent without a person."""

    task_id: TaskId
    amount: JsonObject
    expires_at: UtcMs


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """A person decided; `granted` up to the amount that was asked for."""

    granted: bool
    by: str


@dataclass(frozen=True, slots=True)
class UndoQuestionAsked:
    """A required task failed, and the request wants a person to decide whether everything is undone."""

    failure: Failure
    expires_at: UtcMs


@dataclass(frozen=True, slots=True)
class UndoQuestionAnswered:
    """A person decided, or time did: undo everything, or leave what stands to a person."""

    undo: bool
    by: str


@dataclass(frozen=True, slots=True)
class RetryStarted:
    """An operator had the workflow go on from its failed tasks, as a new revision of the same plan."""

    by: str
    revision: int
    catalogue_version: CatalogueVersion = CatalogueVersion("")
    """Where it never got a plan: the catalogue with which it is planned now. Empty: the one that it had."""


@dataclass(frozen=True, slots=True)
class RetryAsked:
    """An operator wants the workflow to go on from its failed tasks once those before it in its lane have ended.

    It stays as it ended until then. `wanted` is false where somebody thought better of it.
    """

    by: str
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class AttentionSettled:
    """A person dealt by hand with what stood of a booking that needed attention: it needs nobody any more, for good."""

    by: str
    note: str
    """What was done."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The workflow broke a law of ours and is set aside with its story; nothing is done for it until it is released."""

    story: str


@dataclass(frozen=True, slots=True)
class Released:
    """A person let a quarantined workflow go on."""

    by: str
