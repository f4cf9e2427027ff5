"""The exam, through the real planner, on the scripted model: a test of the exam, not of the model."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel

ROOT = Path(__file__).parents[2]
EXAM = (str(ROOT / "tests" / "exam"), "--catalogue", str(ROOT / "config" / "agents"))


@pytest.fixture(autouse=True)
def nobody_elses_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings or key of this machine count."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "key-for-the-stand-in")


async def examined(monkeypatch: pytest.MonkeyPatch, *arguments: str, faults: tuple[Fault, ...] = ()) -> int:
    """Run the command on a scripted model of its own, and return its status."""
    async with ScriptedModel() as model:
        for fault in faults:
            model.faults.order(fault)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        return await asyncio.to_thread(main, ["exam", *EXAM, *arguments])


def report_in(capsys: pytest.CaptureFixture[str]) -> Any:
    """The report for one model."""
    [model] = json.loads(capsys.readouterr().out)["models"]
    return model


async def test_the_whole_exam(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Every question is answered; what the stand-in understands is scored as good, what it does not as asked back."""
    saved = tmp_path / "exam.json"
    assert await examined(monkeypatch, "--concurrency", "16", "--save", str(saved), "--at-least", "0.6") == 0
    told = capsys.readouterr().out
    assert "valid at first try" in told
    [model] = json.loads(saved.read_text("utf-8"))["models"]
    summary = model["summary"]
    assert (summary["answers"], summary["failed"]) == (len(model["answers"]), 0)
    assert summary["valid_after_0"] == 1.0
    assert 0.6 < summary["perfect"] < 1.0
    assert summary["cost"]["usd"] is not None
    by_id = {each["question"]: each for each in model["answers"]}
    assert by_id["one-way-codes"]["perfect"]
    assert by_id["poem"]["ended"] == "refuse"
    assert by_id["german-return"]["ended"] == "clarify"
    assert (by_id["german-return"]["action_f1"], by_id["german-return"]["perfect"]) == (0.0, False)


async def test_models_runs_and_levels(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Two models are asked the same, twice; one that answers by rules is wholly consistent."""
    models = ("--model", "claude-sonnet-4-6", "--model", "claude-haiku-4-5")
    only = ("--only", "one-way-codes", "--only", "no-dates")
    assert await examined(monkeypatch, *models, *only, "--runs", "2", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert [each["model"] for each in report["models"]] == ["claude-haiku-4-5", "claude-sonnet-4-6"]
    for each in report["models"]:
        assert each["summary"]["answers"] == 4
        assert each["summary"]["consistency"] == 1.0


async def test_corrections_are_counted(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong first answer is valid after one correction; three wrong ones are no plan, and fall short of the mark."""
    wrong = (Fault(FaultKind.UNKNOWN_ACTION, count=1, match="one-way-codes"),)
    assert await examined(monkeypatch, "--only", "one-way-codes", "--json", faults=wrong) == 0
    model = report_in(capsys)
    assert (model["summary"]["valid_after_0"], model["summary"]["valid_after_1"]) == (0.0, 1.0)
    assert model["faults"]["UNKNOWN_ACTION"] == 1
    wrong = (Fault(FaultKind.UNKNOWN_ACTION, count=3, match="one-way-codes"),)
    mark = ("--at-least", "0.5")
    assert await examined(monkeypatch, "--only", "one-way-codes", "--json", *mark, faults=wrong) == 1
    model = report_in(capsys)
    assert model["answers"][0]["ended"] == "faulted"
    assert model["summary"]["valid_after_2"] == 0.0


async def test_what_the_service_refuses(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A bad key stops the exam with 3; an answer that cannot be used is counted, and the others are asked."""
    refused = (Fault(FaultKind.UNAUTHORIZED, count=0, match="one-way"),)
    assert await examined(monkeypatch, "--level", "1", faults=refused) == 3
    assert "takes no questions" in capsys.readouterr().err
    broken = (Fault(FaultKind.TEXT, text="{", match="one-way-codes"), Fault(FaultKind.REFUSAL, match="one-way-cities"))
    only = ("--only", "one-way-codes", "--only", "one-way-cities", "--only", "no-dates")
    assert await examined(monkeypatch, *only, "--json", faults=broken) == 0
    model = report_in(capsys)
    assert model["summary"]["failed"] == 1
    assert {each["question"]: each["ended"] for each in model["answers"]} == {
        "no-dates": "clarify", "one-way-cities": "failed", "one-way-codes": "plan",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "says"),
    [(["--only", "nothing"], "no question nothing"), (["--level", "9"], "no question is of these levels")],
)
async def test_nothing_to_ask(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A choice that leaves no question is a mistake in usage."""
    assert await examined(monkeypatch, *arguments) == 2
    assert says in capsys.readouterr().err
