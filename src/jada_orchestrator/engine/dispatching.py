"""How soon a booking's first call went out, and how much of its plan's making that hid."""

from __future__ import annotations

from typing import NamedTuple

from jada_orchestrator.domain.workflow import Workflow


class FirstCall(NamedTuple):
    """What is told of a booking's first call, once there are both the call and a plan."""

    after_ms: int
    """From the acceptance of the request."""
    hidden_ms: int
    """Of the plan's making, what ran while calls were under way already."""
    answer_ms: int
    """How long the plan's making took in all."""
    seq: int
    """The record with which this was known."""

    @property
    def hidden_percent(self) -> int:
        """The share of the plan's making that nobody waited for."""
        return round(100 * self.hidden_ms / self.answer_ms) if self.answer_ms else 0

    def sentence(self) -> str:
        """Return it in words."""
        return (
            f"The first call went out {self.after_ms} ms after the request came; of the {self.answer_ms} ms that the "
            f"plan took, {self.hidden_ms} ms ({self.hidden_percent} %) were not waited for"
        )


def first_call(workflow: Workflow, since: int = 0) -> FirstCall | None:
    """Return how soon the first call went out; None until there are a call and a plan.

    Of a workflow that had both before the record `since`, None likewise: that was told when it was news.
    """
    first, head_start = workflow.first_dispatch, workflow.head_start
    if first is None or head_start is None or max(first.seq, head_start.seq) < since:
        return None
    after_ms = first.at - workflow.created_at
    return FirstCall(after_ms, head_start.hidden_ms, head_start.answer_ms, max(first.seq, head_start.seq))
