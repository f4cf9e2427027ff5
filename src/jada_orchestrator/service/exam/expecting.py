"""What is expected of an answer. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import BookingRequest

Outcome: TypeAlias = Literal["plan", "clarify", "refuse"]
Edge: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Expectation:
    """The properties that an answer should have; what is empty is not judged."""

    outcomes: frozenset[Outcome]
    must: Mapping[str, int] = field(default_factory=dict)
    """Actions, and how often each."""
    may: frozenset[str] = frozenset()
    """Actions that are neither wanted nor wrong, however often; ``*`` stands for anything."""
    must_not: frozenset[str] = frozenset()
    edges: frozenset[Edge] = frozenset()
    """Orders of actions that must hold, directly or through others."""
    edges_may: frozenset[Edge] = frozenset()
    """Orders that may hold, beside those that follow from `edges`."""
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By ``agent.action.field``: where the value may come from, in the words of the catalogue's `sources`."""
    values: tuple[tuple[str, Mapping[str, Json]], ...] = ()
    """Per wanted call of an action: what its known arguments should be."""
    asks_about: tuple[tuple[str, ...], ...] = ()
    """For each: one of these words occurs in the questions, whatever their case."""
    path: int | None = None
    """Tasks on the longest path of a good plan."""
    width_min: int | None = None
    width_max: int | None = None
    tasks_max: int | None = None
    usd_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """One question of the exam, `level` from 1 (easy); `now` is the day on which it is asked."""

    question_id: str
    level: int
    topic: str
    request: BookingRequest
    now: UtcMs
    expected: Expectation
