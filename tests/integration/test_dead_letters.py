"""A request that could not be planned is found among the dead letters, redriven by the command, and booked."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.kill9_kit.daemon import daemon_environment
from benchmarks.kill9_kit.waiting import until_answered
from jada_orchestrator.sandbox.model import Fault, FaultKind
from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def jada(environment: Mapping[str, str], *arguments: str) -> Any:
    """Run a command to its end, and return what it prints for programs."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "jada_orchestrator", *arguments, "--json"),
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return json.loads(out)


async def test_a_redriven_request_is_planned_again(around: Surroundings) -> None:
    """Sent back, the request that failed in planning is not only told of again: it is planned anew and completed."""
    letters = f"{around.name}-kept-dlq"
    await around.aws.create_queue(letters)
    own = {"JADA_DEAD_LETTER_QUEUE": letters}
    environment = daemon_environment(around.folder, {**around.environment, **own})
    around.model.faults.order(Fault(FaultKind.UNKNOWN_ACTION, count=3, match="redrive-1"))

    async def arrived() -> bool:
        return await around.post.waiting(letters) == 1

    async with around.daemon(own) as running:
        await running.ready()
        await around.send(a_request("redrive-1"), colour="red")
        failed = await around.outcomes.outcome("redrive-1")
        assert (failed["type"], failed["data"]["error"]["code"]) == ("jada.booking.failed", "PLAN_FAULTED")
        await until_answered(arrived, "the dead letter")

        [letter] = (await jada(environment, "dlq", "list"))["letters"]
        assert (letter["code"], letter["request_id"], letter["kind"]) == ("PLAN_FAULTED", "redrive-1", "request")
        shown = await jada(environment, "dlq", "show", "redrive-1")
        assert json.loads(shown["body"]) == a_request("redrive-1")
        assert shown["attributes"] == {"colour": "red"}
        told = await jada(environment, "dlq", "redrive", "--reason", "PLAN_FAULTED")
        assert [(each["how"], each["deleted"]) for each in told["letters"]] == [("retry", True)]

        again = await around.outcomes.outcome("redrive-1", count=2)
        assert again["type"] == "jada.booking.completed"
        assert (await jada(environment, "dlq", "list"))["letters"] == []
    assert await around.half_made({"redrive-1": "completed"}) == []
