"""Looking at dead letters and redriving them: what is seen, what becomes of each, and that nothing is ever lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from jada_orchestrator.adapters.journal.opening import open_reader
from jada_orchestrator.domain.events import RequestArrived
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import CatalogueVersion, RequestId, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import (
    DeadLetterDecided,
    PlanningStarted,
    Quarantined,
    Record,
    WorkflowAccepted,
    WorkflowEnded,
)
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.journal import JournalReader
from jada_orchestrator.service import dead_letters
from jada_orchestrator.service.dead_letters import Look, Redriven
from jada_orchestrator.testing.aws import FakeQueues, QueueFault
from jada_orchestrator.testing.dead_letters import FakeDeadLetters
from jada_orchestrator.wire import requests
from tests.unit.cli import bookings

FAULTED = Failure("PLAN_FAULTED", "no valid plan")


@dataclass(slots=True)
class HandClock:
    instant: UtcMs = UtcMs(1_000_000)

    def now(self) -> UtcMs:
        return self.instant


class Desk:
    """A dead-letter queue, the request queue, and the box between them."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.queues = FakeQueues(self.clock, wait_ms=0)
        self.queues.create("requests", "dlq")
        self.box = FakeDeadLetters(self.queues, letters="dlq", requests="requests")

    def letter(self, body: object, code: str = "PLAN_FAULTED", **attributes: str) -> str:
        text = body if isinstance(body, str) else json.dumps(body)
        reason = {"jada-reason-code": code, "jada-reason": "because"} if code else {}
        return self.queues.put("dlq", text, {**attributes, **reason})

    @property
    def left(self) -> list[str]:
        return [message.body for message in self.queues.messages("dlq")]

    @property
    def sent(self) -> list[Any]:
        return [json.loads(message.body) for message in self.queues.messages("requests")]

    async def redrive(self, reader: JournalReader | None = None, *, dry_run: bool = False) -> list[Redriven]:
        async with dead_letters.looking(self.box, 100) as look:
            ends = dead_letters.redrive(self.box, look, list(look.letters), reader, by="anna", dry_run=dry_run)
            return [end async for end in ends]


def a_request(request_id: str = "web-1", **more: object) -> dict[str, object]:
    """A request that is sound."""
    return {"request_id": request_id, "text": "Boston to Lisbon", "tenant": "acme", **more}


def records_of(body: dict[str, object], *more: Record) -> list[Record]:
    """The journal of a request that was accepted, and what came then."""
    message = Message(json.dumps(body), {})
    arrived = requests.parse(message, model="m")
    assert isinstance(arrived, RequestArrived)
    accepted = WorkflowAccepted(arrived.request, arrived.digest, message, "m", CatalogueVersion("c1"))
    return [accepted, PlanningStarted(1), *more]


FAILED = (WorkflowEnded("failed", FAULTED, None), DeadLetterDecided(FAULTED))


@asynccontextmanager
async def store_of(folder: Path, *stored: tuple[str, list[Record]]) -> AsyncIterator[JournalReader]:
    """A store with these bookings, by request id."""
    made = [(workflow_id_of(RequestId(request_id)), records) for request_id, records in stored]
    url = await asyncio.to_thread(bookings.write, folder, *made)
    reader = open_reader(url)
    yield reader
    await reader.close()


async def test_a_look_tells_what_each_letter_is() -> None:
    """Code, reason, request id, kind, age and receive count are read; messages of no known form are letters too."""
    desk = Desk()
    first = desk.letter(a_request())
    desk.letter({"schema": "jada.control/1", "request_id": "web-2", "command": "cancel"}, "CONTROL_UNMATCHED")
    desk.letter({"schema": "jada.reply/1", "workflow_id": "wf-1"}, "BAD_REPLY")
    desk.letter("\x1b[2J no JSON", "NOT_JSON")
    desk.letter(a_request("web-5"), "")
    desk.clock.instant = UtcMs(desk.clock.instant + 90_500)
    async with dead_letters.looking(desk.box, 100) as look:
        assert look.partial == ""
        assert [(each.kind, each.code, each.request_id) for each in look.letters] == [
            ("request", "PLAN_FAULTED", "web-1"),
            ("control", "CONTROL_UNMATCHED", "web-2"),
            ("reply", "BAD_REPLY", ""),
            ("unreadable", "NOT_JSON", ""),
            ("request", "", "web-5"),
        ]
        assert look.letters[0].to_json() == {
            "letter_id": first,
            "code": "PLAN_FAULTED",
            "reason": "because",
            "kind": "request",
            "request_id": "web-1",
            "age_seconds": 90,
            "receive_count": 1,
        }
        assert look.letters[0].to_json(whole=True)["attributes"] == {}


async def test_everything_is_given_back_at_once() -> None:
    """After a look every letter can be received at once, also when the looker failed meanwhile."""
    desk = Desk()
    for number in range(3):
        desk.letter(a_request(f"web-{number}"))

    async def look_and_fail() -> None:
        async with dead_letters.looking(desk.box, 100):
            raise RuntimeError("the looker fails")

    with pytest.raises(RuntimeError):
        await look_and_fail()
    assert len(await desk.queues.take("dlq", 10)) == 3


async def test_a_look_that_is_stopped_gives_back_what_it_took() -> None:
    """When receiving fails half way, what was received before is there again at once."""
    desk = Desk()
    for number in range(12):
        desk.letter(a_request(f"web-{number}"))

    class Failing(FakeDeadLetters):
        async def receive(self, messages_max: int) -> Any:
            if self._held:
                raise asyncio.CancelledError
            return await super().receive(messages_max)

    async def look() -> None:
        async with dead_letters.looking(Failing(desk.queues, letters="dlq", requests="requests"), 100):
            raise AssertionError("the look was stopped")

    with pytest.raises(asyncio.CancelledError):
        await look()
    assert len(await desk.queues.take("dlq", 10)) == 10


async def test_a_look_is_bounded_and_says_so() -> None:
    """A look takes no more than it may, by number and by time, and tells that there is more."""
    desk = Desk()
    for number in range(30):
        desk.letter(a_request(f"web-{number}"))
    async with dead_letters.looking(desk.box, 12) as look:
        assert len(look.letters) == 12
        assert "stopped at 12" in look.partial
    times = iter([0.0, 1.0, 30.0])
    async with dead_letters.looking(desk.box, 100, clock_s=lambda: next(times)) as look:
        assert len(look.letters) == 10
        assert "stopped after 20 s" in look.partial


async def test_letters_that_others_hold_are_told_of() -> None:
    """What is hidden because somebody else has it cannot be seen, so a look says that it may be a part."""
    desk = Desk()
    desk.letter(a_request())
    await desk.box.receive(10)
    async with dead_letters.looking(desk.box, 100) as look:
        assert look.letters == []
        assert "about 1 more are hidden" in look.partial


async def test_letters_that_stay_hidden_are_told_of() -> None:
    """When giving back fails, the look is good all the same, and says that the letters are hidden for a while."""
    desk = Desk()
    desk.letter(a_request())
    desk.queues.script("dlq", "give_back", QueueFault())
    async with dead_letters.looking(desk.box, 100) as look:
        pass
    assert "hidden for 60 s" in look.still_hidden


async def test_letters_are_found_by_id_and_request() -> None:
    """A letter id, a request id or the beginning of either names letters; an exact name wins over a prefix."""
    desk = Desk()
    first = desk.letter(a_request("web-1"))
    desk.letter(a_request("web-10"))
    async with dead_letters.looking(desk.box, 100) as look:
        assert [each.letter_id for each in look.chosen(first)] == [first]
        assert [each.request_id for each in look.chosen("web-1")] == ["web-1"]
        assert len(look.chosen("web")) == 2
        assert look.chosen("x") == []
        assert len(dead_letters.by_code(look.letters, ["plan_faulted"])) == 2
        assert dead_letters.by_code(look.letters, ["NOT_JSON"]) == []


async def test_a_request_that_nobody_knows_is_sent_as_it_came(tmp_path: Path) -> None:
    """Body and attributes go back whole, for the tenant, and the letter is deleted."""
    desk = Desk()
    desk.letter(a_request(), traceparent="00-1")
    async with store_of(tmp_path) as reader:
        [end] = await desk.redrive(reader)
    assert (end.fate.how, end.sent, end.deleted, end.trouble) == ("send", True, True, "")
    assert desk.queues.messages("requests") == [Message(json.dumps(a_request()), {"traceparent": "00-1"})]
    assert desk.box.groups == ["acme"]
    assert desk.left == []


async def test_a_request_that_could_not_be_planned_is_asked_to_retry(tmp_path: Path) -> None:
    """Sent again it would only have its outcome told again: its workflow gets the control message `retry`."""
    desk = Desk()
    desk.letter(a_request())
    async with store_of(tmp_path, ("web-1", records_of(a_request(), *FAILED))) as reader:
        [end] = await desk.redrive(reader)
    assert end.fate.how == "retry"
    assert desk.sent == [{"schema": "jada.control/1", "request_id": "web-1", "command": "retry", "by": "anna"}]
    assert desk.left == []


@pytest.mark.parametrize(
    ("body", "records", "how", "why"),
    [
        (a_request(), records_of(a_request()), "send", "is planning"),
        (
            a_request(),
            records_of(a_request(), WorkflowEnded("completed", None, {})),
            "send",
            "its booking is completed",
        ),
        (a_request(text="Porto"), records_of(a_request(), *FAILED), "leave", "another request with this id"),
        (a_request(), records_of(a_request(), Quarantined("law 5")), "leave", "`jada release`"),
        (a_request(priority=11), [], "leave", "would be turned away again: priority"),
        ({"schema": "jada.reply/1", "workflow_id": "wf-1"}, [], "leave", "an agent's reply"),
        ({"schema": "jada.control/1", "request_id": "web-1", "command": "cancel"}, [], "send", "a control message"),
    ],
    ids=["unfinished", "completed", "conflict", "set aside", "invalid", "reply", "control"],
)
async def test_what_becomes_of_a_letter(
    body: dict[str, object], records: list[Record], how: str, why: str, tmp_path: Path
) -> None:
    """Each kind of letter is sent, retried or left, with the reason; what is left stays on the queue."""
    desk = Desk()
    desk.letter(body)
    stored = [("web-1", records)] if records else []
    async with store_of(tmp_path, *stored) as reader:
        [end] = await desk.redrive(reader)
    assert end.fate.how == how
    assert why in end.fate.why
    assert len(desk.left) == (how == "leave")
    assert len(desk.sent) == (how != "leave")


async def test_as_it_came_asks_no_store() -> None:
    """Without a store everything is sent as it came, also what would be turned away."""
    desk = Desk()
    desk.letter("no JSON", "NOT_JSON")
    [end] = await desk.redrive()
    assert (end.fate.how, end.deleted) == ("send", True)
    assert [message.body for message in desk.queues.messages("requests")] == ["no JSON"]


async def test_a_dry_run_moves_nothing() -> None:
    """A dry run says what would be done; nothing is sent, and the letter can be had at once."""
    desk = Desk()
    desk.letter(a_request())
    [end] = await desk.redrive(dry_run=True)
    assert (end.fate.how, end.sent, end.deleted) == ("send", False, False)
    assert desk.sent == []
    assert len(await desk.queues.take("dlq", 10)) == 1


@pytest.mark.parametrize("done", [False, True], ids=["refused", "answer lost"])
async def test_what_may_not_have_been_sent_stays(done: bool) -> None:
    """A letter whose sending failed, or may have, is still there; the others are moved."""
    desk = Desk()
    for number in range(3):
        desk.letter(a_request(f"web-{number}"))
    desk.queues.script("requests", "send", QueueFault(done=done))
    ends = await desk.redrive()
    assert [end.deleted for end in ends] == [False, True, True]
    assert "not sent" in ends[0].trouble
    assert [json.loads(body)["request_id"] for body in desk.left] == ["web-0"]


async def test_a_letter_that_cannot_be_deleted_says_so() -> None:
    """What was sent and could not be deleted is told as such; to redrive it again sends the same message."""
    desk = Desk()
    desk.letter(a_request())
    desk.queues.script("dlq", "delete", QueueFault())
    [end] = await desk.redrive()
    assert (end.sent, end.deleted) == (True, False)
    assert "harmless" in end.trouble
    [again] = await desk.redrive()
    assert again.deleted
    assert desk.sent == [a_request(), a_request()]
    assert len(set(desk.box.onces)) == 1


class Killed(BaseException):
    """Stands for the end of the process between two steps."""


class DyingBox(FakeDeadLetters):
    """A box whose user is killed before or after its `at`-th operation of a kind takes effect."""

    def __init__(self, desk: Desk, at: str, *, after: bool) -> None:
        super().__init__(desk.queues, letters="dlq", requests="requests")
        self._at, self._after = at, after

    async def send(self, message: Message, *, group: str, once: str) -> None:
        if self._at == "send" and not self._after:
            raise Killed
        await super().send(message, group=group, once=once)
        if self._at == "send":
            raise Killed

    async def delete(self, deliveries: Any) -> None:
        if self._at == "delete" and not self._after:
            raise Killed
        await super().delete(deliveries)
        if self._at == "delete":
            raise Killed

    async def give_back(self, deliveries: Any, *, after_ms: int = 0) -> None:
        raise Killed  # the dead give nothing back: the visibility runs out


@pytest.mark.parametrize("at", ["send", "delete"])
@pytest.mark.parametrize("after", [False, True])
async def test_no_letter_is_lost_when_killed(at: str, after: bool) -> None:
    """Killed at any step, every letter is on the dead-letter queue or on the request queue, or on both."""
    desk = Desk()
    bodies = [a_request(f"web-{number}") for number in range(3)]
    for body in bodies:
        desk.letter(body)
    desk.box = DyingBox(desk, at, after=after)
    with pytest.raises(Killed):
        await desk.redrive()
    there = {*desk.left, *(json.dumps(each) for each in desk.sent)}
    assert there == {json.dumps(body) for body in bodies}


async def test_a_second_look_does_not_see_a_letter_twice() -> None:
    """A letter that comes twice within one look (its hiding ran out) is listed once."""
    desk = Desk()
    desk.letter(a_request())

    class Repeating(FakeDeadLetters):
        async def receive(self, messages_max: int) -> Any:
            found = await super().receive(messages_max)
            return [*found, *(structs.replace(each, handle="again") for each in found)]

    desk.box = Repeating(desk.queues, letters="dlq", requests="requests")
    async with dead_letters.looking(desk.box, 100) as look:
        assert [each.delivery.handle for each in look.letters] == ["again"]


def test_a_look_is_empty_at_first() -> None:
    """A look that saw nothing chooses nothing."""
    assert Look([]).chosen("") == []
