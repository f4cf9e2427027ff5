"""Bad weather outside: whatever goes away and comes back, every booking ends well without a person."""

from __future__ import annotations

import pytest

from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import ScriptedModel
from tests.integration.surroundings import Surroundings, a_request
from tests.integration.weather import Weather

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_queues_go_away_and_come_back(alone: Surroundings) -> None:
    """With the AWS endpoint gone amid a booking, trouble is said once a queue, and the booking ends when it is back."""
    async with Weather(alone.aws.endpoint) as weather, alone.daemon({"AWS_ENDPOINT_URL": weather.url}) as daemon:
        await daemon.ready()
        await alone.send(a_request("away-1"))
        await daemon.told("task.succeeded", request_id="away-1", count=3)
        await weather.go_away()
        await daemon.told("queue.unreachable", count=2)
        await weather.come_back()
        outcome = await alone.outcomes.outcome("away-1", within_s=100)
        assert outcome["data"]["status"] == "completed"
        await daemon.told("queue.reachable", count=2)
        assert await daemon.stop() == 0
    assert len(daemon.events("queue.unreachable")) == 2
    assert await alone.half_made({"away-1": "completed"}) == []


async def test_functions_are_throttled(alone: Surroundings) -> None:
    """Throttled functions are asked again until they are not, and the booking ends as if nothing had been."""
    async with Weather(alone.aws.endpoint) as weather, alone.daemon({"AWS_ENDPOINT_URL": weather.url}) as daemon:
        await daemon.ready()
        weather.throttled = True
        await alone.send(a_request("throttled-1"))
        await until(lambda: weather.refused >= 12, "calls are throttled")  # three rounds of the plan's first level
        weather.throttled = False
        outcome = await alone.outcomes.outcome("throttled-1")
        assert outcome["data"]["status"] == "completed"
        assert await daemon.stop() == 0
    assert await alone.half_made({"throttled-1": "completed"}) == []


async def test_the_model_goes_away_and_comes_back(alone: Surroundings) -> None:
    """With the model's endpoint down a booking waits, accepted and unlost, and is planned when it is back."""
    async with ScriptedModel() as model, alone.daemon({"ANTHROPIC_BASE_URL": model.url}) as daemon:
        await daemon.ready()
        await model.close()
        await alone.send(a_request("unplanned-1"))
        await daemon.told("planning.backed_off", request_id="unplanned-1", count=2)
        await model.start()
        outcome = await alone.outcomes.outcome("unplanned-1")
        assert outcome["data"]["status"] == "completed"
        assert await daemon.stop() == 0
    assert await alone.half_made({"unplanned-1": "completed"}) == []
