"""The inventory's command: what a shell shows and orders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jada_orchestrator.sandbox.inventory import Books, faults
from jada_orchestrator.sandbox.inventory.__main__ import main
from tests.unit.sandbox.conftest import Done


def test_show_tells_what_was_done(done: Done, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Effects and what stands, for people and for programs; status 0 while nothing is doubled."""
    done("payments.authorize", customer_id="c-1", amount={"amount": "5.00", "currency": "USD"})
    assert main(["show", "--path", str(path)]) == 0
    assert "payments.authorize" in capsys.readouterr().out
    assert main(["show", "--path", str(path), "--json", "--request", "local"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [effect["action"] for effect in shown["effects"]] == ["payments.authorize"]
    assert len(shown["standing"]["local"]["authorizations"]) == 1


def test_faults_are_ordered_listed_and_cleared(books: Books, capsys: pytest.CaptureFixture[str]) -> None:
    """What is ordered from a shell is what the agents take."""
    path = ["--path", str(books.path)]
    assert main(["fault", *path, "flights.hold", "fail", "SOLD_OUT", "--times", "2", "--request", "demo-*"]) == 0
    assert faults.ordered(books)[0].argument == "SOLD_OUT"
    assert "flights.hold fail SOLD_OUT (2 more, requests demo-*)" in capsys.readouterr().out
    assert main(["fault", *path, "clear"]) == 0
    assert faults.ordered(books) == []


@pytest.mark.parametrize(
    "arguments",
    [["fault", "flights.hold", "explode"], ["fault", "flights.hold"], ["last-seats", "BOS", "ZZZ", "2027-01-01"]],
)
def test_bad_usage_is_status_two_with_a_reason(
    books: Books, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """A wrong order changes nothing and says what is right."""
    assert main([*arguments, "--path", str(books.path)]) == 2
    assert capsys.readouterr().err


def test_the_path_must_be_known(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a path the command says how to give one."""
    assert main(["show"]) == 2
    assert "--path" in capsys.readouterr().err


def test_reset_begins_afresh_and_last_seats_are_set(done: Done, path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """After a reset nothing has happened; a route's last seats can be ordered from a shell."""
    assert main(["last-seats", "BOS", "LIS", "2027-05-03", "--seats", "2", "--path", str(path)]) == 0
    assert main(["reset", "--path", str(path)]) == 0
    assert main(["show", "--path", str(path)]) == 0
    assert "nothing has happened" in capsys.readouterr().out
