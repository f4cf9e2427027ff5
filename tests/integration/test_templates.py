"""The model's endpoint is down: a shape that is known completes all the same, and another one waits."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.first_dispatch import REQUESTS, write_catalogue
from benchmarks.kill9_kit.daemon import Daemon, Line
from benchmarks.kill9_kit.mail import open_post
from benchmarks.kill9_kit.null_aws import NullAws
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind, ScriptedModel

pytestmark = pytest.mark.asyncio(loop_scope="session")


def proposal() -> str:
    """Ask one agent what the booking says, and reserve what it answers."""
    asked = [{"name": "given", "kind": "user", "value": "Lisbon"}]
    held = [{"name": "given", "kind": "ref", "value": "ask_lisbon.a"}]
    tasks = [
        {"id": "ask_lisbon", "action": "p00.ask", "after": [], "optional": False, "args": asked},
        {"id": "hold", "action": "desk.hold", "after": [], "optional": False, "args": held},
    ]
    return json.dumps({"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": []})


async def jada(environment: dict[str, str], *arguments: str) -> Any:
    """Run a command and return its JSON."""
    command = (sys.executable, "-m", "jada_orchestrator", *arguments, "--json")
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **environment}, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(out)


async def test_a_known_shape_completes_without_the_model(tmp_path: Path) -> None:
    """Taught by one booking, the daemon books the next one of that shape by template, and says so everywhere."""
    outputs = {name: {"a": "yes"} for name in ("ask_lisbon", "hold", "p00_ask_1", "desk_hold_1")}
    async with ScriptedModel() as model, NullAws(outputs) as aws:
        model.faults.order(Fault(FaultKind.TEXT, text=proposal()), Fault(FaultKind.HOLD, count=0))
        environment = {
            **aws.environment,
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "stand-in",
            "JADA_STORE": f"sqlite://{tmp_path / 'journal.db'}",
            "JADA_CATALOGUE": str(write_catalogue(tmp_path / "agents", 1)),
            "JADA_REQUEST_QUEUE": REQUESTS,
            "JADA_TEMPLATES__AFTER": "0.2",
        }
        async with open_post(environment) as post, Daemon(tmp_path, environment) as daemon:

            def learnt() -> list[Line]:
                return [line for line in daemon.lines if line.get("jada_event") == "template.learnt"]

            await daemon.ready()
            await post.send(REQUESTS, {"request_id": "taught", "booking": {"city": "Lisbon"}})
            await until(lambda: aws.outcomes, "the first booking ends", otherwise=daemon.story)
            assert aws.outcomes.pop()["data"]["model"] == "claude-sonnet-4-6"
            await until(learnt, "its template is learnt", otherwise=daemon.story)
            await post.send(REQUESTS, {"request_id": "other", "booking": {"city": "Porto", "guests": 2}})
            await post.send(REQUESTS, {"request_id": "known", "booking": {"city": "Porto"}})
            await until(lambda: aws.outcomes, "the known shape ends", otherwise=daemon.story)
            outcome = aws.outcomes.pop()["data"]
            assert (outcome["request_id"], outcome["status"], outcome["model"]) == ("known", "completed", "template")
            [template] = await jada(environment, "templates", "list")
            assert template["shape"] == {"booking.city": "text"}
            shown = await jada(environment, "templates", "show", template["key"][:6])
            assert "Lisbon" not in json.dumps(shown)
            assert (await jada(environment, "show", "known"))["model"] == "template"
            assert (await jada(environment, "show", "other"))["status"] == "planning"
            assert (await jada(environment, "templates", "pin", template["key"]))["ok"]
            assert (await jada(environment, "templates", "list"))[0]["pinned"]
            assert (await jada(environment, "templates", "forget", template["key"]))["ok"]
            assert await jada(environment, "templates", "list") == []
            model.faults.clear()
            model.release()
            await daemon.stop()
