"""One attack: who makes it, what must not come of it, where it is stopped, and what the booking may end as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.testing.catalogues import travel_proposal
from tests.simulation.attacks.agency import REQUEST, Bribe, WorkerBribe


@dataclass(frozen=True, slots=True)
class Attack:
    """A row of the table in `docs/security.md`; what holds for every attack is in `bounds.py`."""

    name: str
    by: Literal["planner", "function", "worker"]
    must_not: str
    """What it is after."""
    guard: str
    """Where it is stopped."""
    ends: frozenset[str]
    """The statuses that the booking may have afterwards."""
    proposal: str | JsonObject = field(default_factory=travel_proposal)
    """What the planner says, to whatever it is asked."""
    revision: str | JsonObject | None = None
    """What it says when it is asked for another plan; None: the same."""
    choice: Any = None
    """What it says when it is asked to choose; None: the first."""
    request: JsonObject = field(default_factory=lambda: REQUEST)
    bribes: Mapping[str, Bribe] = field(default_factory=dict)
    worker_bribes: Mapping[str, WorkerBribe] = field(default_factory=dict)
    says: JsonObject | None = None
    """What the traveller, or who decides for them, says whenever the booking waits for people; None: nothing."""
    fault: str = ""
    """The compiler's code that must be among the faults."""
    calls_nobody: bool = False
    """Whether it is seen before any agent is called."""
    never_sent: frozenset[str] = frozenset()
    """Actions for which no agent is called."""
    undoes_all: bool = False
    """Whether nothing of what was done may stand."""


def usd(amount: str) -> JsonObject:
    """Money as messages have it."""
    return {"amount": amount, "currency": "USD"}
