"""What a plan came to, as the one who revises it may know it: nothing in it is an agent's own wording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.ids import ActionName, TaskId
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import PlannedTask, Terms

PastState: TypeAlias = Literal["succeeded", "failed", "skipped", "unknown", "given_up", "not_started"]


@dataclass(frozen=True, slots=True)
class PastTask:
    """A task of the plan that failed. All but `not_started` is over, and stays as it is."""

    planned: PlannedTask
    state: PastState
    code: str = ""
    """Of its failure; only codes that the catalogue or the house declares."""
    facts: Json = None
    """What its output says in numbers, money, dates and words of the schema's own; None where there is none."""
    amount: Money | None = None
    """What it committed."""
    told: frozenset[str] = frozenset()
    """Arguments whose constants occur in the request: kind `user` for whoever writes them down again."""
    is_bound: bool = False
    """What it did cannot be undone, so that a revision keeps it, named or not."""


@dataclass(frozen=True, slots=True)
class Past:
    """The executed part of a workflow, in topological order, and the terms under which it was executed."""

    tasks: tuple[PastTask, ...]
    terms: dict[ActionName, Terms]
    failed: frozenset[TaskId] = frozenset()
    """The tasks whose failure another plan is to get round; others may have failed without harm."""
