"""What the tests of the reference agents share: books of their own, a clock set by hand, and the agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from ruamel.yaml import YAML

from jada_orchestrator.domain.codes import can_fail_with
from jada_orchestrator.sandbox.agents import (
    cars,
    customers,
    fares,
    flights,
    hotels,
    loyalty,
    notifications,
    orders,
    payments,
    places,
    validator,
)
from jada_orchestrator.sandbox.agents.desk import PACE_VARIABLE
from jada_orchestrator.sandbox.inventory import PATH_VARIABLE, Books, close_books, open_books

CATALOGUE = Path(__file__).parents[3] / "config" / "agents"
AGENTS = {
    module.app.name: module.app
    for module in (
        cars,
        customers,
        fares,
        flights,
        hotels,
        loyalty,
        notifications,
        orders,
        payments,
        places,
        validator,
    )
}


def _declared(agent: str, action: str) -> list[str] | None:
    """The codes that the reference catalogue names for an action."""
    declared: dict[str, dict[str, Any]] = YAML(typ="safe").load((CATALOGUE / f"{agent}.yaml").read_text())["actions"]
    return declared[action].get("codes") if action in declared else None


NOTIFY: dict[str, Any] = {
    "workflow_id": "wf-1",
    "request_id": "web-1",
    "task_id": "notify",
    "attempt": 1,
    "idempotency_key": "jk-1",
    "action": "notifications.send",
    "input": {"customer_id": "c-1", "template": "message"},
}
"""A task for a worker, as it stands in a message."""

START = datetime(2090, 2, 10, 8, tzinfo=UTC)
"""Where the clocks of these tests begin: what is for sale, and at what price, depends on the day.

So far ahead that nothing of it has run out for what looks at the books by the real clock: the audit, and the command.
"""


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = START.timestamp()

    def __call__(self) -> float:
        return self.now

    def forward(self, **time: float) -> None:
        self.now += timedelta(**time).total_seconds()


class Call(Protocol):
    """Calls an action of whatever agent has it and returns the reply."""

    def __call__(self, action: str, given: dict[str, Any], **fields: Any) -> dict[str, Any]: ...


class Done(Protocol):
    """Calls an action that must succeed and returns its output."""

    def __call__(self, action: str, **given: Any) -> dict[str, Any]: ...


@pytest.fixture
def clock() -> Clock:
    """A clock set by hand."""
    return Clock()


@pytest.fixture
def books(tmp_path: Path, clock: Clock) -> Iterator[Books]:
    """Fresh books that live by the clock."""
    opened = Books(tmp_path / "inventory.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Path]:
    """The file that the agents of this process use, by the clock and at full speed."""
    file = tmp_path / "agents.db"
    monkeypatch.setenv(PATH_VARIABLE, str(file))
    monkeypatch.setenv(PACE_VARIABLE, "0")
    open_books(clock)
    yield file
    close_books()


@pytest.fixture
def shared(path: Path) -> Books:
    """The books that the agents of this process use."""
    return open_books()


@pytest.fixture
def call(path: Path) -> Call:
    """The agents, reached as the orchestrator reaches them; each task is named after its action unless told.

    Whatever an action fails with by itself, the catalogue has to say that it may.
    """

    def reach(action: str, given: dict[str, Any], **fields: Any) -> dict[str, Any]:
        agent = action.partition(".")[0]
        reply: dict[str, Any] = AGENTS[agent].call(action, given, **{"task_id": action, **fields})
        if reply["status"] == "failed" and reply["error"]["message"] != "ordered to fail":
            assert can_fail_with(reply["error"]["code"], _declared(agent, action)), reply["error"]
        return reply

    return reach


@pytest.fixture
def done(call: Call) -> Done:
    """The same for calls that must succeed."""

    def reach(action: str, **given: Any) -> dict[str, Any]:
        reply = call(action, given)
        assert reply["status"] == "succeeded", reply
        output: dict[str, Any] = reply["output"]
        return output

    return reach


@pytest.fixture
def in_days() -> Callable[[int], str]:
    """A date so many days from the clock's beginning, as the contract writes it."""
    return lambda days: (START.date() + timedelta(days=days)).isoformat()


@pytest.fixture
def departure() -> date:
    """A day on which things are sold."""
    return START.date() + timedelta(days=120)
