"""The planner: whoever turns a request into a proposal. In production, Claude."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Clarification, Exchange


class PlannerError(Exception):
    """A question brought no usable answer. Raised by planner adapters, always classified.

    What the operator does depends on `kind`: nothing for `wait` and `bad_answer`; for `stopped`, raise the spend
    limit or mend the key; for `permanent`, read `failure` (the request cannot be planned as it is).
    `usage` holds what was billed all the same.
    """

    def __init__(
        self,
        kind: PlannerFailureKind,
        failure: Failure,
        *,
        retry_after_ms: int | None = None,
        usage: Usage | None = None,
    ) -> None:
        """Keep the classification."""
        super().__init__(f"{failure.code}: {failure.message}")
        self.kind: PlannerFailureKind = kind
        self.failure = failure
        self.retry_after_ms = retry_after_ms
        self.usage = usage if usage is not None else Usage()


@dataclass(frozen=True, slots=True)
class PlannerQuestion:
    """Everything that the planner may see. Nothing in it comes from an agent."""

    workflow_id: WorkflowId
    request: BookingRequest
    catalogue: Catalogue
    model: str
    now: UtcMs
    exchanges: tuple[Exchange, ...]
    """Earlier answers and the compiler's faults in them, oldest first."""
    clarifications: tuple[Clarification, ...]
    """Only answered ones."""


@dataclass(frozen=True, slots=True)
class PlannerAnswer:
    """A complete answer; `text` is unchecked."""

    text: str
    model: str
    usage: Usage
    latency_ms: int
    first_token_ms: int


class Planner(Protocol):
    """Asks the model. May be called many times at once; bounds its own concurrency to its connections."""

    async def propose(self, question: PlannerQuestion) -> PlannerAnswer:
        """Return the model's complete answer.

        Raises: PlannerError, for everything that can go wrong at the service or on the way. Nothing is retried here:
        retry policy is the engine's. When cancelled, the call is abandoned and may still be billed.
        """

    async def close(self) -> None:
        """Release connections. May be called twice."""
