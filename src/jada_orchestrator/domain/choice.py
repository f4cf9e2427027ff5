"""A choice among options that an agent returned, as the model is asked to make it: it names a place, nothing else."""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.documents import Json


@dataclass(frozen=True, slots=True)
class Choice:
    """The options, made short, in the order in which their agent gave them, and by what to choose."""

    criteria: str
    options: tuple[Json, ...]
