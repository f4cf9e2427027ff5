"""Messages: within SQS's limits, and the results of a batch read one by one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.adapters.aws.queues import dead_letter_attributes
from jada_orchestrator.adapters.aws.sending import (
    MESSAGE_BYTES_MAX,
    Outgoing,
    SendResult,
    SqsSender,
    group_for_sqs,
    json_for_sqs,
    text_for_sqs,
)
from jada_orchestrator.adapters.aws.service import SqsService
from jada_orchestrator.domain.events import Failed, Lost
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.request import Message

if TYPE_CHECKING:
    from types_aiobotocore_sqs import SQSClient

FAILURE = Failure("NOT_JSON", "no JSON")


class FakeClient:
    """Stands for the SQS client's two methods; answers batches as it is told."""

    def __init__(self, answer: Any = None, *, bytes_max: int = MESSAGE_BYTES_MAX) -> None:
        self.answer = answer
        self.bytes_max = bytes_max
        self.batches: list[list[dict[str, Any]]] = []
        self.url_error: Exception | None = None

    async def get_queue_url(self, *, QueueName: str) -> dict[str, str]:  # noqa: N803 - the client's own names
        if self.url_error is not None:
            raise self.url_error
        return {"QueueUrl": f"http://queues/{QueueName}"}

    async def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> Any:  # noqa: N803
        self.batches.append(Entries)
        if sum(len(entry["MessageBody"]) for entry in Entries) > self.bytes_max:
            raise ClientError({"Error": {"Code": "AWS.SimpleQueueService.BatchRequestTooLong"}}, "SendMessageBatch")
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer is not None:
            return self.answer
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def sender_on(client: FakeClient, *, fair: bool = False) -> SqsSender:
    """A sender on a fake client."""
    return SqsSender(SqsService(cast("SQSClient", client), polls=1, requests=2), fair=fair)


async def send(client: FakeClient, *bodies: str, queue: str = "q") -> list[SendResult]:
    """Send bodies together, and return what became of each."""
    sender = sender_on(client)
    entries = [sender.add(queue, Outgoing(body)) for body in bodies]
    return [await entry.answer for entry in entries]


async def test_each_entry_has_its_own_result() -> None:
    """Taken, refused for good, refused for now, and not mentioned: four entries, four results."""
    client = FakeClient(
        {
            "Successful": [{"Id": "0"}],
            "Failed": [
                {"Id": "1", "SenderFault": True, "Code": "SomethingWrong", "Message": "m"},
                {"Id": "2", "SenderFault": False, "Code": "InternalError", "Message": "m"},
            ],
        }
    )

    taken, refused, later, unmentioned = await send(client, "a", "b", "c", "d")

    assert taken is None
    assert isinstance(refused, Failed)
    assert not refused.retryable
    assert isinstance(later, Failed)
    assert later.retryable
    assert isinstance(unmentioned, Lost)
    assert len(client.batches) == 1


@pytest.mark.parametrize("error", [ConnectionClosedError(endpoint_url="u"), ReadTimeoutError(endpoint_url="u")])
async def test_a_cut_connection_loses_each_entry(error: Exception) -> None:
    """When the answer is lost, every message of the batch may be there: lost, and not sent again."""
    client = FakeClient(error)

    results = await send(client, "a", "b")

    assert all(isinstance(result, Lost) for result in results)
    assert len(client.batches) == 1


async def test_an_answer_about_other_entries_loses_all() -> None:
    """An answer that makes no sense proves nothing."""
    client = FakeClient({"Successful": [{"Id": "7"}]})

    assert all(isinstance(result, Lost) for result in await send(client, "a", "b"))


async def test_a_failed_lookup_sends_nothing() -> None:
    """When even the queue's address could not be had, the message was certainly not sent."""
    client = FakeClient()
    client.url_error = ReadTimeoutError(endpoint_url="u")

    [result] = await send(client, "a")

    assert isinstance(result, Failed)
    assert result.retryable
    assert client.batches == []


async def test_a_batch_too_long_for_the_queue_is_halved() -> None:
    """A queue with a smaller limit than today's takes the same messages in smaller batches."""
    client = FakeClient(bytes_max=2)

    assert await send(client, "a", "b", "c", "d") == [None] * 4
    assert [len(batch) for batch in client.batches] == [4, 2, 2]


async def test_a_message_too_large_is_not_sent() -> None:
    """What SQS cannot take is refused here, for good."""
    client = FakeClient()

    [result] = await send(client, "a" * (MESSAGE_BYTES_MAX + 1))

    assert isinstance(result, Failed)
    assert not result.retryable
    assert client.batches == []


@pytest.mark.parametrize(
    ("queue", "fair", "group"), [("q", False, None), ("q", True, "acme"), ("q.fifo", False, "acme")]
)
async def test_groups_only_where_they_are_wanted(queue: str, fair: bool, group: str | None) -> None:
    """The tenant becomes the message group on FIFO queues, and on standard ones if configured."""
    client = FakeClient()

    await sender_on(client, fair=fair).add(queue, Outgoing("a", group="acme")).answer

    assert client.batches[0][0].get("MessageGroupId") == group


@given(st.text())
def test_json_for_sqs_is_the_same_json(text: str) -> None:
    """Whatever SQS refuses is escaped, and the JSON's meaning stays."""
    written = json_for_sqs(json.dumps({"text": text}, ensure_ascii=False))

    assert json.loads(written) == {"text": text}
    assert written == text_for_sqs(written)


@given(st.text(max_size=200))
def test_a_group_is_always_one_that_sqs_takes(group: str) -> None:
    """Any tenant has a group of 1 to 128 printable ASCII characters."""
    made = group_for_sqs(group)

    assert 1 <= len(made) <= 128
    assert made.isascii()
    assert made.isprintable()
    assert " " not in made


names = st.text("abcXYZ019_-.", min_size=1, max_size=30)


@given(attributes=st.dictionaries(names, st.text(min_size=1, max_size=50).map(text_for_sqs), max_size=10))
def test_a_dead_letter_loses_no_attribute(attributes: dict[str, str]) -> None:
    """Up to the ten attributes that SQS allows, all are kept, within ten, beside the reason."""
    made = dead_letter_attributes(Message("m", attributes), FAILURE)

    assert len(made) <= 10
    assert made.pop("jada-reason-code") == FAILURE.code
    assert made.pop("jada-reason") == FAILURE.message
    others = json.loads(made.pop("jada-other-attributes", "{}"))
    assert made | others == attributes


@pytest.mark.parametrize("room", [0, 10, 40, 60, 1_000])
def test_the_reason_gives_way_to_the_message(room: int) -> None:
    """However large the message, it goes whole, and what is added does not make it too large."""
    message = Message("m" * (MESSAGE_BYTES_MAX - room), {})
    failure = Failure("NOT_JSON", "é" * 10_000)

    attributes = dead_letter_attributes(message, failure)

    assert Outgoing(message.body, attributes).size_bytes <= MESSAGE_BYTES_MAX
    assert all(attributes.values())


def test_a_reason_with_forbidden_characters_is_made_sendable() -> None:
    """A reason may quote anything; SQS takes no control characters."""
    attributes = dead_letter_attributes(Message("m", {}), Failure("NOT_JSON", "at \x00 and \ud800"))

    assert attributes["jada-reason"] == "at \ufffd and \ufffd"
