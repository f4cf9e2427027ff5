"""What stays of a workflow that ended long ago, in the place of all of its records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jada_orchestrator.domain.ids import OutcomeId, Tenant
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.usage import Usage

TerminalStatus: TypeAlias = Literal["completed", "failed", "compensated", "cancelled", "rejected", "needs_attention"]


@dataclass(frozen=True, slots=True)
class WorkflowRetired:
    """The workflow's tombstone: it has the number and the instant of its last record, and the records are deleted.

    It keeps what is needed to know the request again, to tell its outcome once more under the same id, and to count
    what it cost; of what the traveller and the agents said it keeps nothing.
    """

    request_id: str
    tenant: Tenant
    digest: str
    """Of the request's content; empty where the message was turned away."""
    rejected: bool
    """It stood for a message that was turned away, not for an accepted request."""
    reply_to: str | None
    status: TerminalStatus
    error_code: str | None
    model: str
    by_template: bool
    revision: int
    usage: Usage
    created_at: UtcMs
    finished_at: UtcMs
    outcome_id: OutcomeId | None
    outcome_at: UtcMs
    records: int
    """How many it stands for."""
    retired_at: UtcMs
