"""The SDK takes seconds to load from a cold disk; the loop, which renews the lease, must not be what loads it."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from jada_orchestrator.sandbox.model import ScriptedModel

_BEGINS = """
import asyncio, json, sys, threading
from jada_orchestrator.adapters.claude import ClientSettings, Provider, open_planner
from tests.unit.adapters.claude.questions import NOW, SONNET, question

assert "anthropic" not in sys.modules
held = []


def note(event, arguments):
    if event == "import" and threading.current_thread() is threading.main_thread():
        held.append(arguments[0])


async def main(provider):
    sys.addaudithook(note)
    async with open_planner(ClientSettings(connections=2), provider=provider) as planner:
        warnings = await planner.learn(SONNET, NOW)
        answered = provider.kind == "bedrock" or bool((await planner.propose(question())).text)
    sdk = [name for name in held if name.partition(".")[0] in {"anthropic", "httpx2", "httpcore2", "pydantic"}]
    print(json.dumps([[warning.code for warning in warnings], answered, "anthropic" in sys.modules, sdk]))


asyncio.run(main(Provider(sys.argv[1], region="eu-west-1")))
"""


@pytest.mark.parametrize(
    ("provider", "credentials"),
    [
        ("anthropic", {"ANTHROPIC_API_KEY": "key"}),
        ("anthropic", {"ANTHROPIC_AUTH_TOKEN": "token"}),
        ("bedrock", {"AWS_BEARER_TOKEN_BEDROCK": "token"}),
    ],
    ids=["key", "token", "bedrock"],
)
async def test_the_loop_loads_nothing_of_the_sdk(provider: str, credentials: dict[str, str]) -> None:
    """From the opening to the first answer (Bedrock: to the question), no module of the SDK is loaded on the loop."""
    async with ScriptedModel() as server:
        foreign = ("ANTHROPIC_", "AWS_")
        own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        given = {**own, **credentials, "ANTHROPIC_BASE_URL": server.url}
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _BEGINS, provider, env=given, stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asking.communicate()
    assert json.loads(told) == [[], True, True, []]
