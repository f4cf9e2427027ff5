"""A worker's reply whose output lies in the bucket, and that cannot be read all the same."""

from __future__ import annotations

import json
from typing import Final

import pytest

from jada_orchestrator.adapters.aws.referring import WholeReplies
from jada_orchestrator.runtime.world import Wire
from jada_orchestrator.testing.payloads import MemoryPayloads
from jada_orchestrator.testing.virtual_time import run_virtually
from jada_orchestrator.wire import replies
from tests.unit.runtime.house import DEAD, REPLIES, House, encode_outcome, parse_request
from tests.unit.runtime.test_large_outcomes import search

OUTPUT: Final = {"letters": "é" * 1024 * 1024}


@pytest.mark.parametrize("broken", [{"workflow_id": ""}, {"schema": "jada.reply/9"}], ids=str)
def test_an_unreadable_reply_is_a_dead_letter_with_its_reference(broken: dict[str, str]) -> None:
    """Its output, larger than any queue takes, stays in the bucket; the letter says where, and the reason."""

    async def main() -> None:
        house, payloads = House(search), MemoryPayloads()
        reply = {
            "schema": "jada.reply/1",
            "workflow_id": "wf-1",
            "task_id": "rooms",
            "attempt": 1,
            "idempotency_key": "jk-1",
            "status": "succeeded",
            "output_ref": (await payloads.put(OUTPUT)).to_json(),
            **broken,
        }
        world = house.world(
            replies=WholeReplies(house.queues.source(REPLIES), payloads),
            wire=Wire(parse_request, replies.parse, encode_outcome),
        )
        async with house.process(world):
            house.queues.put(REPLIES, json.dumps(reply), {"sent-by": "jada-scales"})
            await house.until(lambda: not house.queues.messages(REPLIES), within_s=30)
        [letter] = house.queues.messages(DEAD)
        assert json.loads(letter.body) == reply
        assert letter.attributes["sent-by"] == "jada-scales"
        assert letter.attributes["jada-reason-code"] == "BAD_REPLY"
        assert next(iter(broken)).removesuffix("_id") in letter.attributes["jada-reason"]
        assert len(payloads.objects) == 1
        assert "message.not_settled" not in house.log.events()

    run_virtually(main())
