"""Which models a request begins with, and how the settings say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.service.ladder import all_models, models_of
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import load_settings
from jada_orchestrator.testing.catalogues import request

HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-6"


def settings(**models: Any) -> Settings:
    """Settings with a ladder of two."""
    return Settings(models={"plan": [HAIKU, SONNET], **models})


def test_the_default_is_sonnet_alone() -> None:
    """Without settings Sonnet 4.6 plans alone, and `model` still says which."""
    assert models_of(Settings(), request()) == (SONNET,)
    assert models_of(Settings(model=HAIKU), request()) == (HAIKU,)


@pytest.mark.parametrize(
    ("rules", "text", "max_total", "top"),
    [
        ({}, "A room.", "9000.00 USD", False),
        ({"raise_on_words": ["visa", "wheelchair"]}, "A room with WHEELCHAIR access.", None, True),
        ({"raise_on_words": ["visa"]}, "An advisable room.", None, False),
        ({"raise_longer_than": 10}, "A very long wish.", None, True),
        ({"raise_above": "5000 USD"}, "A room.", "5000.01 USD", True),
        ({"raise_above": "5000 USD"}, "A room.", "5000.00 USD", False),
        ({"raise_above": "5000 USD"}, "A room.", "9000.00 EUR", False),
    ],
)
def test_rules_begin_at_the_top(rules: dict[str, Any], text: str, max_total: str | None, top: bool) -> None:
    """Size, value and whole words of a request send it to the strongest model at once."""
    expected = (SONNET,) if top else (HAIKU, SONNET)
    assert models_of(settings(**rules), request(text, max_total=max_total)) == expected


def test_the_environment_has_lists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A ladder and budgets can be set by variables, as lists with commas and plain numbers."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("JADA_MODELS__PLAN", f"{HAIKU},{SONNET}")
    monkeypatch.setenv("JADA_BUDGETS__DAY_USD", "20")
    loaded = load_settings().settings
    assert loaded.models.plan == (HAIKU, SONNET)
    assert loaded.budgets.day_usd == 20
    assert all_models(loaded) == (HAIKU, SONNET)
