"""What an exam came to: per model, per level, per question. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.limits import CORRECTIONS_MAX
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.service.exam.scoring import consistency
from jada_orchestrator.service.exam.sitting import Sat


@dataclass(frozen=True, slots=True)
class Summary:
    """The means over some answers, None where nothing applied; shares and F1 are from 0 to 1."""

    answers: int
    perfect: float | None
    outcome: float | None
    actions: float | None
    edges: float | None
    path_ratio: float | None
    provenance: float | None
    valid: tuple[float | None, ...]
    """Share that was free of faults at first try, after at most one correction, and so on; of those that came."""
    unbroken: float | None
    """Share in which nothing forbidden was proposed and every bound was kept."""
    consistency: float | None
    failed: int
    latency_ms: int | None
    """The median, over whole conversations."""
    usage: Usage

    def to_json(self) -> JsonObject:
        """Return the summary for programs."""
        told: JsonObject = {
            "answers": self.answers,
            "perfect": _rounded(self.perfect),
            "outcome": _rounded(self.outcome),
            "action_f1": _rounded(self.actions),
            "edge_f1": _rounded(self.edges),
            "path_ratio": _rounded(self.path_ratio),
            "provenance": _rounded(self.provenance),
        }
        told |= {f"valid_after_{place}": _rounded(share) for place, share in enumerate(self.valid)}
        told |= {
            "unbroken": _rounded(self.unbroken),
            "consistency": _rounded(self.consistency),
            "failed": self.failed,
            "median_latency_ms": self.latency_ms,
            "cost": self.usage.to_json(),
        }
        return told


def summary_of(sat: Sequence[Sat]) -> Summary:
    """Return the summary of some answers."""
    came = [each for each in sat if each.answer.ended != "failed"]
    usage = Usage(usd="0")
    for each in sat:
        usage += each.answer.usage
    latencies = sorted(each.answer.latency_ms for each in came)
    return Summary(
        answers=len(sat),
        perfect=_mean(float(each.score.is_perfect) for each in sat),
        outcome=_mean(float(each.score.outcome) for each in sat),
        actions=_mean(each.score.actions for each in sat),
        edges=_mean(each.score.edges for each in sat),
        path_ratio=_mean(each.score.path_ratio for each in sat),
        provenance=_mean(each.score.provenance for each in sat),
        valid=tuple(
            _mean(float(each.score.valid_after is not None and each.score.valid_after <= most) for each in came)
            for most in range(CORRECTIONS_MAX + 1)
        ),
        unbroken=_mean(float(not each.score.broken) for each in sat),
        consistency=_mean(consistency([each.answer for each in runs]) for runs in _by_question(sat)),
        failed=len(sat) - len(came),
        latency_ms=latencies[len(latencies) // 2] if latencies else None,
        usage=usage,
    )


def report_of(sat: Sequence[Sat]) -> JsonObject:
    """Return the whole exam for programs: per model the summary, each level's and every answer."""
    models = list(dict.fromkeys(each.model for each in sat))
    return {"schema": "jada.exam-report/1", "models": [_model(name, sat) for name in sorted(models)]}


def _model(name: str, sat: Sequence[Sat]) -> JsonObject:
    own = sorted(
        (each for each in sat if each.model == name),
        key=lambda each: (each.question.level, each.question.question_id, each.run),
    )
    levels = sorted({each.question.level for each in own})
    return {
        "model": name,
        "summary": summary_of(own).to_json(),
        "levels": {
            str(one): summary_of([each for each in own if each.question.level == one]).to_json() for one in levels
        },
        "faults": dict(Counter(code for each in own for codes in each.answer.faults for code in codes).most_common()),
        "answers": [answer_json(each) for each in own],
    }


def answer_json(sat: Sat) -> JsonObject:
    """Return one answer and its score for programs."""
    answer, score = sat.answer, sat.score
    return {
        "question": sat.question.question_id,
        "level": sat.question.level,
        "topic": sat.question.topic,
        "run": sat.run,
        "ended": answer.ended,
        "expected": sorted(sat.question.expected.outcomes),
        "perfect": score.is_perfect,
        "action_f1": _rounded(score.actions),
        "edge_f1": _rounded(score.edges),
        "path_ratio": _rounded(score.path_ratio),
        "provenance": _rounded(score.provenance),
        "valid_after": score.valid_after,
        "broken": list(score.broken),
        "faults": [list(codes) for codes in answer.faults],
        "tasks": [f"{task.id}: {task.action}" for task in answer.plan.tasks] if answer.plan is not None else [],
        "questions": list(answer.questions),
        "reason": answer.reason,
        "failure": answer.failure or None,
        "latency_ms": answer.latency_ms,
        "cost": answer.usage.to_json(),
    }


def _by_question(sat: Sequence[Sat]) -> list[list[Sat]]:
    found: dict[tuple[str, str], list[Sat]] = {}
    for each in sat:
        found.setdefault((each.model, each.question.question_id), []).append(each)
    return list(found.values())


def _mean(values: Iterable[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(round(Decimal(value), 4))
