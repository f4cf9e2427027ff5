"""Alerts and dashboard: they ask only for numbers that the program has, and for events that exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from jada_orchestrator.adapters.host.messages import MEANINGS
from jada_orchestrator.service.counting import CountingLog
from jada_orchestrator.testing.quiet import QuietLog

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


def test_the_first_time_is_an_increase() -> None:
    """What alerts count is told as 0 before it has ever happened: a counter that begins at 1 has not increased."""
    told = {event for event, _ in CountingLog(QuietLog()).events}
    for rule in alerts():
        for names in re.findall(r'increase\(jada_events_total\{event=~?"([^"]+)"', rule["expr"]):
            assert set(names.split("|")) <= told, rule["alert"]


@pytest.mark.parametrize(("event", "level"), CountingLog(QuietLog()).events)
def test_what_is_told_as_0_is_counted_under_the_same_labels(event: str, level: str) -> None:
    """The level is a label, too: each is the one with which the event is really told."""
    sources = [path.read_text("utf-8") for path in (ROOT / "src/jada_orchestrator").rglob("*.py")]
    told = re.compile(rf'(?:emit)?\(\s*"{level}",\s*"{re.escape(event)}"')
    assert any(told.search(text) for text in sources)


def test_whoever_has_to_act_is_called() -> None:
    """What needs a person and stands in no other alert: no plans, an untold frontend, a fault of the program."""
    asked = " ".join(rule["expr"] for rule in alerts())
    for name in ("jada_planning_stopped", "outcome.stuck", "workflow.unreadable", "message.unacceptable", "law.broken"):
        assert name in asked


def test_every_alert_says_what_to_do() -> None:
    """An alert has a severity, a sentence, and what to type first."""
    for rule in alerts():
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"]
