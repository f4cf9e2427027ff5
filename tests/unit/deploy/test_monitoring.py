"""Alerts and dashboard: they ask only for numbers that the program has, and for events that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from jada_orchestrator.adapters.host.messages import MEANINGS

ROOT = Path(__file__).parents[3]
OPERATING = (ROOT / "src/jada_orchestrator/service/operating.py").read_text(encoding="utf-8")


def known_names() -> set[str]:
    """The names of all numbers, counters with the suffix that the format gives them."""
    names = set(re.findall(r'"(jada_[a-z_]+)"', OPERATING))
    return names | {f"{name}_total" for name in names}


def alerts() -> list[dict[str, Any]]:
    """The rules of the example file."""
    content = YAML(typ="safe").load(ROOT / "deploy/prometheus/jada-alerts.yaml")
    rules: list[dict[str, Any]] = content["groups"][0]["rules"]
    return rules


def expressions() -> Iterator[str]:
    """Every expression of the alerts and the dashboard."""
    yield from (rule["expr"] for rule in alerts())
    board = json.loads((ROOT / "deploy/grafana/jada-dashboard.json").read_text(encoding="utf-8"))
    yield from (target["expr"] for panel in board["panels"] for target in panel["targets"])


def test_every_number_that_is_asked_for_is_told() -> None:
    """No alert and no panel is about a number that /metrics does not have."""
    for expression in expressions():
        assert set(re.findall(r"\bjada_[a-z_]+", expression)) <= known_names(), expression


def test_every_event_that_is_asked_for_exists() -> None:
    """Events in expressions are events of the message catalogue."""
    for expression in expressions():
        for names in re.findall(r'event=~?"([^"]+)"', expression):
            assert set(names.split("|")) <= MEANINGS.keys(), expression


def test_every_alert_says_what_to_do() -> None:
    """An alert has a severity, a sentence, and what to type first."""
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
