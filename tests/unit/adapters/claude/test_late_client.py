"""The SDK takes seconds to load from a cold disk; the loop, which renews the lease, must not be what loads it."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from jada_orchestrator.sandbox.model import ScriptedModel

_ASKS = """
import asyncio, json, sys, threading
from jada_orchestrator.adapters.claude import ClientSettings, open_planner
from tests.unit.adapters.claude.questions import NOW, SONNET, question

held = []


def note(event, arguments):
    if event == "import" and threading.current_thread() is threading.main_thread():
        held.append(arguments[0])


async def main():
    assert "anthropic" not in sys.modules
    async with open_planner(ClientSettings(connections=2)) as planner:
        sys.addaudithook(note)
        warnings = await planner.learn(SONNET, NOW)
        answer = await planner.propose(question())
    print(json.dumps([[warning.code for warning in warnings], bool(answer.text), held]))


asyncio.run(main())
"""


async def test_the_loop_loads_nothing_of_the_sdk() -> None:
    """From asking about the model to the first answer, no module of the SDK is loaded on the loop's own thread."""
    async with ScriptedModel() as server:
        given = {**os.environ, "ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": server.url}
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _ASKS, env=given, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asking.communicate()
    warnings, answered, held = json.loads(told)
    assert (warnings, answered) == ([], True)
    assert [name for name in held if name.partition(".")[0] in {"anthropic", "httpx2", "httpcore2", "pydantic"}] == []
