"""The commands that look: what they show, what they print for programs, and how they fail."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.domain.ids import RequestId, workflow_id_of
from tests.unit.cli import bookings


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store with a booking of every kind, which the environment names."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    url = bookings.write(
        tmp_path,
        bookings.completed(),
        bookings.compensated(),
        bookings.asking(),
        bookings.running(),
        bookings.rejected(),
    )
    monkeypatch.setenv("JADA_STORE", url)
    return url


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What a command prints for programs."""
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_show_prints_the_contracts_json(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """`show --json` has the contract's keys and no other, down to every attempt."""
    shown = json_of(capsys, "show", "web-done")
    assert list(shown) == [
        "workflow_id",
        "request_id",
        "tenant",
        "status",
        "model",
        "created_at",
        "finished_at",
        "plan",
        "cost",
        "result",
        "error",
        "first_call",  # beyond the contract's, once it is known
    ]
    assert shown["first_call"] == {"after_ms": 400, "plan_ms": 900, "plan_hidden_ms": 0}
    assert shown["workflow_id"] == workflow_id_of(RequestId("web-done"))
    assert (shown["status"], shown["tenant"], shown["model"]) == ("completed", "acme", "claude-sonnet-4-6")
    assert (shown["created_at"], shown["finished_at"]) == ("2027-04-01T12:00:00.100Z", "2027-04-01T12:00:01.500Z")
    assert shown["result"] == {"booking": "b-1"}
    assert shown["error"] is None
    assert shown["cost"]["usd"] == "0.006"
    search, hold, ticket = shown["plan"]["tasks"]
    assert search == {
        "id": "search",
        "action": "flights.search",
        "effect": "read",
        "after": [],
        "status": "succeeded",
        "attempts": [
            {
                "number": 1,
                "started_at": "2027-04-01T12:00:00.500Z",
                "ended_at": "2027-04-01T12:00:00.600Z",
                "outcome": "failed",
                "error": {"code": "SLOW", "message": "too slow"},
            },
            {
                "number": 2,
                "started_at": "2027-04-01T12:00:00.700Z",
                "ended_at": "2027-04-01T12:00:00.800Z",
                "outcome": "succeeded",
                "error": None,
            },
        ],
        "output": {"offers": []},
    }
    assert hold["after"] == ["search"]
    assert ticket["after"] == ["search", "hold"]
    assert [attempt["outcome"] for attempt in ticket["attempts"]] == ["unknown"]
    assert (ticket["status"], ticket["output"]) == ("succeeded", {"booking_id": "b-1"})


def test_show_tells_what_was_undone(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A booking that was undone has its error, and its tasks say what became of them."""
    shown = json_of(capsys, "show", "web-undone")
    assert shown["error"] == {"code": "SOLD_OUT", "message": "no seat is left"}
    assert [task["status"] for task in shown["plan"]["tasks"]] == ["succeeded", "compensated", "failed"]


def test_show_tells_what_a_booking_waits_for(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A booking that needs an answer shows its questions, and has no plan yet."""
    shown = json_of(capsys, "show", "web-asks")
    assert (shown["status"], shown["plan"]) == ("needs_clarification", None)
    assert shown["questions"] == ["When do you fly?"]


def test_show_names_every_fault_of_a_message_that_was_turned_away(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rejected message is found by the request id that could be read of it, with its faults."""
    shown = json_of(capsys, "show", "web-bad")
    assert shown["status"] == "rejected"
    assert shown["error"]["faults"][0]["where"] == "priority"


def test_show_draws_a_tree(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """People see every task below what it comes after, with its state, and the result."""
    assert main(["show", "web-undone"]) == 0
    out = capsys.readouterr().out
    assert "└── ✓ search" in out
    assert "    └── ↩ hold" in out
    assert "        └── ✗ ticket" in out
    assert "no seat is left [SOLD_OUT]" in out
    assert "\x1b[" not in out


def test_list_shows_the_newest_first_and_filters(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """All bookings are listed, and only those of a status when it is asked for."""
    listed = json_of(capsys, "list")
    assert {each["request_id"] for each in listed} == {"web-done", "web-undone", "web-asks", "web-runs", "web-bad"}
    assert [each["request_id"] for each in json_of(capsys, "list", "--status", "completed")] == ["web-done"]
    assert len(json_of(capsys, "list", "--limit", "2")) == 2
    assert main(["list"]) == 0
    assert "needs_clarification" in capsys.readouterr().out


def test_list_refuses_a_status_that_is_none(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt status is a mistake in usage, and the statuses are named."""
    assert main(["list", "--status", "done"]) == 2
    assert "completed" in capsys.readouterr().err


def test_why_tells_the_story(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The story has a sentence for everything that matters, in order, with its time."""
    told = json_of(capsys, "why", "web-undone")
    messages = [line["message"] for line in told["story"]]
    assert messages[0].startswith("Accepted from acme")
    assert "Undoing what was done, because no seat is left [SOLD_OUT]" in messages
    assert messages.index("Undoing hold") < messages.index("hold is undone")
    assert [line["seq"] for line in told["story"]] == sorted(line["seq"] for line in told["story"])
    assert len(json_of(capsys, "why", "web-undone", "--all")["story"]) > len(messages)
    assert main(["why", "web-undone"]) == 0
    assert "hold is undone" in capsys.readouterr().out


def test_a_booking_is_found_by_any_unambiguous_beginning(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Workflow id, request id and a prefix of either name the same booking."""
    workflow_id = workflow_id_of(RequestId("web-done"))
    for ref in (workflow_id, workflow_id[:12], "web-done", "web-do"):
        assert json_of(capsys, "show", ref)["request_id"] == "web-done"


def test_an_ambiguous_prefix_lists_what_it_fits(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A prefix of several bookings is a mistake in usage that names them."""
    assert main(["show", "web-"]) == 2
    err = capsys.readouterr().err
    assert "web-done" in err
    assert "web-asks" in err


def test_a_booking_that_is_not_there_is_a_failure(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown id ends with 1 and says where to look."""
    assert main(["show", "nothing"]) == 1
    err = capsys.readouterr().err
    assert "there is no booking 'nothing'" in err
    assert "jada list" in err
    assert "Traceback" not in err


def test_a_store_that_is_not_there_cannot_be_reached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A missing store ends with 3 and names the setting."""
    assert main(["list", "--store", f"sqlite://{tmp_path}/none.db"]) == 3
    assert "JADA_STORE" in capsys.readouterr().err


def test_a_store_that_is_no_url_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A path in the place of a URL is a mistake in usage that says how it is written."""
    assert main(["list", "--store", "journal.db"]) == 2
    assert "sqlite:///" in capsys.readouterr().err


def test_watch_ends_when_the_booking_waits_or_has_ended(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Watching something that does not move any more shows its story once and ends."""
    assert main(["watch", "web-undone"]) == 0
    assert capsys.readouterr().out.count("hold is undone") == 1
    assert main(["watch", "web-asks"]) == 0
    assert "When do you fly?" in capsys.readouterr().out


def test_watch_tells_programs_a_line_of_json_for_each_thing(store: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What `why --json` has as a whole, line by line as it happens."""
    story = json_of(capsys, "why", "web-undone")["story"]
    assert main(["watch", "web-undone", "--json"]) == 0
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == story


@pytest.mark.parametrize("command", ["show", "why", "watch"])
def test_no_terminal_obeys_what_an_agent_wrote(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent's words are shown, and neither set a title, nor clear the screen, nor turn the line round."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    url = bookings.write(tmp_path, bookings.failed("web-evil", "full\x1b]0;owned\x07\x1b[2J\x9b1m\u202ereversed"))
    assert main([command, "web-evil", "--store", url]) == 0
    out = capsys.readouterr().out
    assert "reversed" in out
    assert not [char for char in out if not char.isprintable() and char not in "\n\t"]


def test_a_filter_that_fits_nothing_does_not_say_that_there_are_none(
    store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator who asks for one kind is not told that the store is empty."""
    assert main(["list", "--status", "cancelled"]) == 0
    assert "No such bookings" in capsys.readouterr().out


def test_yes_and_no_are_explained_where_they_mean_different_things(capsys: pytest.CaptureFixture[str]) -> None:
    """To deny the undoing of a booking that failed leaves what stands: nobody is to find that out by doing it."""
    assert main(["deny", "--help"]) == 0
    assert "what stands is left to a person" in " ".join(capsys.readouterr().out.replace("\u2502", "").split())
    assert main(["approve", "--help"]) == 0
    assert "undo everything" in " ".join(capsys.readouterr().out.replace("\u2502", "").split())


def test_usage_is_taught(capsys: pytest.CaptureFixture[str]) -> None:
    """Help has examples that can be typed; a wrong option ends with 2."""
    assert main(["why", "--help"]) == 0
    assert "jada why web-7f3c2a" in capsys.readouterr().out
    assert main(["why", "--wrong"]) == 2
    assert main(["--version"]) == 0
