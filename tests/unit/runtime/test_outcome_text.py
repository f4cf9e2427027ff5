"""Outcomes larger than a message: small ones that say where the whole lies, or what is left out and why."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import pytest

from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import OUTCOME_BYTES_MAX, PAYLOAD_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.payloads import PayloadError
from jada_orchestrator.runtime.outcome_text import outcome_text
from jada_orchestrator.testing.payloads import MemoryPayloads
from jada_orchestrator.wire import outcomes
from jada_orchestrator.wire.models import OutcomeModel

SMALL: Final[dict[str, Any]] = {
    "request_id": "web-1",
    "workflow_id": "wf-1",
    "tenant": "acme",
    "status": "completed",
    "result": {"offers": "é"},
    "error": None,
    "questions": [],
    "tasks": [{"id": "search", "action": "flights.search", "status": "succeeded", "attempts": 1}],
    "cost": {"usd": "0.01", "input_tokens": 1, "output_tokens": 2, "cache_read_tokens": 0, "cache_write_tokens": 0},
    "plan_revision": 1,
    "model": "claude-sonnet-4-6",
}
LARGE: Final = {**SMALL, "result": {"offers": "é" * OUTCOME_BYTES_MAX}}


def write(content: dict[str, Any]) -> str:
    """The message that a frontend gets."""
    return outcomes.encode("wf-1.1", "completed", UtcMs(1_900_000_000_000), content, source="jada-orchestrator")


async def sent(content: dict[str, Any], payloads: MemoryPayloads | None) -> tuple[dict[str, Any], list[str]]:
    """The event, which is an outcome as published and fits into a message; and why it was shortened, if it was."""
    told: list[str] = []
    text = await outcome_text(content, write, payloads, told.append)
    assert len(text.encode()) <= OUTCOME_BYTES_MAX
    event = json.loads(text)
    OutcomeModel.model_validate(event)
    return event, told


def ref_of(event: dict[str, Any]) -> PayloadRef:
    """Where an event says that the whole lies."""
    return PayloadRef(**event["data"]["data_ref"])


async def test_what_fits_goes_as_it_is() -> None:
    """A bucket is not touched for it, nor named."""
    payloads = MemoryPayloads()
    event, told = await sent(SMALL, payloads)
    assert (event["data"], told, payloads.objects) == (SMALL, [], {})


async def test_what_does_not_fit_says_where_the_whole_lies() -> None:
    """All required fields are there, and the object that is named is the whole content, below a folder of its own."""
    payloads = MemoryPayloads()
    event, told = await sent(LARGE, payloads)
    assert told == []
    assert {name: event["data"][name] for name in SMALL if name != "result"} == {
        name: SMALL[name] for name in SMALL if name != "result"
    }
    assert "data_ref" in event["data"]["result"]["omitted"]
    ref = ref_of(event)
    assert ref.key == f"jada/outcomes/{ref.sha256}.json"
    assert await payloads.get(ref) == LARGE


async def test_what_is_told_again_is_the_same() -> None:
    """Told again, also by a process that holds the fields in another order, it is one object and one text."""
    payloads = MemoryPayloads()
    first, _ = await sent(LARGE, payloads)
    again, _ = await sent(dict(reversed(LARGE.items())), payloads)
    assert again == first
    assert list(payloads.objects) == [ref_of(first).key]


@pytest.mark.parametrize("standing", [0, 300])
async def test_without_a_bucket_it_goes_without_what_agents_answered(standing: int) -> None:
    """However much stands and however long the reasons, in whatever letters: it fits, and the setting is told."""
    effect = {
        "task_id": "hold",
        "action": "flights.hold",
        "certain": True,
        "output": {"letters": "y" * 10_000},
        "reason": {"code": "SOLD_OUT", "message": "\uffff" * 2_000},
    }
    error = {"code": "SOLD_OUT", "message": "no", "standing": [effect] * standing}
    event, [why] = await sent({**LARGE, "error": error, "questions": ["\uffff" * 60_000] * 10}, None)
    assert "jada show wf-1" in event["data"]["result"]["omitted"]
    assert "data_ref" not in event["data"]
    assert [each["output"] for each in event["data"]["error"]["standing"]] == [None] * standing
    assert "offload.bucket" in why


async def test_what_no_bucket_takes_goes_without_it() -> None:
    """A booking's end is told in any case: larger than a payload may be, it goes as without a bucket."""
    payloads = MemoryPayloads()
    event, [why] = await sent({**LARGE, "result": {"offers": "x" * PAYLOAD_BYTES_MAX}}, payloads)
    assert "data_ref" not in event["data"]
    assert "the bucket cannot take it" in why
    assert payloads.objects == {}


async def test_a_bucket_that_is_away_is_waited_for() -> None:
    """It never goes in another form meanwhile: a frontend that drops what it has seen would never see the whole."""
    payloads = MemoryPayloads()
    payloads.unreachable = "no route"
    with pytest.raises(PayloadError, match="no route"):
        await outcome_text(LARGE, write, payloads, partial(pytest.fail, "nothing is shortened"))


async def test_characters_that_queues_refuse_are_counted_as_they_are_sent() -> None:
    """A result of U+FFFF alone grows to the double by its escapes: it is known to be too large before SQS says so."""
    event, _ = await sent({**SMALL, "result": {"letters": "\uffff" * (OUTCOME_BYTES_MAX // 4)}}, MemoryPayloads())
    assert "data_ref" in event["data"]
