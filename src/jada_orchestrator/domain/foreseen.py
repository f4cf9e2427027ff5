"""The record of a read that may start before its plan is there; `domain.records` says what records are."""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.plan import PlannedTask, Terms


@dataclass(frozen=True, slots=True)
class TaskForeseen:
    """A read of the answer that is still arriving to question `call`, sound by itself: it may start before the plan.

    It is what the task will be if the plan keeps it, under the same key; whatever the plan does not keep is dropped.
    `text` is what the model wrote, to be compiled along with what comes later.
    """

    call: int
    text: str
    task: PlannedTask
    terms: Terms
