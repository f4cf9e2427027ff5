"""`jada rehearse` between scripted models of different quality: it finds the better one, and pays for nothing twice."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.sandbox.agents.catalogue import catalogue_folder
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"
REQUESTS = 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with requests, and nobody's settings."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "made-up")
    monkeypatch.setenv("JADA_CATALOGUE", str(catalogue_folder()))
    made = tmp_path / "requests"
    made.mkdir()
    for number in range(REQUESTS):
        text = f"A 4-star hotel in Lisbon for {number + 1} nights from 3 May 2027 for two. Customer c-118."
        (made / f"r{number}.json").write_text(json.dumps({"text": text, "booking": {"customer_id": "c-118"}}))
        os.utime(made / f"r{number}.json", (1_795_000_000, 1_795_000_000))
    return made


def arguments(folder: Path, *more: str) -> list[str]:
    """The command, with everything in the folder's neighbourhood."""
    place = folder.parent
    common = [
        "--requests",
        str(folder),
        "--answers",
        str(place / "answers.jsonl"),
        "--html",
        str(place / "report.html"),
    ]
    return ["rehearse", "--model", HAIKU, *common, "--json", *more]


async def run(arguments: list[str]) -> tuple[int, str]:
    """Run the command as a process of its own; return its status and what it told."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "jada_orchestrator",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode in {0, 1}, errors.decode()
    return process.returncode or 0, out.decode()


async def test_it_finds_the_better_model_and_resumes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that plans in an unsafe order loses; a small budget stops it, and going on repeats no paid question."""
    async with ScriptedModel() as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        model.faults.order(Fault(FaultKind.UNKNOWN_ACTION, count=0, match=f"{HAIKU}\n"))
        status, out = await run(arguments(folder, "--budget", "0.06usd"))
        first = json.loads(out)
        assert status == 1
        assert "budget" in first["stopped"]
        asked_first = len(model.calls.messages)
        assert 0 < asked_first < REQUESTS * 4
        status, out = await run(arguments(folder, "--budget", "20usd"))
        told = json.loads(out)
        assert status == 0
        asked = len(model.calls.messages)
        assert asked == REQUESTS * 3 + REQUESTS, "three answers of the poor model, one of the good one, each once"
        assert (await run(arguments(folder, "--budget", "20usd"))) == (0, out)
        assert len(model.calls.messages) == asked, "everything was remembered"
    assert told["recommended"] == "current"
    assert told["compared"] == REQUESTS
    assert told["reasons"][0].startswith("valid at first try is worse")
    page = (folder.parent / "report.html").read_text()
    assert "Stay with claude-sonnet-4-6" in page
    assert "http" not in page.replace("</html>", "")


async def test_the_good_one_as_the_candidate(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other way round the candidate is recommended, for the same reason."""
    async with ScriptedModel() as model:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", model.url)
        model.faults.order(Fault(FaultKind.UNKNOWN_ACTION, count=0, match=f"{SONNET}\n"))
        status, out = await run(arguments(folder, "--budget", "20usd"))
    told = json.loads(out)
    assert status == 0
    assert told["recommended"] == "candidate"


def test_what_is_no_budget_is_refused(folder: Path) -> None:
    """A budget that cannot be read, and a source that is none, are usage errors."""
    assert main(arguments(folder, "--budget", "much")) == 2
    assert main(["rehearse", "--model", HAIKU, "--from", "memory"]) == 2
