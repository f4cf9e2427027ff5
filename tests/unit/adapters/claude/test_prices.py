"""Costs: exact, dated, and unknown rather than wrong."""

from __future__ import annotations

from datetime import date

import pytest

from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.domain.usage import Usage

PRICES = PriceList.shipped()
TODAY = date(2026, 11, 23)
MILLION = 1_000_000


@pytest.mark.parametrize(
    ("model", "usage", "usd"),
    [
        ("claude-sonnet-4-6", Usage(input_tokens=MILLION), "3"),
        ("claude-sonnet-4-6", Usage(output_tokens=MILLION), "15"),
        ("claude-sonnet-4-6", Usage(cache_read_tokens=MILLION), "0.3"),
        ("claude-sonnet-4-6", Usage(cache_write_tokens=MILLION), "3.75"),
        ("claude-sonnet-4-6", Usage(), "0"),
        ("claude-sonnet-4-6", Usage(input_tokens=1), "0.000003"),
        ("claude-sonnet-4-6", Usage(300, 900, 6_000, 0), "0.0162"),
        ("claude-haiku-4-5", Usage(300, 900, 6_000, 0), "0.0054"),
        ("claude-haiku-4-5-20251001", Usage(output_tokens=MILLION), "5"),
        ("claude-haiku-5-5", Usage(input_tokens=100_000), "0.01"),
        ("claude-haiku-5-5", Usage(input_tokens=100_001), "0.0500005"),
        ("claude-opus-5-5", Usage(output_tokens=MILLION), "20"),
        ("claude-opus-5-5", Usage(cache_write_tokens=1), None),
        ("claude-unheard-of", Usage(input_tokens=1), None),
        ("", Usage(), None),
    ],
)
def test_costs(model: str, usage: Usage, usd: str | None) -> None:
    """Costs are exact decimal strings; an unknown model or rate has no cost rather than none to pay."""
    assert PRICES.cost_of(model, usage, TODAY) == usd


@pytest.mark.parametrize(
    ("on", "usd"),
    [(date(2026, 7, 31), None), (date(2026, 10, 6), "0.2"), (date(2026, 10, 7), "0.1"), (TODAY, "0.1")],
)
def test_prices_have_dates(on: date, usd: str | None) -> None:
    """The price of the day counts; before the first one, nothing is known."""
    assert PRICES.cost_of("claude-sonnet-5-5", Usage(cache_read_tokens=MILLION), on) == usd
