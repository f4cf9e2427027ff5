"""Whether what was told and what was done agree: the frontend's outcomes against the agents' own books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jada_orchestrator.sandbox.inventory.audit import Findings


@dataclass(slots=True)
class Verdict:
    """What is wrong, in sentences; nothing is, where all three are empty."""

    lost: list[str] = field(default_factory=list)
    """Bookings that never ended."""
    doubled: list[str] = field(default_factory=list)
    """Effects made twice, and outcomes that contradict each other."""
    half_made: list[str] = field(default_factory=list)
    """Bookings whose outcome the books do not bear out, and stock that does not add up."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """How many bookings ended how."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.half_made)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def judge(
    submitted: Iterable[str], outcomes: Mapping[str, str], told: Iterable[Mapping[str, Any]], books: Findings
) -> Verdict:
    """Compare everything; `told` are all outcome messages, repetitions included.

    A booking that ended as `needs_attention` is half-made here: in this world everything can be undone.
    """
    verdict = Verdict(outcomes=dict(sorted(Counter(outcomes.values()).items())))
    verdict.lost = [f"{name} never ended" for name in submitted if name not in outcomes]
    verdict.doubled = [
        f"{each.action} of {each.task_id} in {each.workflow_id}: {', '.join(each.subjects)}" for each in books.doubled
    ]
    verdict.doubled += _contradictions(told)
    verdict.half_made = half_made_now(outcomes, books)
    verdict.half_made += [f"{name} needs attention" for name, how in outcomes.items() if how == "needs_attention"]
    verdict.half_made += books.miscounted
    return verdict


def half_made_now(outcomes: Mapping[str, str], books: Findings) -> list[str]:
    """Return what stands against the outcomes; bookings that have not ended are not judged."""
    return [
        f"{each.request_id} ({each.status}) {each.why}"
        for each in books.half_made(outcomes)
        if each.request_id in outcomes
    ]


def _contradictions(told: Iterable[Mapping[str, Any]]) -> list[str]:
    first: dict[str, Mapping[str, Any]] = {}
    found = []
    for outcome in told:
        name, known = str(outcome.get("subject")), first.setdefault(str(outcome.get("subject")), outcome)
        if known["id"] != outcome["id"]:
            found.append(f"{name} has two outcomes: {known['id']} and {outcome['id']}")
        elif known != outcome:
            found.append(f"{name} was told two things under {known['id']}")
    return found
