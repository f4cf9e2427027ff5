"""The scripted plans, run task by task on the reference agents: what is planned can be done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import jmespath
import pytest

from jada_orchestrator.sandbox.agents.desk import PACE_VARIABLE
from jada_orchestrator.sandbox.inventory import PATH_VARIABLE, close_books, open_books
from jada_orchestrator.sandbox.model.planner import propose
from tests.unit.sandbox.conftest import AGENTS, START
from tests.unit.sandbox_model.catalogue_text import conversation

Run = Callable[[str], dict[str, Any]]


TODAY: Final = START.date()


def day(ahead: int) -> str:
    """The date so many days from today, as people write it."""
    return f"{TODAY + timedelta(days=ahead):%-d %B %Y}"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Plans a text and runs its tasks in order, with fresh books behind the agents; returns the plan's result."""
    monkeypatch.setenv(PATH_VARIABLE, str(tmp_path / "agents.db"))
    monkeypatch.setenv(PACE_VARIABLE, "0")
    open_books(START.timestamp)
    count = iter(range(1_000))

    def plan_and_run(text: str) -> dict[str, Any]:
        asked = conversation(text, today=TODAY.isoformat())
        proposal = propose(asked)
        assert proposal.outcome == "plan", proposal
        outputs: dict[str, Any] = {}
        workflow = f"wf-{next(count)}"
        for task in proposal.tasks:
            inputs = asked.catalogue[task.action].inputs
            given = {}
            for arg in task.args:
                if arg.kind == "ref":
                    given[arg.name] = jmespath.search(arg.value, outputs)
                else:
                    given[arg.name] = arg.value if inputs[arg.name].get("type") == "string" else json.loads(arg.value)
            agent = AGENTS[task.action.partition(".")[0]]
            reply = agent.call(task.action, given, task_id=task.id, workflow_id=workflow)
            assert reply["status"] == "succeeded", (task, given, reply)
            outputs[task.id] = reply["output"]
        return {field.name: jmespath.search(field.value, outputs) for field in proposal.result}

    yield plan_and_run
    close_books()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            "Two of us, Boston to Lisbon {0} to {1}, a hotel near Alfama, under $9,000 all in.",
            {"order_id", "total", "flight_record_locator", "hotel_confirmation"},
        ),
        ("One way from BOS to LIS on {0} for one person, business class", {"order_id", "flight_record_locator"}),
        (
            "Boston - Lisbon on {0}, Lisbon - Madrid on {1}, Madrid - Boston on {2}, for two, with hotels",
            {"order_id", "flight_3_record_locator", "hotel_2_confirmation"},
        ),
        ("A 3-star hotel in Berlin from {0} to {1} for two, budget 4000 EUR", {"hotel_confirmation"}),
        ("A car in Munich from {0} to {1}", {"car_confirmation"}),
        ("Flight, hotel and car for me: Chicago to Rome, {0} to {1}", {"car_confirmation", "hotel_confirmation"}),
    ],
)
def test_bookings_can_be_carried_out(run: Run, text: str, names: set[str]) -> None:
    """Every task of the plan succeeds on the reference agents and the result names what was booked."""
    result = run(text.format(day(120), day(125), day(130)))
    assert names <= result.keys()
    assert all(result.values())


def test_an_order_is_changed_and_cancelled(run: Run) -> None:
    """A trip is booked, its flight moved, its hotel moved, and the order cancelled with money given back."""
    out, back, later, last = day(120), day(127), day(122), day(129)
    order = run(f"Boston to Lisbon {out} to {back} for two with a hotel")["order_id"]
    moved = run(f"Change the flight of order {order} from Boston to Lisbon to {later} to {last}, two travellers")
    assert moved["order_id"] == order
    assert moved["flight_change_id"]
    assert run(f"Move my hotel in Lisbon, order {order}, to {later} to {last}, 2 guests")["hotel_change_id"]
    cancelled = run(f"Cancel order {order}")
    assert cancelled["order_id"] == order
    assert float(cancelled["refunded"]["amount"]) > 0


def test_the_latest_order_can_be_cancelled_in_part(run: Run) -> None:
    """The customer's last booking is looked up; cancelling the hotel alone leaves the rest."""
    order = run(f"Boston to Lisbon {day(120)} to {day(127)} for two with a hotel")["order_id"]
    assert run("Cancel the hotel of my last booking")["order_id"] == order
    assert "flight_fee" not in run(f"Cancel the hotel of order {order}")
