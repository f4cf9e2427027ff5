"""`jada models` against the local AWS stand-in: all four kinds of place, and planted drift."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from jada_orchestrator.cli.main import main
from jada_orchestrator.sandbox.stack import SandboxAgent, local_stack

HERE = Path(__file__).parent / "local_aws"
HAIKU, SONNET = "claude-haiku-4-5", "claude-sonnet-4-6"
ENDING = "claude-2.1"
"""Deprecated without a day of its own in our tables, so that what is told of it does not change with the date."""
ACTION = (
    "actions:\n  {agent}.look:\n    description: Looks.\n    effect: read\n"
    "    input: {{type: object, properties: {{}}}}\n"
    "    output: {{type: object}}\n    timeout: 5s\n    retry: {{attempts: 1, first: 1s, max: 1s}}\n"
)


def write_agent(folder: Path, agent: str, transport: str, model: str) -> None:
    """One agent's catalogue file."""
    head = f"agent: {agent}\ndescription: Is {agent}.\ntransport: {transport}\nmodel: {model}\n"
    head += "limits: {concurrency: 2}\n"
    (folder / f"{agent}.yaml").write_text(head + ACTION.format(agent=agent))


async def test_all_four_kinds_and_planted_drift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The catalogue's id, a config.json, a function's environment and a parameter are read; drift is found."""
    agents = tmp_path / "agents"
    agents.mkdir()
    write_agent(agents, "flights", "{kind: lambda, function: jada-toy}", HAIKU)
    write_agent(agents, "hotels", "{kind: lambda, function: jada-toy}", "inherit")
    config = tmp_path / "lambda" / "cars" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text(json.dumps({"model": ENDING}))
    write_agent(agents, "cars", "{kind: lambda, function: jada-nowhere}", "{file: " + str(config) + "}")
    write_agent(agents, "validator", "{kind: sqs, queue: jada-validator}", "{ssm: /jada/agents/validator/model}")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "nobody"))
    toy = (SandboxAgent("toy", "lambda", "jada-toy", "toy_agent:app"),)
    async with local_stack(tmp_path / "aws", toy, variables={"JADA_MODEL": SONNET}, import_path=[HERE]) as aws:
        for name, value in aws.environment.items():
            monkeypatch.setenv(name, value)
        here = ["--catalogue", str(agents)]
        assert await asyncio.to_thread(main, ["models", "set", "validator", HAIKU, "--yes", *here]) == 0
        asked = [
            "models",
            *here,
            "--lambda-files",
            str(tmp_path / "lambda" / "*" / "config.json"),
            "--json",
            "--strict",
        ]
        capsys.readouterr()
        assert await asyncio.to_thread(main, asked) == 1
    found = {each["agent"]: each for each in json.loads(capsys.readouterr().out)}
    told = {
        agent: (each["model"], each["source"], [flag["flag"] for flag in each["flags"]])
        for agent, each in found.items()
    }
    assert told == {
        "orchestrator": (SONNET, "settings", []),
        "flights": (HAIKU, "catalogue: agent flights", ["drift"]),
        "hotels": (SONNET, "function jada-toy", []),
        "cars": (ENDING, str(config), ["unreadable", "deprecated"]),
        "validator": (HAIKU, "ssm:/jada/agents/validator/model", []),
    }
