"""The commands that ask for something: what they refuse before anything is sent, and what `plan` compiles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.cli.operating import held_up
from jada_orchestrator.cli.submitting import money_of
from jada_orchestrator.sandbox.inventory import Books
from tests.unit.cli import bookings


@pytest.fixture(autouse=True)
def nobody_elses_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings, region, credentials or key of this machine or person count."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


def error_of(capsys: pytest.CaptureFixture[str], status: int, *arguments: str) -> str:
    """What a command that ends with this status tells people, in one line; never a traceback."""
    assert main(list(arguments)) == status
    told = " ".join(capsys.readouterr().err.split())
    assert "Traceback" not in told
    return told


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "say what is wanted"),
        (["x", "--max-total", "lots"], 'money is "3000 USD"'),
        (["x", "--max-total", "99,50 EUR"], 'money is "3000 USD"'),
        (["x", "--max-total", "1.000,50 EUR"], 'money is "3000 USD"'),
        (["x", "--approve-above", "NaN USD"], 'money is "3000 USD"'),
        (["x", "--timeout", "5"], "--timeout is for --wait"),
        (["x", "--booking", "{"], "--booking is no JSON"),
        (["x", "--booking", "[1]"], "JSON object"),
        (["x", "--file", "/nonexistent.json"], "cannot be read"),
        (["x", "--priority", "11"], "priority"),
        (["x", "--request-id", "a b", "--deadline", "soon"], "request_id"),
        (["x", "--request-id", "a b", "--deadline", "soon"], "deadline"),
    ],
)
def test_a_request_that_cannot_be_one_is_not_sent(
    arguments: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mistakes in what was typed end with 2 and are all named, before anything is sent."""
    assert says in error_of(capsys, 2, "submit", *arguments)


@pytest.mark.parametrize(
    ("typed", "amount"), [("3000 USD", "3000"), ("usd 3,000.50", "3000.50"), ("2999.999 USD", "2999.999")]
)
def test_a_bound_on_money_is_what_was_typed(typed: str, amount: str) -> None:
    """Commas group thousands, and nothing is rounded: a bound that grows is none."""
    assert money_of(typed, "--max-total") == {"amount": amount, "currency": "USD"}


def test_a_projection_is_of_all_bookings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """To project a month from one booking is not what `--project` does, and it says so."""
    assert "not from one" in error_of(capsys, 2, "cost", "web-done", "--project", "100")


def test_agents_that_hold_bookings_up_are_named() -> None:
    """Status names whom calls wait for, and who is left alone for not answering; nobody else."""
    well = {"agent": "cars", "busy": 1, "bound": 5, "waiting": 0, "breaker": "passing", "closed_until": None}
    full = {**well, "agent": "hotels", "busy": 5, "waiting": 3}
    away = {**well, "agent": "flights", "busy": 0, "breaker": "refusing", "closed_until": "2027-04-01T12:00:00.000Z"}
    assert held_up([well, full, away]) == {
        "Agent hotels": "5 calls of at most 5, 3 wait",
        "Agent flights": "0 calls of at most 5, 0 wait; it did not answer: refusing until 2027-04-01T12:00:00.000Z",
    }


def test_a_file_that_holds_no_request_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with something else than one sound request ends with 2 and what is wrong."""
    path = tmp_path / "request.json"
    for text, says in (("nope", "holds no JSON"), ("[1]", "one JSON object"), ('{"text": 4}', "text")):
        path.write_text(text, "utf-8")
        assert says in error_of(capsys, 2, "submit", "-f", str(path))


@pytest.mark.parametrize(
    ("content", "says"),
    [("[" * 100_000, "holds no JSON"), ('{"text": "x", "constraints": "y"}', "constraints")],
    ids=["too deep", "no constraints"],
)
def test_a_file_with_anything_in_it_is_refused_in_words(
    content: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever stands in it, also where flags add to it."""
    (tmp_path / "r.json").write_text(content, "utf-8")
    told = error_of(capsys, 2, "submit", "--file", str(tmp_path / "r.json"), "--max-total", "3 USD")
    assert says in told


@pytest.mark.parametrize("url", ["postgresql://[::1", "sqlite:///"])
@pytest.mark.parametrize(
    "command", [["list"], ["show", "web-1"], ["cancel", "web-1"], ["cost"]], ids=lambda each: each[0]
)
def test_a_store_that_is_none_is_a_matter_of_usage(
    command: list[str], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """How a store is written, and which setting it is; never that it was not foreseen."""
    told = error_of(capsys, 2, *command, "--store", url)
    assert "JADA_STORE" in told
    assert "not foreseen" not in told


def test_control_messages_have_their_own_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A control message in a file is not submitted as a request."""
    path = tmp_path / "control.json"
    path.write_text('{"schema": "jada.control/1", "request_id": "a", "command": "cancel", "text": "x"}', "utf-8")
    assert "jada cancel" in error_of(capsys, 2, "submit", "-f", str(path))


def test_without_a_region_nothing_can_be_sent(capsys: pytest.CaptureFixture[str]) -> None:
    """Missing AWS configuration ends with 2 and says what to set."""
    assert "AWS_" in error_of(capsys, 2, "submit", "Boston to Lisbon")


def test_a_queue_that_does_not_answer_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint where nobody listens ends with 3 and names the queue."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert "jada-requests" in error_of(capsys, 3, "submit", "Boston to Lisbon")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["cancel", "web-done"], "is completed already"),
        (["cancel", "web-bad"], "was turned away"),
        (["approve", "web-runs"], "does not wait for an approval"),
        (["deny", "web-asks"], "does not wait for an approval"),
        (["answer", "web-runs", "yes"], "does not wait for an answer"),
        (["retry", "nothing"], "there is no booking"),
        (["retry", "web-runs"], "cannot go on: it is running"),
        (["settle", "web-done", "all is well"], "is not settled: it is completed"),
    ],
)
def test_what_could_only_be_ignored_is_refused(
    arguments: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wish that the booking's state does not allow ends with 1, and says in which state it is."""
    made = [bookings.completed(), bookings.asking(), bookings.running(), bookings.rejected()]
    url = bookings.write(tmp_path, *made)
    assert says in error_of(capsys, 1, *arguments, "--store", url)


def proposal(**changes: Any) -> str:
    """A proposal for the reference catalogue as the model would write it: one search."""
    search = {
        "id": "airport",
        "action": "places.airports",
        "after": [],
        "optional": False,
        "args": [{"name": "query", "kind": "user", "value": "Lisbon"}],
    }
    whole = {
        "outcome": "plan",
        "reason": "",
        "questions": [],
        "tasks": [search],
        "result": [{"name": "code", "value": "airport.code"}],
    }
    return json.dumps(whole | changes)


def planned(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON of a dry run of a written proposal."""
    (tmp_path / "plan.json").write_text(text, "utf-8")
    status = main(["plan", "--file", str(tmp_path / "plan.json"), "--json"])
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    return status, shown


def test_a_written_proposal_is_compiled_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A sound proposal ends with 0 and is shown as the plan that it makes."""
    status, shown = planned(tmp_path, capsys, proposal())
    assert (status, shown["outcome"]) == (0, "plan")
    assert shown["plan"]["tasks"][0] == {
        "id": "airport",
        "action": "places.airports",
        "effect": "read",
        "after": [],
        "optional": False,
        "input": {"query": {"value": "Lisbon"}},
    }
    assert main(["plan", "--file", str(tmp_path / "plan.json")]) == 0
    assert "└── airport  places.airports  read" in capsys.readouterr().out


def test_a_plan_is_drawn_for_other_programs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mermaid and dot get every task and tell data from order alone; json is what `--json` prints."""
    path = tmp_path / "plan.json"
    fare = {"id": "weather", "action": "places.airports", "after": ["airport"], "optional": True, "args": []}
    fare["args"] = [{"name": "query", "kind": "ref", "value": "airport.city"}]
    tasks = [*json.loads(proposal())["tasks"], fare]
    path.write_text(proposal(tasks=tasks), "utf-8")

    def drawn(form: str) -> str:
        assert main(["plan", "--file", str(path), "--format", form]) == 0
        return capsys.readouterr().out

    mermaid = drawn("mermaid")
    assert mermaid.startswith("flowchart TD\n")
    assert '  airport["airport<br/>places.airports"]:::read\n' in mermaid
    assert "  airport --> weather\n" in mermaid
    assert "  airport -> weather;\n" in drawn("dot")
    assert json.loads(drawn("json"))["outlook"]["critical_path"] == ["airport", "weather"]
    assert "Cannot be undone  nothing" in drawn("tree")


def test_a_proposal_with_faults_names_them_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proposal that cannot be a plan ends with 1 and its faults."""
    status, shown = planned(tmp_path, capsys, proposal(result=[{"name": "x", "value": "nowhere.y"}], questions=["?"]))
    assert (status, shown["outcome"]) == (1, "faults")
    assert len(shown["faults"]) == 2
    assert main(["plan", "--file", str(tmp_path / "plan.json")]) == 1
    assert "2 faults" in capsys.readouterr().out


@pytest.mark.parametrize(("outcome", "field"), [("clarify", "questions"), ("refuse", "reason")])
def test_questions_and_refusals_are_no_plan(
    outcome: str, field: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proposal that asks or refuses ends with 1 and shows what it says."""
    text = proposal(
        outcome=outcome, reason="no", questions=["When?"] if outcome == "clarify" else [], tasks=[], result=[]
    )
    status, shown = planned(tmp_path, capsys, text)
    assert (status, shown["outcome"]) == (1, outcome)
    assert shown[field]


def test_a_catalogue_with_mistakes_is_refused_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Mistakes in the catalogue end with 2 and are named with their file."""
    (tmp_path / "plan.json").write_text(proposal(), "utf-8")
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents" / "broken.yaml").write_text("agent: broken\n", "utf-8")
    told = error_of(capsys, 2, "plan", "-f", str(tmp_path / "plan.json"), "--catalogue", str(tmp_path / "agents"))
    assert "broken.yaml" in told


def test_a_plan_that_is_no_text_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of another encoding is a mistake in usage, and is named."""
    (tmp_path / "plan.json").write_bytes(b"\xff\xfe{")
    assert "UTF-8" in error_of(capsys, 2, "plan", "--file", str(tmp_path / "plan.json"))


def test_planning_needs_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a key the model cannot be asked: 2, and the variable is named."""
    assert "ANTHROPIC_API_KEY" in error_of(capsys, 2, "plan", "Boston to Lisbon")


def test_planning_says_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    """A plan for nothing is a mistake in usage."""
    assert "say what is wanted" in error_of(capsys, 2, "plan")


def test_the_sandbox_is_not_started_for_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """With the real model and the real AWS nothing is left to stand in for."""
    assert "nothing is left" in error_of(capsys, 2, "sandbox", "--real-model", "--real-aws")


def test_faults_and_books_of_the_sandbox(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Faults are ordered, listed and withdrawn in the inventory's file; the books say what was done."""
    assert "jada sandbox" in error_of(capsys, 1, "sandbox", "books", "--inventory", str(tmp_path / "none.db"))
    Books(tmp_path / "inventory.db").close()
    state = ["--state", str(tmp_path)]
    assert main(["sandbox", "fault", "flights.*", "slow", "3", "--times", "2", *state]) == 0
    assert "flights.* slow 3 (2 more, requests *)" in capsys.readouterr().out
    assert main(["sandbox", "fault", "--clear", "--json", *state]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert "there is no fault explode" in error_of(capsys, 2, "sandbox", "fault", "x", "explode", *state)
    assert main(["sandbox", "books", *state]) == 0
    assert "nothing has happened" in capsys.readouterr().out


def test_a_demo_does_not_overwrite_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with something in it is left alone."""
    (tmp_path / "mine").write_text("", "utf-8")
    assert "not empty" in error_of(capsys, 1, "demo", "--state", str(tmp_path))
