"""Looking into the dead-letter queue, and putting letters back to be tried again.

A look hides letters from others for a short while and gives them all back; nothing is lost by it, also not when it is
killed: what it held is there again after `HIDDEN_S`. A letter is sent on first and deleted afterwards, so that a stop
in between leaves it there; to send it on twice is harmless, since requests and control messages are idempotent.

A request that was accepted and could not be planned has a workflow already: sent again, it would only have its outcome
told again. So it is asked for by the control message ``retry`` instead, and its letter is deleted as the others are.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.events import RequestArrived, RequestRefused
from jada_orchestrator.domain.ids import RequestId, workflow_id_of
from jada_orchestrator.domain.request import Message
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.people import may_retry
from jada_orchestrator.ports.dead_letters import REASON, REASON_CODE, DeadLetterBox, original_of
from jada_orchestrator.ports.journal import JournalReader
from jada_orchestrator.ports.queues import Delivery, QueueError
from jada_orchestrator.service.refusals import configuration_checked
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.wire import requests

HIDDEN_S: Final = 60
"""How long a letter that we hold stays hidden when we are killed."""
LOOK_S_MAX: Final = 20.0
"""A look takes no more letters after this; settling them all takes seconds, and they must not come back meanwhile."""
LETTERS_MAX: Final = 10_000
"""The most letters of one look: SQS hides at most 120,000 messages of a queue at once."""
_BATCH: Final = 10
_CONNECTIONS: Final = 12
_REPLY: Final = "jada.reply/1"
_UNREADABLE_REPLY: Final = "BAD_REPLY"

Kind: TypeAlias = Literal["request", "control", "reply", "unreadable"]


@dataclass(frozen=True, slots=True)
class Letter:
    """One dead letter; `code` and `reason` are empty when the queue itself moved it (its own redrive policy)."""

    delivery: Delivery
    original: Message
    code: str
    reason: str
    request_id: str
    kind: Kind

    @property
    def letter_id(self) -> str:
        """The queue's own id of it."""
        return self.delivery.message_id

    def to_json(self, *, whole: bool = False) -> JsonObject:
        """Return a line of ``jada dlq list --json``; `whole` adds the message itself."""
        told: JsonObject = {
            "letter_id": self.letter_id,
            "code": self.code or None,
            "reason": self.reason or None,
            "kind": self.kind,
            "request_id": self.request_id or None,
            "age_seconds": self.delivery.age_ms // 1_000,
            "receive_count": self.delivery.receive_count,
        }
        if whole:
            told["body"] = self.original.body
            told["attributes"] = dict(self.original.attributes)
        return told


@dataclass(slots=True)
class Look:
    """What was seen; `partial` says why there may be more, and is empty when this is all."""

    letters: list[Letter]
    partial: str = ""
    still_hidden: str = ""
    """Why letters could not be given back at once, when that is so: they are there again after `HIDDEN_S`."""

    def chosen(self, ref: str) -> list[Letter]:
        """Return the letters of a letter id, a request id, or the beginning of either; an exact match wins."""
        exact = [each for each in self.letters if ref in {each.letter_id, each.request_id}]
        if exact:
            return exact
        return [each for each in self.letters if each.letter_id.startswith(ref) or each.request_id.startswith(ref)]


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a letter: sent as it came, asked for again by ``retry``, or left where it is."""

    how: Literal["send", "retry", "leave"]
    why: str


@dataclass(slots=True)
class Redriven:
    """One letter's end; `trouble` says what did not work, and then the letter is still there."""

    letter: Letter
    fate: Fate
    sent: bool = False
    deleted: bool = False
    trouble: str = ""

    def to_json(self) -> JsonObject:
        """Return a line of ``jada dlq redrive --json``."""
        return {
            "letter_id": self.letter.letter_id,
            "request_id": self.letter.request_id or None,
            "code": self.letter.code or None,
            "how": self.fate.how,
            "why": self.fate.why,
            "sent": self.sent,
            "deleted": self.deleted,
            "trouble": self.trouble or None,
        }


@asynccontextmanager
async def open_dead_letters(settings: Settings) -> AsyncIterator[DeadLetterBox]:
    """Open the settings' dead-letter queue. Raises: MisconfiguredError."""
    from jada_orchestrator.adapters.aws.clients import Connections, open_clients
    from jada_orchestrator.adapters.aws.dead_letters import SqsDeadLetters
    from jada_orchestrator.adapters.aws.sending import SqsSender
    from jada_orchestrator.adapters.aws.service import SqsService
    from jada_orchestrator.adapters.host.clock import SystemClock

    with configuration_checked():
        async with open_clients(Connections(functions=1, queues=_CONNECTIONS)) as clients:
            service = SqsService(clients.queues, polls=2, requests=_CONNECTIONS - 2)
            box = SqsDeadLetters(
                service,
                SqsSender(service),
                letters=settings.dead_letter_queue,
                requests=settings.request_queue,
                clock=SystemClock(),
                visibility_s=HIDDEN_S,
            )
            yield box
            await box.close()


@asynccontextmanager
async def looking(
    box: DeadLetterBox, limit: int, *, clock_s: Callable[[], float] = time.monotonic
) -> AsyncIterator[Look]:
    """Hold up to `limit` letters for as long as the context lasts, then give back those that are still in the look.

    Guarantees: given back in every case, also when cancelled; what could not be is told of in `still_hidden`.
    Raises: QueueError, when the queue cannot be read.
    """
    depth = await box.depth()
    look = Look([])
    try:
        await _take(box, look, min(limit, LETTERS_MAX), clock_s)
        if not look.partial and len(look.letters) < depth.visible:
            look.partial = f"the queue says that about {depth.visible} are there; it counts roughly, so look again"
        if not look.partial and depth.hidden:
            look.partial = f"about {depth.hidden} more are hidden: somebody else holds them, or they were held just now"
        yield look
    finally:
        await _give_back(box, look)


async def _give_back(box: DeadLetterBox, look: Look) -> None:
    if not look.letters:
        return
    try:
        await box.give_back([each.delivery for each in look.letters])
    except QueueError as error:
        look.still_hidden = f"letters that were looked at are hidden for {HIDDEN_S} s: {error}"


async def _take(box: DeadLetterBox, look: Look, limit: int, clock_s: Callable[[], float]) -> None:
    """Receive until an answer is empty, the limit is reached, or the time is over."""
    end = clock_s() + LOOK_S_MAX
    places: dict[str, int] = {}
    while True:
        room = limit - len(look.letters)
        if room <= 0:
            look.partial = f"it stopped at {limit}; --limit takes more"
            return
        if clock_s() >= end:
            look.partial = f"it stopped after {LOOK_S_MAX:.0f} s"
            return
        before = len(look.letters)
        for letter in map(letter_of, await box.receive(min(room, _BATCH))):
            place = places.setdefault(letter.letter_id, len(look.letters))
            look.letters[place : place + 1] = [letter]  # one that came again: only its last receipt settles it
        if len(look.letters) == before:
            return


def letter_of(delivery: Delivery) -> Letter:
    """Return a delivery read as a dead letter."""
    attributes = delivery.message.attributes
    code = attributes.get(REASON_CODE, "")
    original = original_of(delivery.message)
    body = _object_of(original.body)
    request_id = body.get("request_id")
    schema = body.get("schema")
    parsed = requests.parse(original, model="")
    kind: Kind
    match parsed:
        case RequestArrived():
            kind = "request"
        case RequestRefused():
            kind = "reply" if schema == _REPLY or code == _UNREADABLE_REPLY else "unreadable"
        case _:
            kind = "control"
    named = request_id if isinstance(request_id, str) and request_id.isprintable() else ""
    return Letter(delivery, original, code, attributes.get(REASON, ""), named[:128], kind)


async def fate_of(letter: Letter, reader: JournalReader | None) -> Fate:
    """Return what redriving a letter would do; without a reader of the store everything is sent as it came.

    Raises: JournalError.
    """
    if reader is None:
        return Fate("send", "sent as it came; the store was not asked")
    parsed = requests.parse(letter.original, model="")
    match parsed:
        case RequestArrived():
            return await _fate_of_request(parsed, reader)
        case RequestRefused():
            if letter.kind == "reply":
                return Fate("leave", "it is an agent's reply, not a request")
            faults = "; ".join(map(str, parsed.faults))
            return Fate("leave", f"it would be turned away again: {faults}")
        case _:
            return Fate("send", "a control message; it applies once its request is there")


async def _fate_of_request(arrived: RequestArrived, reader: JournalReader) -> Fate:
    stored = await reader.history(workflow_id_of(RequestId(arrived.request.request_id)))
    if stored is None:
        return Fate("send", "no booking has this request id yet; it begins as new")
    workflow = fold(stored.workflow_id, stored.entries)
    if workflow.digest != arrived.digest:
        return Fate("leave", "another request with this id was accepted, and stands; submit it under a new request_id")
    if workflow.quarantined is not None:
        return Fate("leave", "its booking was set aside: `jada show` says why, `jada release` lets it go on")
    status = workflow.status.value
    if not workflow.is_terminal:
        return Fate("send", f"its booking is {status}: it goes on by itself, and this changes nothing")
    if workflow.terminal == "completed":
        return Fate("send", "its booking is completed: only its outcome is told again")
    reason = may_retry(workflow)
    if reason is not None:
        return Fate("leave", f"its booking cannot go on: {reason}")
    return Fate("retry", f"its booking exists and is {status}: it is asked to try again")


async def redrive(
    box: DeadLetterBox, look: Look, chosen: Sequence[Letter], reader: JournalReader | None, *, by: str, dry_run: bool
) -> AsyncIterator[Redriven]:
    """Put letters back, a few at once, and yield what became of each; those that were deleted leave the look.

    What is to become of each is settled before the first is sent; trouble with one letter stops none of the others.
    Raises: JournalError, before anything was sent.
    """
    ends = [Redriven(letter, await fate_of(letter, reader)) for letter in chosen]
    for start in range(0, len(ends), _BATCH):
        batch = ends[start : start + _BATCH]
        moving = [] if dry_run else [each for each in batch if each.fate.how != "leave"]
        await asyncio.gather(*(_send(box, each, by) for each in moving))
        await _delete(box, look, [each for each in moving if each.sent])
        for each in batch:
            yield each


async def _send(box: DeadLetterBox, redriven: Redriven, by: str) -> None:
    letter = redriven.letter
    message = letter.original if redriven.fate.how == "send" else _retry_of(letter, by)
    once = hashlib.sha256(f"redrive\0{letter.letter_id}".encode()).hexdigest()
    try:
        await box.send(message, group=_tenant_of(letter), once=once)
    except QueueError as error:
        redriven.trouble = f"not sent: {error}"
    else:
        redriven.sent = True


async def _delete(box: DeadLetterBox, look: Look, sent: Sequence[Redriven]) -> None:
    if not sent:
        return
    try:
        await box.delete([each.letter.delivery for each in sent])
    except QueueError as error:
        for each in sent:
            each.trouble = f"sent, and may still be here (redriving it again is harmless): {error}"
        return
    for each in sent:
        each.deleted = True
    gone = {each.letter.letter_id for each in sent}
    look.letters = [each for each in look.letters if each.letter_id not in gone]


def by_code(letters: Iterable[Letter], codes: Iterable[str]) -> list[Letter]:
    """Return the letters with one of these reason codes, whatever their case."""
    wanted = {code.upper() for code in codes}
    return [each for each in letters if each.code.upper() in wanted]


def _retry_of(letter: Letter, by: str) -> Message:
    body = {"schema": "jada.control/1", "request_id": letter.request_id, "command": "retry", "by": by}
    return Message(json.dumps(body, separators=(",", ":")), {})


def _tenant_of(letter: Letter) -> str:
    tenant = _object_of(letter.original.body).get("tenant")
    return tenant if isinstance(tenant, str) and tenant else "default"


def _object_of(body: str) -> JsonObject:
    try:
        read: Json = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}
