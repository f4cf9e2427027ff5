"""A running daemon is asked to retire what has ended, and knows it again when it is asked for."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.first_dispatch import REQUESTS, write_catalogue
from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mail import open_post
from benchmarks.kill9_kit.null_aws import NullAws
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUEST = {"request_id": "web-1", "text": "A room in Lisbon, for Mr Traveller."}


def proposal() -> str:
    """Ask one agent, and reserve what it answers."""
    asked = [{"name": "given", "kind": "user", "value": "Lisbon"}]
    held = [{"name": "given", "kind": "ref", "value": "ask.a"}]
    tasks = [
        {"id": "ask", "action": "p00.ask", "after": [], "optional": False, "args": asked},
        {"id": "hold", "action": "desk.hold", "after": [], "optional": False, "args": held},
    ]
    return json.dumps({"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": []})


async def jada(environment: dict[str, str], *arguments: str, status: int = 0) -> Any:
    """Run a command; return its JSON, or what it complained of."""
    command = (sys.executable, "-m", "jada_orchestrator", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, complaint = await process.communicate()
    assert process.returncode == status, complaint.decode()
    return json.loads(out) if status == 0 else complaint.decode()


async def test_a_running_daemon_prunes_when_it_is_asked(tmp_path: Path) -> None:
    """Records go, the outcome is told again under its id, and a retry is refused with the reason."""
    outputs = {"ask": {"a": "yes"}, "hold": {"a": "yes"}}
    async with ScriptedModel() as model, NullAws(outputs) as aws:
        model.faults.order(Fault(FaultKind.TEXT, text=proposal()))
        environment = {
            **aws.environment,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "stand-in",
            "JADA_STORE": f"sqlite://{tmp_path / 'journal.db'}",
            "JADA_CATALOGUE": str(write_catalogue(tmp_path / "agents", 1)),
            "JADA_REQUEST_QUEUE": REQUESTS,
        }
        async with open_post(environment) as post, Daemon(tmp_path, environment) as daemon:
            await daemon.ready()
            await post.send(REQUESTS, REQUEST)
            await until(lambda: aws.outcomes, "the booking ends", otherwise=daemon.story)
            first = aws.outcomes.pop()

            async def is_done() -> bool:
                counted = await jada(environment, "prune", "--older-than", "0", "--dry-run", "--json")
                return bool(counted["bookings"])

            async with asyncio.timeout(30):
                while not await is_done():
                    pass  # each look is a process: it takes its time
            pruned = await jada(environment, "prune", "--older-than", "0", "--json")
            assert (pruned["bookings"], pruned["left"]) == (1, 0)
            shown = await jada(environment, "show", "web-1", "--json")
            assert (shown["status"], shown["plan"]) == (first["data"]["status"], None)
            assert shown["retired"]["records"] == pruned["records"]
            assert "Traveller" not in json.dumps(shown)
            told = await jada(environment, "retry", "web-1", status=1)
            assert "was retired" in told
            await post.send(REQUESTS, REQUEST)
            await until(lambda: aws.outcomes, "the outcome is told again", otherwise=daemon.story)
            again = aws.outcomes.pop()
            assert (again["id"], again["type"], again["subject"]) == (first["id"], first["type"], first["subject"])
            assert (await jada(environment, "status", "--json"))["retired"] == 1
