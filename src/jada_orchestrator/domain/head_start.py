"""How soon a booking's first call went out, and what of its planning nobody waited for."""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.instants import UtcMs


@dataclass(frozen=True, slots=True)
class FirstDispatch:
    """When the first attempt of all was started, and by which record."""

    at: UtcMs
    seq: int


@dataclass(frozen=True, slots=True)
class HeadStart:
    """How long the answer that became the first plan took, and how much of that ran after the first dispatch."""

    hidden_ms: int
    answer_ms: int
    seq: int
    """Of the record that adopted the plan."""
