"""Whether what was told and what was done agree: the frontend's outcomes against the agents' own books."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.kill9_kit.load import Doom
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
    unexplained: list[str] = field(default_factory=list)
    """Bookings that did not complete although nothing was ordered that explains it, each with its reason."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """How many bookings ended how; those that did not complete, with the code of their failure."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.half_made or self.unexplained)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


def judge(
    submitted: Iterable[str],
    outcomes: Mapping[str, str],
    told: Sequence[Mapping[str, Any]],
    books: Findings,
    doomed: Mapping[str, Doom] | None = None,
) -> Verdict:
    """Compare everything; `told` are all outcome messages, repetitions included, `doomed` what was ordered for whom.

    A booking that ended as `needs_attention` is half-made here: in this world everything can be undone. One that did
    not complete is explained by the refusal that was ordered for it, and by nothing else: each has a room of its own.
    """
    reasons = {str(each.get("subject")): each["data"].get("error") or {} for each in told}
    verdict = Verdict(outcomes=_counted(outcomes, reasons))
    verdict.unexplained = list(_unexplained(outcomes, reasons, doomed or {}))
    verdict.lost = [f"{name} never ended" for name in submitted if name not in outcomes]
    verdict.doubled = [
        f"{each.action} of {each.task_id} in {each.workflow_id}: {', '.join(each.subjects)}" for each in books.doubled
    ]
    verdict.doubled += _contradictions(told)
    verdict.half_made = half_made_now(outcomes, books)
    verdict.half_made += [f"{name} needs attention" for name, how in outcomes.items() if how == "needs_attention"]
    verdict.half_made += books.miscounted
    return verdict


def _counted(outcomes: Mapping[str, str], reasons: Mapping[str, Mapping[str, Any]]) -> dict[str, int]:
    def name(request_id: str, status: str) -> str:
        return status if status == "completed" else f"{status} ({reasons.get(request_id, {}).get('code', 'no code')})"

    return dict(sorted(Counter(name(*ended) for ended in outcomes.items()).items()))


def _unexplained(
    outcomes: Mapping[str, str], reasons: Mapping[str, Mapping[str, Any]], doomed: Mapping[str, Doom]
) -> Iterator[str]:
    for request_id, status in outcomes.items():
        reason, doom = reasons.get(request_id, {}), doomed.get(request_id)
        if status == "completed" or (doom is not None and doom.explains(str(reason.get("code")))):
            continue
        ordered = f"what was ordered for it: {doom}" if doom is not None else "nothing was ordered for it"
        yield f"{request_id} ended as {status}: {reason.get('code')}: {reason.get('message')} ({ordered})"


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
