"""The kit and payloads that are too large for a message: inputs by reference, outputs into the bucket."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from jada_orchestrator.agent import Agent, JsonObject, MemoryIdempotency, Task
from jada_orchestrator.agent.payloads import (
    BY_VALUE_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    PAYLOAD_MISSING,
    PAYLOAD_UNREACHABLE,
    PAYLOAD_UNWRITTEN,
    PayloadFault,
)
from tests.unit.agent.test_agent import task_message

PLACE = {"bucket": "payloads", "prefix": "jada/"}
LARGE = "x" * BY_VALUE_BYTES_MAX


class Bucket:
    """`ObjectStore` in memory."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], bytes] = {}
        self.away: str | None = None
        self.writes = 0

    def read(self, bucket: str, key: str, bytes_max: int) -> bytes:
        if self.away is not None:
            raise PayloadFault(PAYLOAD_UNREACHABLE, self.away)
        if (bucket, key) not in self.objects:
            raise PayloadFault(PAYLOAD_MISSING, f"{key} is not there")
        return self.objects[bucket, key][: bytes_max + 1]

    def write(self, bucket: str, key: str, body: bytes) -> None:
        if self.away is not None:
            raise PayloadFault(PAYLOAD_UNWRITTEN, self.away)
        self.writes += 1
        self.objects[bucket, key] = body

    def keep(self, content: JsonObject) -> dict[str, Any]:
        """Put an input there as the orchestrator does, and return its reference."""
        body = json.dumps(content).encode()
        digest = hashlib.sha256(body).hexdigest()
        key = f"jada/{digest}.json"
        self.objects["payloads", key] = body
        return {"bucket": "payloads", "key": key, "bytes": len(body), "sha256": digest}


@pytest.fixture
def bucket() -> Bucket:
    """An empty one."""
    return Bucket()


def agent_on(bucket: Bucket, calls: list[Task], output: JsonObject) -> Agent:
    """An agent that remembers its answers."""
    made = Agent("flights", idempotency=MemoryIdempotency(), payloads=bucket)

    @made.action("flights.hold", input={"type": "object", "required": ["offer_id"]})
    def hold(task: Task) -> JsonObject:
        calls.append(task)
        return output

    return made


def referring(ref: object, **fields: object) -> JsonObject:
    """A task whose input lies elsewhere."""
    message = task_message(input_ref=ref, offload=PLACE, deadline=None, **fields)
    del message["input"]
    return message


def test_an_input_is_read_from_where_it_lies(bucket: Bucket) -> None:
    """The function sees the input as if it had come with the task; its schema is checked as ever."""
    calls: list[Task] = []
    agent = agent_on(bucket, calls, {})
    ref = bucket.keep({"offer_id": "LX", "letters": LARGE})
    assert agent.handle(referring(ref))["status"] == "succeeded"
    assert calls[0].input == {"offer_id": "LX", "letters": LARGE}
    refused = agent.handle(referring(bucket.keep({"letters": "x"}), idempotency_key="jk-2"))
    assert refused["error"]["code"] == "BAD_INPUT"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "jada/" + "0" * 64 + ".json"}, "PAYLOAD_MISSING"),
        ({"sha256": "0" * 64}, "PAYLOAD_ALTERED"),
        ({"bytes": 3}, "PAYLOAD_ALTERED"),
        ({"bytes": PAYLOAD_BYTES_MAX + 1}, "PAYLOAD_REFUSED"),
        ({"bucket": "somebody-elses"}, "PAYLOAD_REFUSED"),
        ({"key": "secrets/of-others.json"}, "PAYLOAD_REFUSED"),
        ({"key": None}, "PAYLOAD_REFUSED"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_input_that_cannot_be_had_is_refused(bucket: Bucket, change: dict[str, Any], code: str) -> None:
    """Missing, altered, too large, or elsewhere than the task's payloads may lie: nothing is done, and that is said."""
    calls: list[Task] = []
    ref = bucket.keep({"offer_id": "LX"}) | change
    reply = agent_on(bucket, calls, {}).handle(referring(ref))
    assert (reply["status"], reply["error"]["code"], reply["attempt"]) == ("failed", code, 2)
    assert not calls


def test_without_a_place_no_input_is_fetched(bucket: Bucket) -> None:
    """A reference without the place that the task names is not followed."""
    message = referring(bucket.keep({"offer_id": "LX"}))
    del message["offload"]
    assert agent_on(bucket, [], {}).handle(message)["error"]["code"] == "PAYLOAD_REFUSED"


def test_a_bucket_that_is_away_is_asked_again_later(bucket: Bucket) -> None:
    """The same call may succeed later, and then it is made."""
    calls: list[Task] = []
    agent, ref = agent_on(bucket, calls, {}), bucket.keep({"offer_id": "LX"})
    bucket.away = "no route"
    assert agent.handle(referring(ref))["error"]["retryable"] is True
    bucket.away = None
    assert agent.handle(referring(ref))["status"] == "succeeded"
    assert len(calls) == 1


def test_a_large_output_goes_to_the_bucket(bucket: Bucket) -> None:
    """The reply refers to it by size and digest; a small one stays in the reply."""
    reply = agent_on(bucket, [], {"letters": LARGE}).handle(task_message(offload=PLACE, deadline=None))
    assert "output" not in reply
    ref = reply["output_ref"]
    body = bucket.objects[ref["bucket"], ref["key"]]
    assert json.loads(body) == {"letters": LARGE}
    assert (len(body), hashlib.sha256(body).hexdigest()) == (ref["bytes"], ref["sha256"])
    assert ref["key"] == f"jada/{ref['sha256']}.json"
    small = agent_on(bucket, [], {"letters": "x"}).handle(task_message(offload=PLACE, deadline=None))
    assert small["output"] == {"letters": "x"}


def test_the_same_key_again_refers_to_the_same_again(bucket: Bucket) -> None:
    """The remembered answer is put there anew, so that it is there when it is named; nothing is done twice."""
    calls: list[Task] = []
    agent = agent_on(bucket, calls, {"letters": LARGE})
    first = agent.handle(task_message(offload=PLACE, deadline=None))
    bucket.objects.clear()
    again = agent.handle(task_message(offload=PLACE, deadline=None, attempt=3))
    assert again["output_ref"] == first["output_ref"]
    assert len(bucket.objects) == 1
    assert len(calls) == 1


def test_an_output_that_cannot_be_put_there_is_unknown(bucket: Bucket) -> None:
    """The action was done: the reply says so with its own code, and the next attempt gives the remembered answer."""
    calls: list[Task] = []
    agent = agent_on(bucket, calls, {"letters": LARGE})
    bucket.away = "no route"
    reply = agent.handle(task_message(offload=PLACE, deadline=None))
    assert (reply["error"]["code"], reply["error"]["retryable"]) == ("PAYLOAD_UNWRITTEN", True)
    bucket.away = None
    assert "output_ref" in agent.handle(task_message(offload=PLACE, deadline=None, attempt=3))
    assert len(calls) == 1


def test_what_even_a_bucket_does_not_take_is_said(bucket: Bucket) -> None:
    """Above the limit nothing is written."""
    agent = agent_on(bucket, [], {"letters": "x" * PAYLOAD_BYTES_MAX})
    assert agent.handle(task_message(offload=PLACE, deadline=None))["error"]["code"] == "PAYLOAD_UNWRITTEN"
    assert bucket.writes == 0


def test_without_a_place_everything_stays_in_the_reply(bucket: Bucket) -> None:
    """Where the orchestrator has no bucket, nothing changes."""
    reply = agent_on(bucket, [], {"letters": LARGE}).handle(task_message(deadline=None))
    assert reply["output"] == {"letters": LARGE}
    assert bucket.writes == 0
