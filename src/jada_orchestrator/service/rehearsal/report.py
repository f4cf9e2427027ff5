"""What a rehearsal came to: for programs as JSON, for people as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.service.rehearsal.cases import Case, Trial
from jada_orchestrator.service.rehearsal.comparing import Finding, Judgement, avoided, compare, judge
from jada_orchestrator.service.rehearsal.running import Rehearsed
from jada_orchestrator.service.rehearsal.shapes import missing


@dataclass(frozen=True, slots=True)
class Report:
    """One candidate against the current model."""

    current: str
    candidate: str
    pairs: tuple[tuple[Case, Trial, Trial], ...]
    cases: int
    """All that were to be rehearsed."""
    findings: tuple[Finding, ...]
    judgement: Judgement
    avoided: tuple[tuple[str, str], ...]
    """Request ids and the failure of the past that the candidate's plan would have avoided."""
    stopped: str
    spent_usd: str
    """By all rehearsals that share the file of answers."""


def report_of(cases: Sequence[Case], current: str, candidate: str, done: Rehearsed, spent_usd: str) -> Report:
    """Return the report on what has been done."""
    pairs = []
    for case in cases:
        theirs = case.current or done.trials.get((case.request.request_id, current))
        ours = done.trials.get((case.request.request_id, candidate))
        if theirs is not None and ours is not None:
            pairs.append((case, theirs, ours))
    findings = tuple(compare([(theirs, ours) for _, theirs, ours in pairs]))
    told = [(case.request.request_id, avoided(case, ours)) for case, _, ours in pairs]
    return Report(
        current=current,
        candidate=candidate,
        pairs=tuple(pairs),
        cases=len(cases),
        findings=findings,
        judgement=judge(findings),
        avoided=tuple((request_id, text) for request_id, text in told if text is not None),
        stopped=done.stopped,
        spent_usd=spent_usd,
    )


def to_json(report: Report) -> JsonObject:
    """Return the report for programs."""
    return {
        "current": report.current,
        "candidate": report.candidate,
        "requests": report.cases,
        "compared": len(report.pairs),
        "stopped": report.stopped or None,
        "spent_usd": report.spent_usd,
        "recommended": report.judgement.recommended,
        "reasons": list(report.judgement.reasons),
        "criteria": [finding.to_json() for finding in report.findings],
        "failures_avoided": [{"request_id": name, "how": how} for name, how in report.avoided],
        "requests_compared": [_pair_json(*pair) for pair in report.pairs],
    }


def _pair_json(case: Case, current: Trial, candidate: Trial) -> JsonObject:
    told: JsonObject = {
        "request_id": case.request.request_id,
        "current": _trial_json(current),
        "candidate": _trial_json(candidate),
    }
    if current.shape is not None and candidate.shape is not None:
        told["missing"] = sorted(missing(current.shape, candidate.shape).elements())
        told["extra"] = sorted(missing(candidate.shape, current.shape).elements())
    return told


def _trial_json(trial: Trial) -> JsonObject:
    shape = trial.shape
    return {
        "outcome": trial.outcome,
        "faults": [list(codes) for codes in trial.faults],
        "failure": trial.failure or None,
        "tasks": None if shape is None else shape.tasks,
        "levels": None if shape is None else shape.levels,
        "critical_path_ms_max": None if shape is None else shape.critical_ms,
        "latency_ms": trial.latency_ms,
        "first_token_ms": trial.first_token_ms,
        "usage": trial.usage.to_json(),
    }


_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#1c2430;background:#fff}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px solid #d8dee6;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}.better{color:#0a7a3c}.worse{color:#b3261e}
.dim{color:#677385}.bar{position:relative;height:.7rem;width:12rem;background:#eef1f5}
.bar i{position:absolute;top:0;bottom:0;background:#8fa3bd}
.bar b{position:absolute;top:-2px;bottom:-2px;width:1px;background:#1c2430}
@media(prefers-color-scheme:dark){body{background:#12161c;color:#dfe5ee}th,td{border-color:#2c3440}.bar{background:#222a35}
.bar b{background:#dfe5ee}.better{color:#5bd38d}.worse{color:#ff8a80}}
"""


def to_html(report: Report) -> str:
    """Return the report as one page: no scripts, no fonts, no pictures from elsewhere."""
    title = f"Rehearsal of {escape(report.candidate)} against {escape(report.current)}"
    verdict = {
        "candidate": f"{escape(report.candidate)} is the better one",
        "current": f"Stay with {escape(report.current)}",
        "neither shown better": "Neither is shown to be better",
    }[report.judgement.recommended]
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in report.judgement.reasons)
    stopped = f" It was stopped early: {escape(report.stopped)}." if report.stopped else ""
    compared = f"{len(report.pairs)} of {report.cases} requests compared; no agent was called."
    avoided_rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(how)}</td></tr>" for name, how in report.avoided)
    avoided_part = (
        f"<h2>Failures that would have been avoided</h2><table>{avoided_rows}</table>" if report.avoided else ""
    )
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p><strong>{verdict}.</strong> {compared} Spent: ${escape(report.spent_usd)}.{stopped}</p>"
        f"<ul>{reasons}</ul><h2>Criteria</h2><table><tr><th>criterion<th class=n>current<th class=n>candidate"
        "<th>difference, 95 % interval<th>verdict</tr>"
        f"{''.join(_finding_row(each) for each in report.findings)}</table>{avoided_part}"
        "<h2>Requests</h2><table><tr><th>request<th>current<th>candidate<th>missing<th>extra</tr>"
        f"{''.join(_pair_row(*pair) for pair in report.pairs)}</table></html>\n"
    )


def _finding_row(finding: Finding) -> str:
    span = max(abs(finding.low), abs(finding.high)) or 1.0
    left, right = 50 + 50 * finding.low / span, 50 + 50 * finding.high / span
    place = f"left:{left:.1f}%;width:{max(1.0, right - left):.1f}%"
    bar = f'<div class=bar><i style="{place}"></i><b style="left:50%"></b></div>'
    style = finding.verdict if finding.verdict in {"better", "worse"} else "dim"
    return (
        f"<tr><td>{escape(finding.criterion)} <span class=dim>{escape(finding.meaning)}, {finding.pairs} pairs</span>"
        f"<td class=n>{finding.current:.4g}<td class=n>{finding.candidate:.4g}"
        f"<td>{finding.low:+.4g} … {finding.high:+.4g}{bar}<td class={style}>{escape(finding.verdict)}</tr>"
    )


def _pair_row(case: Case, current: Trial, candidate: Trial) -> str:
    told = _pair_json(case, current, candidate)
    gone, more = (escape(", ".join(told.get(key, []))) for key in ("missing", "extra"))
    name = escape(case.request.request_id)
    return f"<tr><td>{name}<td>{_trial(current)}<td>{_trial(candidate)}<td>{gone}<td>{more}</tr>"


def _trial(trial: Trial) -> str:
    shape = f", {trial.shape.tasks} tasks in {trial.shape.levels} levels" if trial.shape else ""
    faults = f"<br><span class=dim>{escape('; '.join(', '.join(codes) for codes in trial.faults))}</span>"
    return f"{escape(trial.outcome)}{shape}{faults if trial.faults else ''}"
