"""Sums over the ledger, and what a month would cost."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from jada_orchestrator.adapters.claude.models import KnownModels
from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.model_calls import ModelCall
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.service.ledger import cold_models, grouped, never_sent, totals_of
from jada_orchestrator.service.projection import Assumptions, measured, project

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"
USED = Usage(input_tokens=300, output_tokens=900, cache_read_tokens=6_000, usd="0.0162")
PRICES, KNOWN, DAY = PriceList.shipped(), KnownModels.shipped(), date(2026, 11, 23)


def call(number: int = 1, **changes: Any) -> ModelCall:
    """A good answer to a first question."""
    fields: dict[str, Any] = {
        "at": parse_instant("2026-11-23T10:00:00Z"),
        "workflow_id": WorkflowId(f"wf-{number}"),
        "request_id": f"web-{number}",
        "tenant": "acme",
        "model": SONNET,
        "purpose": "plan",
        "attempt": 1,
        "answered": True,
        "usage": USED,
        "latency_ms": 4_000,
        "first_token_ms": 700,
        "waited_ms": 0,
        "stop_reason": "end_turn",
        "failure_code": "",
        **changes,
    }
    return ModelCall(**fields)


REFUSED = call(9, answered=False, usage=Usage(), failure_code="MODEL_OVERLOADED")
CALLS = [
    call(1),
    call(1, purpose="correction", usage=Usage(1_400, 900, 6_000, 0, "0.0195")),
    call(2, answered=False, usage=Usage(300, 10, 6_000, 0, "0.003"), failure_code="MODEL_STREAM_CUT"),
    call(2, attempt=2),
    call(3, model="claude-unheard-of", usage=Usage(10, 10, 0, 0, None)),
    REFUSED,
]


def test_the_sums() -> None:
    """What was spent, on retries and on corrections, the cache's share; an unknown price is counted, not added."""
    sums = totals_of(CALLS)
    assert (sums.calls, sums.answered, len(sums.bookings), sums.unpriced) == (5, 4, 3, 1)
    assert sums.usd == Decimal("0.0549")
    assert sums.corrections_usd == Decimal("0.0195")
    assert sums.repeated_usd == Decimal("0.0192")  # the cut answer, and the question that was put again
    assert sums.cache_hit_rate == pytest.approx(24_000 / 26_310)
    assert never_sent(CALLS) == {"MODEL_OVERLOADED": 1}
    assert sums.to_json()["latency_ms"] == {"p50": 4_000, "p95": 4_000}


@pytest.mark.parametrize("key", ["day", "tenant", "model", "purpose", "booking"])
def test_groups_add_up(key: str) -> None:
    """However calls are grouped, the groups' sums are the whole."""
    groups = grouped(CALLS, key)
    assert sum((sums.usd for sums in groups.values()), Decimal(0)) == totals_of(CALLS).usd
    assert sum(sums.calls for sums in groups.values()) == 5


def test_a_cache_that_is_never_read_is_found() -> None:
    """A model with many answers of which none read from the cache is named; one that did is not."""
    cold = [call(n, model=HAIKU, usage=Usage(6_300, 900, 0, 0, "0.01")) for n in range(10)]
    assert cold_models([*cold, *CALLS]) == [HAIKU]


def test_the_worked_example() -> None:
    """The estimate's figures come out of its assumptions: $0.0162 a plan, two to three times Haiku, $54 a month."""
    plain = Assumptions(corrections=0)
    sonnet, haiku = project([SONNET, HAIKU], [100], plain, prices=PRICES, known=KNOWN, on=DAY)
    assert (sonnet.usd_per_request, haiku.usd_per_request) == (Decimal("0.0162"), Decimal("0.0054"))
    uncached = Assumptions(corrections=0, prompt_tokens=0, request_tokens=6_300)
    assert project([SONNET], [1], uncached, prices=PRICES, known=KNOWN, on=DAY)[0].usd_per_request == Decimal("0.0324")
    sonnet, haiku = project([SONNET, HAIKU], [100, 1_000], Assumptions(), prices=PRICES, known=KNOWN, on=DAY)
    assert sonnet.months[100] == Decimal("54.45")
    assert sonnet.months[1_000] == 10 * Decimal("54.45")
    assert sonnet.usd_per_request is not None
    assert haiku.usd_per_request is not None
    assert 2 < sonnet.usd_per_request / haiku.usd_per_request < 3
    assert 0.6 <= 1 - sonnet.corrections / haiku.corrections <= 0.8


def test_newer_models_count_more_tokens() -> None:
    """A 5.x model is projected with 30 % more tokens: $0.013 a plan for Sonnet 5.5, $0.0007 for Haiku 5.5."""
    newer = ["claude-sonnet-5-5", "claude-haiku-5-5", "claude-unheard-of"]
    found = project(newer, [1], Assumptions(corrections=0), prices=PRICES, known=KNOWN, on=DAY)
    assert [each.usd_per_request and round(each.usd_per_request, 4) for each in found] == [
        Decimal("0.0133"),
        Decimal("0.0007"),
        None,
    ]


def test_what_was_measured_replaces_the_assumptions() -> None:
    """With enough plans the ledger's own averages are projected; with few the example's."""
    assert measured([call(n) for n in range(19)], KNOWN) is None
    found = measured([call(n) for n in range(20)] + [call(0, purpose="correction")], KNOWN)
    assert found is not None
    assert (found.prompt_tokens, found.request_tokens, found.plan_tokens) == (6_000, 300, 900)
    assert (found.cached_share, found.corrections) == (1.0, 0.05)
