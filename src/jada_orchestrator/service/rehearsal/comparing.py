"""Which of two models plans better: criterion by criterion, with confidence intervals by the bootstrap. Pure."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.service.rehearsal.cases import Case, Trial
from jada_orchestrator.service.rehearsal.shapes import missing

Verdict: TypeAlias = Literal["better", "worse", "no difference shown", "too little data"]

RESAMPLES: Final = 2_000
"""Enough for two digits of a 95 % interval (B. Efron, R. J. Tibshirani, An Introduction to the Bootstrap, 1993)."""
PAIRS_MIN: Final = 5
"""With fewer pairs an interval says nothing."""

Measure: TypeAlias = Callable[[Trial, Trial], tuple[float, float] | None]
"""From the current model's trial and the candidate's to the two values; None where the pair says nothing."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One thing that is compared."""

    name: str
    meaning: str
    better: Literal["more", "less"]
    measure: Measure
    decides: bool = False
    """A candidate that is worse in this is not recommended."""


def _each(of: Callable[[Trial], float]) -> Measure:
    return lambda current, candidate: (of(current), of(candidate))


def _plans(of: Callable[[Trial], float]) -> Measure:
    """Compare where both have a plan."""
    return lambda current, candidate: (of(current), of(candidate)) if current.shape and candidate.shape else None


def _missing(current: Trial, candidate: Trial) -> tuple[float, float] | None:
    if current.shape is None or candidate.shape is None:
        return None
    return 0.0, float(missing(current.shape, candidate.shape).total())


def _extra(current: Trial, candidate: Trial) -> tuple[float, float] | None:
    if current.shape is None or candidate.shape is None:
        return None
    return 0.0, float(missing(candidate.shape, current.shape).total())


def _priced(current: Trial, candidate: Trial) -> tuple[float, float] | None:
    if current.usage.usd is None or candidate.usage.usd is None:
        return None
    return float(current.usage.usd), float(candidate.usage.usd)


def _levels(trial: Trial) -> float:
    return float(trial.shape.levels) if trial.shape else 0.0


def _parallelism(trial: Trial) -> float:
    return trial.shape.parallelism if trial.shape else 0.0


CRITERIA: Final[tuple[Criterion, ...]] = (
    Criterion(
        "valid at first try", "share of requests", "more", _each(lambda t: float(t.valid_at_first)), decides=True
    ),
    Criterion(
        "settled in the end",
        "share of requests with a plan, a question or a refusal",
        "more",
        _each(lambda t: float(t.outcome not in {"faulted", "failed"})),
        decides=True,
    ),
    Criterion("corrections", "faulted answers a request", "less", _each(lambda t: float(len(t.faults)))),
    Criterion("unsafe orders caught", "a request", "less", _each(lambda t: float(t.unsafe)), decides=True),
    Criterion("missing actions", "that the current plan has", "less", _missing),
    Criterion("extra actions", "that the current plan lacks", "less", _extra),
    Criterion("levels", "longest chain of calls", "less", _plans(_levels)),
    Criterion("parallelism", "tasks a level", "more", _plans(_parallelism)),
    Criterion("latency", "ms to the last answer's end", "less", _each(lambda t: float(t.latency_ms))),
    Criterion("output tokens", "a request", "less", _each(lambda t: float(t.usage.output_tokens))),
    Criterion("cost", "USD a request", "less", _priced),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One criterion's result: means, the mean difference (candidate minus current), and its 95 % interval."""

    criterion: str
    meaning: str
    pairs: int
    current: float
    candidate: float
    low: float
    high: float
    verdict: Verdict
    decides: bool

    def to_json(self) -> JsonObject:
        """Return the finding for programs."""
        return {
            "criterion": self.criterion,
            "meaning": self.meaning,
            "pairs": self.pairs,
            "current": round(self.current, 6),
            "candidate": round(self.candidate, 6),
            "difference": round(self.candidate - self.current, 6),
            "interval_95": [round(self.low, 6), round(self.high, 6)],
            "verdict": self.verdict,
        }


@dataclass(frozen=True, slots=True)
class Judgement:
    """The whole: which model, and why."""

    recommended: Literal["candidate", "current", "neither shown better"]
    reasons: tuple[str, ...]


def compare(pairs: Sequence[tuple[Trial, Trial]], seed: int = 0) -> list[Finding]:
    """Return what each criterion says of (current, candidate) pairs. The same pairs and seed give the same result."""
    return [_finding(criterion, pairs, random.Random(f"{seed}/{criterion.name}")) for criterion in CRITERIA]  # noqa: S311 - resampling


def _finding(criterion: Criterion, pairs: Sequence[tuple[Trial, Trial]], dice: random.Random) -> Finding:
    values = [found for pair in pairs if (found := criterion.measure(*pair)) is not None]
    count = len(values)
    current = sum(value[0] for value in values) / count if count else 0.0
    candidate = sum(value[1] for value in values) / count if count else 0.0
    low, high = interval([value[1] - value[0] for value in values], dice)
    return Finding(
        criterion=criterion.name,
        meaning=criterion.meaning,
        pairs=count,
        current=current,
        candidate=candidate,
        low=low,
        high=high,
        verdict=_verdict(low, high, count, better=criterion.better),
        decides=criterion.decides,
    )


def interval(differences: Sequence[float], dice: random.Random) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the mean."""
    if not differences:
        return 0.0, 0.0
    count = len(differences)
    means = sorted(sum(dice.choices(differences, k=count)) / count for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def _verdict(low: float, high: float, count: int, *, better: Literal["more", "less"]) -> Verdict:
    if count < PAIRS_MIN:
        return "too little data"
    if low > 0:
        return "better" if better == "more" else "worse"
    if high < 0:
        return "worse" if better == "more" else "better"
    return "no difference shown"


def judge(findings: Sequence[Finding]) -> Judgement:
    """Return which model to use: never one that is worse in what decides, else the one with more in its favour."""
    worse = [each for each in findings if each.verdict == "worse"]
    better = [each for each in findings if each.verdict == "better"]
    reasons = tuple(_reason(each) for each in sorted([*worse, *better], key=lambda each: not each.decides))
    if any(each.decides for each in worse):
        return Judgement("current", reasons)
    if any(each.decides for each in better) or (better and not worse):
        return Judgement("candidate", reasons)
    if worse and not better:
        return Judgement("current", reasons)
    return Judgement("neither shown better", reasons)


def _reason(finding: Finding) -> str:
    change = f"{finding.current:.4g} -> {finding.candidate:.4g}"
    bounds = f"difference between {finding.low:.4g} and {finding.high:.4g}"
    return f"{finding.criterion} is {finding.verdict} ({change} {finding.meaning}; {bounds})"


def avoided(case: Case, candidate: Trial) -> str | None:
    """Say which failure of the past the candidate's plan would have avoided, as far as a plan alone can tell."""
    past = case.past
    if past is None or past.status not in {"failed", "compensated", "needs_attention"}:
        return None
    if past.unplanned and candidate.outcome == "plan":
        return f"there was no plan ({past.failure}), and now there is one"
    if past.failed_actions and candidate.shape is not None:
        called = {name for name, _ in candidate.shape.actions}
        gone = sorted(past.failed_actions - called)
        if gone and not past.failed_actions & called:
            return f"{', '.join(gone)} failed, and is not called ({past.failure})"
    return None
