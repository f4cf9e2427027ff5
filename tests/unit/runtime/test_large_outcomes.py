"""A booking whose outcome is larger than a message: told once the bucket has it, and always as the same."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import Succeeded
from jada_orchestrator.domain.limits import OUTCOME_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.runtime.world import Wire, World
from jada_orchestrator.testing.catalogues import proposal, task
from jada_orchestrator.testing.payloads import MemoryPayloads
from jada_orchestrator.testing.virtual_time import run_virtually
from jada_orchestrator.wire import outcomes
from tests.unit.runtime.house import OUTCOMES, House, parse_reply, parse_request

NOTE: Final = "é" * OUTCOME_BYTES_MAX
OFFER: Final = {"offer_id": "o-1", "price": {"amount": "10.00", "currency": "EUR"}}
SEARCH: Final = proposal(task("rooms", "trips.search", city="Lisbon"), result={"note": "rooms.note"})


def search(_: PlannerQuestion) -> JsonObject:
    """The plan of every request here: one search, whose answer is the result."""
    return SEARCH


def much(_: AgentCall) -> Succeeded:
    """An answer that no message carries."""
    return Succeeded({"offers": [OFFER], "note": NOTE})


def world(house: House, payloads: MemoryPayloads | None) -> World:
    """The ports of one process, which writes outcomes as the contract has them."""
    house.functions.add("jada-trips", much)
    encode = partial(outcomes.encode, source="jada-orchestrator")
    return house.world(payloads=payloads, wire=Wire(parse_request, parse_reply, encode))


def told(house: House) -> list[dict[str, Any]]:
    """The outcomes that frontends have."""
    return [json.loads(message.body) for message in house.queues.messages(OUTCOMES)]


def test_an_outcome_waits_for_its_bucket_and_is_the_same_ever_after() -> None:
    """While the bucket is away it is not told, and that is said; after a kill and on request it is the same text."""

    async def main() -> None:
        house, payloads = House(search), MemoryPayloads()
        payloads.unreachable = "no route to the bucket"
        async with house.process(world(house, payloads)):
            house.send("web-1")
            await house.until(lambda: "outcome.stuck" in house.log.events())
            assert told(house) == []
            assert any("no route to the bucket" in line[2] for line in house.log.lines)
        payloads.unreachable = None
        async with house.process(world(house, payloads)):
            await house.until(lambda: told(house))
            house.send("web-1")
            await house.until(lambda: len(told(house)) == 2)
        first, again = told(house)
        assert again == first
        assert first["data"]["status"] == "completed"
        whole = await payloads.get(PayloadRef(**first["data"]["data_ref"]))
        assert whole["result"] == {"note": NOTE}
        assert list(payloads.objects) == [first["data"]["data_ref"]["key"]]

    run_virtually(main())


def test_without_a_bucket_it_is_told_in_short_and_the_operator_hears_why() -> None:
    """The frontend learns how its booking ended, and where a person finds the rest; the log names the setting."""

    async def main() -> None:
        house = House(search)
        async with house.process(world(house, None)):
            house.send("web-1")
            await house.until(lambda: told(house))
        [event] = told(house)
        assert event["data"]["status"] == "completed", event["data"]["error"]
        assert f"jada show {event['data']['workflow_id']}" in event["data"]["result"]["omitted"]
        [message] = [line[2] for line in house.log.lines if line[1] == "outcome.shortened"]
        assert "offload.bucket" in message

    run_virtually(main())
