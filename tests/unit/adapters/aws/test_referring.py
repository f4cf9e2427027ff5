"""Answers that only refer to their output: made whole before anybody reads them, or told to be unknown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pytest

from jada_orchestrator.adapters.aws.referring import WholeReplies, made_whole
from jada_orchestrator.domain.events import Lost, Succeeded
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.queues import AgentReply, Delivery
from jada_orchestrator.testing.payloads import MemoryPayloads
from jada_orchestrator.wire import replies

IDENTITY: Final = {
    "schema": "jada.reply/1",
    "workflow_id": "wf-1",
    "task_id": "hold",
    "attempt": 1,
    "idempotency_key": "jk-1",
}
OUTPUT: Final = {"letters": "Évora 🛫" * 1_000}


async def answer(payloads: MemoryPayloads, **change: Any) -> str:
    """A success whose output lies in the bucket; `change` alters its reference."""
    ref = (await payloads.put(OUTPUT)).to_json() | change
    return json.dumps({**IDENTITY, "status": "succeeded", "output_ref": ref, "usage": {"input_tokens": 1}})


def read(text: str) -> AgentReply:
    """What the wire makes of it."""
    parsed = replies.parse(text)
    assert isinstance(parsed, AgentReply)
    return parsed


async def test_the_output_takes_the_place_of_its_reference() -> None:
    """Everything else of the answer stays as it was."""
    payloads = MemoryPayloads()
    whole = await made_whole(await answer(payloads), payloads)
    assert json.loads(whole) == {**IDENTITY, "status": "succeeded", "usage": {"input_tokens": 1}, "output": OUTPUT}
    assert read(whole).result == Succeeded(OUTPUT)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "jada/gone.json"}, "OUTPUT_MISSING"),
        ({"sha256": "0" * 64}, "OUTPUT_ALTERED"),
        ({"bucket": "somebody-elses"}, "OUTPUT_REFUSED"),
        ({"key": "secrets/of-others.json"}, "OUTPUT_REFUSED"),
        ({"bytes": 2**40}, "OUTPUT_REFUSED"),
        ({"bytes": True}, "OUTPUT_REFUSED"),
        ({"key": 3}, "OUTPUT_REFUSED"),
    ],
    ids=str,
)
async def test_an_output_that_cannot_be_had_is_unknown(change: dict[str, Any], code: str) -> None:
    """The agent said that it did it: never failed, always to be looked up, and the reason has a code."""
    payloads = MemoryPayloads()
    result = read(await made_whole(await answer(payloads, **change), payloads)).result
    assert isinstance(result, Lost)
    assert result.failure.code == code


async def test_a_bucket_that_is_away_is_told_apart() -> None:
    """Nobody knows what lies there: unknown, too."""
    payloads = MemoryPayloads()
    text = await answer(payloads)
    payloads.unreachable = "no route"
    result = read(await made_whole(text, payloads)).result
    assert isinstance(result, Lost)
    assert result.failure.code == "OUTPUT_UNREACHABLE"


async def test_without_a_bucket_the_setting_is_named() -> None:
    """An answer that refers to one is unknown, and says what to set."""
    text = await answer(MemoryPayloads())
    assert await made_whole(text, None) == text
    result = read(text).result
    assert isinstance(result, Lost)
    assert (result.failure.code, "offload.bucket" in result.failure.message) == ("PAYLOAD_UNREAD", True)


@pytest.mark.parametrize(
    "text",
    [
        "no json, output_ref",
        '["output_ref"]',
        '{"output_ref": 3, "status": "succeeded"}',
        '{"output_ref": {}, "status": "succeeded", "output": {}}',
        '{"output_ref": {}, "status": "failed", "error": {"code": "SOLD_OUT"}}',
        "[" * 100_000 + "output_ref",
    ],
    ids=lambda text: text[:50],
)
async def test_anything_else_is_left_as_it_is(text: str) -> None:
    """Whoever reads it says what is wrong with it; nothing is raised, and nothing is fetched."""
    assert await made_whole(text, MemoryPayloads()) == text


class Source:
    """A `MessageSource` with some messages, which notes what is settled."""

    def __init__(self, *bodies: str) -> None:
        self.deliveries = [Delivery(Message(b, {"a": "b"}), f"h{n}", f"m{n}", 1, 0) for n, b in enumerate(bodies)]
        self.settled: list[str] = []

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        return self.deliveries[:messages_max]

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        self.settled += [each.handle for each in deliveries]

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        self.settled += [f"{each.handle} after {after_ms}" for each in deliveries]

    async def close(self) -> None:
        self.settled.append("closed")


async def test_replies_come_whole_and_are_settled_as_ever() -> None:
    """Those that refer to an output have it; order, handles and attributes stay, and the queue is told of the same."""
    payloads = MemoryPayloads()
    source = Source("first", await answer(payloads), "third")
    whole = WholeReplies(source, payloads)
    received = await whole.receive(10)
    assert [each.handle for each in received] == ["h0", "h1", "h2"]
    assert [each.message.body for each in received][::2] == ["first", "third"]
    assert json.loads(received[1].message.body)["output"] == OUTPUT
    assert received[1].message.attributes == {"a": "b"}
    assert [each.letter for each in received] == [each.message for each in source.deliveries]
    await whole.delete(received[:1])
    await whole.give_back(received[1:2], after_ms=5)
    await whole.close()
    assert source.settled == ["h0", "h1 after 5", "closed"]
