"""Comparing two models: verdicts, intervals, shapes, and what of the past would have been avoided."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.planning import Adopted, compile_proposal
from jada_orchestrator.service.rehearsal.cases import Case, Past, Trial
from jada_orchestrator.service.rehearsal.comparing import avoided, compare, interval, judge
from jada_orchestrator.service.rehearsal.shapes import Shape, missing, shape_of
from jada_orchestrator.testing.catalogues import as_text, request, travel_catalogue, travel_proposal

SHAPE = Shape((("rooms.hold", 1), ("trips.search", 2)), 3, 2, 40_000)


def trial(**changes: Any) -> Trial:
    """A good plan at first try."""
    fields: dict[str, Any] = {
        "model": "m",
        "outcome": "plan",
        "faults": (),
        "shape": SHAPE,
        "usage": Usage(300, 900, 6_000, 0, "0.0162"),
        "latency_ms": 4_000,
        "first_token_ms": 700,
        "answers": 1,
        **changes,
    }
    return Trial(**fields)


BAD = trial(outcome="faulted", faults=(("UNSAFE_ORDER", "BAD_INPUT"), ("BAD_INPUT",), ("BAD_INPUT",)), shape=None)


def test_a_better_model_is_found_and_it_is_said_why() -> None:
    """A candidate that is valid more often is recommended, its first reason being what decides."""
    findings = compare([(BAD, trial())] * 8 + [(trial(), trial())] * 12)
    judgement = judge(findings)
    assert judgement.recommended == "candidate"
    assert judgement.reasons[0].startswith("valid at first try is better (0.6 -> 1 ")
    verdicts = {finding.criterion: finding.verdict for finding in findings}
    assert verdicts["corrections"] == verdicts["unsafe orders caught"] == "better"
    assert verdicts["cost"] == "no difference shown"


def test_a_cheap_and_worse_model_is_not_recommended() -> None:
    """However cheap it is, a candidate that fails more often is not recommended."""
    cheap = Usage(300, 900, 6_000, 0, "0.0007")
    pairs = [(trial(), replace(BAD, usage=cheap))] * 10 + [(trial(), trial(usage=cheap))] * 10
    judgement = judge(compare(pairs))
    assert judgement.recommended == "current"
    assert any(reason.startswith("cost is better") for reason in judgement.reasons)


def test_with_few_pairs_nothing_is_claimed() -> None:
    """Four pairs show nothing, whatever they are."""
    findings = compare([(BAD, trial())] * 4)
    assert {finding.verdict for finding in findings} == {"too little data"}
    assert judge(findings).recommended == "neither shown better"


def test_equal_models_are_not_told_apart() -> None:
    """The same trials on both sides show no difference."""
    assert judge(compare([(trial(), trial())] * 30)).recommended == "neither shown better"


def test_an_interval_is_replayed_and_holds_the_mean() -> None:
    """The bootstrap's interval is the same for the same dice, contains the mean, and narrows with more data."""
    few = [0.0, 1.0, 1.0, 0.0, 1.0]
    assert interval(few, random.Random(1)) == interval(few, random.Random(1))
    low, high = interval(few, random.Random(1))
    assert low < 0.6 < high
    narrow_low, narrow_high = interval(few * 40, random.Random(1))
    assert narrow_high - narrow_low < high - low


def test_the_shape_of_a_plan() -> None:
    """Tasks, levels and actions are counted as the graph has them."""
    compiled = compile_proposal(as_text(travel_proposal()), travel_catalogue(), request())
    assert isinstance(compiled, Adopted)
    shape = shape_of(compiled.plan)
    assert (shape.tasks, dict(shape.actions)["trips.search"]) == (13, 2)
    assert 1 < shape.parallelism < 3
    assert shape.critical_ms == shape.levels * 20_000
    assert missing(shape, SHAPE).total() == 10


@pytest.mark.parametrize(
    ("past", "candidate", "text"),
    [
        (Past("failed", "no plan [PLAN_FAULTED]", unplanned=True), trial(), "now there is one"),
        (Past("compensated", "sold out", frozenset({ActionName("cars.hold")})), trial(), "cars.hold failed"),
        (Past("compensated", "sold out", frozenset({ActionName("rooms.hold")})), trial(), None),
        (Past("completed"), trial(), None),
        (Past("failed", "x", unplanned=True), BAD, None),
    ],
)
def test_failures_that_would_have_been_avoided(past: Past, candidate: Trial, text: str | None) -> None:
    """Only what a plan alone can tell is claimed: there is one now, or what failed is not called."""
    said = avoided(Case(request(), UtcMs(0), None, past), candidate)
    assert (said is None) if text is None else (said is not None and text in said)
