"""Intake: messages become events, and are deleted only once what they led to is durable.

Several receivers poll each queue; none receives more than can be admitted. Deletes are gathered and made in batches.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import assert_never

from jada_orchestrator.capacity.descriptors import admissible
from jada_orchestrator.domain.documents import digest_of_text
from jada_orchestrator.domain.events import ControlArrived, ReplyArrived, RequestArrived, RequestRefused
from jada_orchestrator.domain.faults import Failure, Fault
from jada_orchestrator.domain.ids import WorkflowId, refused_workflow_id_of, workflow_id_of
from jada_orchestrator.domain.limits import UNPLANNED_WHILE_STOPPED_MAX
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.ports.ownership import MailKind, Wanted
from jada_orchestrator.ports.queues import AgentReply, Delivery, MessageSource, QueueError, UnreadableReply
from jada_orchestrator.runtime.inbox import Inbox, Item, Receipt
from jada_orchestrator.runtime.ownership import wanted_for
from jada_orchestrator.runtime.turn import Turns
from jada_orchestrator.runtime.world import Tunables, World

_RECEIVE_MAX = 10
"""SQS gives at most ten messages at once."""
_QUEUE_RETRY_FIRST_S = 0.5
_QUEUE_RETRY_MAX_S = 15.0
_NO_ROOM_PAUSE_S = 0.05
_GIVE_BACK_MS = 2_000
_OUTSIDE_FIRST_MS = 120_000
_OUTSIDE_MAX_MS = 11 * 3_600_000
"""A little under the most that SQS hides a message (12 hours from its receipt)."""
_GIVE_UP_AFTER_RECEIVES = 5
"""A control message whose request never came, or a request that makes us fail, is a dead letter after so many tries."""


class Settler:
    """Deletes and gives back messages, in batches, behind the turn's back."""

    def __init__(self, world: World, source: MessageSource) -> None:
        """Settle messages of one queue."""
        self._world = world
        self._source = source
        self._delete: list[Delivery] = []
        self._arrived = asyncio.Event()
        self._busy = False

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be settled."""
        return not self._delete and not self._busy

    async def give_back(self, delivery: Delivery, after_ms: int) -> None:
        """Let a message come again. Raises: QueueError."""
        await self._source.give_back([delivery], after_ms=after_ms)

    def delete(self, delivery: Delivery) -> None:
        """Have a message deleted soon. One that cannot be deleted comes again and is known by then."""
        self._delete.append(delivery)
        self._arrived.set()

    async def run(self) -> None:
        """Settle for ever; cancelled at the end, after `drained`."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            batch, self._delete = self._delete, []
            self._busy = True
            try:
                await self._source.delete(batch)
            except QueueError as error:
                self._world.log.emit(
                    "warning", "message.not_deleted", f"{len(batch)} messages will come again: {error}"
                )
            finally:
                self._busy = False


class Receivers:
    """The receivers of one queue."""

    def __init__(
        self,
        world: World,
        source: MessageSource,
        name: str,
        room: Callable[[], int],
        accept: Callable[[Delivery], None],
    ) -> None:
        """Receive while there is `room`, and hand each delivery to `accept`."""
        self._world = world
        self._source = source
        self._name = name
        self._room = room
        self._accept = accept
        self._reserved = 0
        """What receivers of this queue have asked for and not yet got: several at once must not overrun the room."""
        self._failing = False

    async def run(self) -> None:
        """Receive for ever; cancelled to stop."""
        tries = 0
        while True:
            wanted = min(_RECEIVE_MAX, self._room() - self._reserved)
            if wanted <= 0:
                await asyncio.sleep(_NO_ROOM_PAUSE_S)
                continue
            self._reserved += wanted
            try:
                deliveries = await self._source.receive(wanted)
            except QueueError as error:
                tries += 1
                self._complain(error)
                await asyncio.sleep(min(_QUEUE_RETRY_FIRST_S * 2 ** min(tries, 10), _QUEUE_RETRY_MAX_S))
                continue
            finally:
                self._reserved -= wanted
            tries = 0
            self._relieved()
            for delivery in deliveries:
                self._take(delivery)

    def _take(self, delivery: Delivery) -> None:
        try:
            self._accept(delivery)
        except Exception:  # noqa: BLE001 - one message that makes us fail must not keep the others from being received
            self._world.log.emit(
                "critical",
                "message.unacceptable",
                f"A message from {self._name} cannot even be read, and is left to its queue: {traceback.format_exc()}",
            )

    def _complain(self, error: QueueError) -> None:
        if not self._failing:
            self._failing = True
            self._world.log.emit("error", "queue.unreachable", f"Nothing can be received from {self._name}: {error}")

    def _relieved(self) -> None:
        if self._failing:
            self._failing = False
            self._world.log.emit("warning", "queue.reachable", f"Receiving from {self._name} again")


class Intake:
    """Everything that comes in by queues."""

    def __init__(self, world: World, tunables: Callable[[], Tunables], inbox: Inbox, turns: Turns) -> None:
        """Feed the inbox; `tunables` are asked for as they are now."""
        self._world = world
        self._tunables = tunables
        self._inbox = inbox
        self._turns = turns
        self._request_settler = Settler(world, world.requests)
        self._reply_settler = Settler(world, world.replies)
        ownership = world.ownership
        self._mailed_requests = None if ownership is None else Settler(world, ownership.requests)
        self._mailed_replies = None if ownership is None else Settler(world, ownership.replies)
        self._undecided = 0
        self._short_of_files = False
        self._side_work: set[asyncio.Task[None]] = set()

    @property
    def idle(self) -> bool:
        """Whether every message that came in is decided and settled."""
        return self._undecided == 0 and all(settler.idle for settler in self.settlers()) and not self._side_work

    def request_receivers(self) -> Receivers:
        """Return what receives requests; run it as often as there are to be receivers."""
        accept = partial(self._request, settler=self._request_settler)
        return Receivers(self._world, self._world.requests, "the request queue", self._request_room, accept)

    def reply_receivers(self) -> Receivers:
        """Return what receives replies. Replies end work and make room, so only the inbox bounds them."""
        accept = partial(self._reply, settler=self._reply_settler)
        return Receivers(self._world, self._world.replies, "the reply queue", lambda: self._inbox.room, accept)

    def mail_receivers(self) -> tuple[list[Receivers], list[Receivers]]:
        """Return what receives requests, and what receives replies, that other instances handed over; run each once."""
        ownership, requests, replies = self._world.ownership, self._mailed_requests, self._mailed_replies
        if ownership is None or requests is None or replies is None:
            return [], []
        world = self._world
        request, reply = partial(self._request, settler=requests), partial(self._reply, settler=replies)
        return (
            [Receivers(world, ownership.requests, "the mailbox of requests", self._request_room, request)],
            [Receivers(world, ownership.replies, "the mailbox of replies", lambda: self._inbox.room, reply)],
        )

    def settlers(self) -> list[Settler]:
        """Return what settles messages; run each once."""
        mailed = [settler for settler in (self._mailed_requests, self._mailed_replies) if settler is not None]
        return [self._request_settler, self._reply_settler, *mailed]

    def _request_room(self) -> int:
        if self._turns.health.store_trouble is not None:
            return 0
        to_admit = self._turns.room - self._undecided - len(self._side_work)
        return min(self._inbox.room_for_new_work, to_admit, self._room_by_files())

    def _holds_enough_unplanned(self) -> bool:
        """Tell whether planning is stopped, and as many bookings wait for it in here as may: the rest stay outside."""
        if self._world.planning.stopped() is None:
            return False
        unplanned = self._turns.count(Status.PLANNING) + self._turns.count(Status.ACCEPTED)
        return unplanned + self._undecided >= UNPLANNED_WHILE_STOPPED_MAX

    def _room_by_files(self) -> int:
        """Slow down before the process runs out of descriptors, and say when that begins and ends."""
        tunables = self._tunables()
        if tunables.files_open is None:
            return self._inbox.room
        in_use = tunables.files_open()
        room = admissible(tunables.files_max, in_use)
        if (room == 0) is not self._short_of_files:
            self._short_of_files = room == 0
            if self._short_of_files:
                message = (
                    f"{in_use} of {tunables.files_max} files are open: no requests are taken in until some are closed. "
                    "Raise LimitNOFILE in the unit file, or lower `connections` in the settings"
                )
                self._world.log.emit("error", "descriptors.short", message, open=in_use, limit=tunables.files_max)
            else:
                self._world.log.emit("warning", "descriptors.enough", f"{in_use} files are open: requests are taken in")
        return room

    # --- Requests and control messages ----------------------------------------------------------------------------

    def _request(self, delivery: Delivery, settler: Settler) -> None:
        parsed = self._world.wire.parse_request(delivery.message, self._tunables().model)
        match parsed:
            case RequestArrived() if self._holds_enough_unplanned():
                self._aside(self._stay_outside(delivery, settler))
            case RequestArrived():
                parsed = _with_models(parsed, self._tunables())
                reply_to = parsed.request.reply_to
                if reply_to is not None and reply_to not in self._tunables().reply_to_allowed:
                    self._put_refused(_not_allowed(parsed, reply_to), delivery, settler)
                else:
                    self._put(workflow_id_of(parsed.request.request_id), parsed, delivery, settler)
            case RequestRefused():
                if parsed.reply_to is not None and parsed.reply_to not in self._tunables().reply_to_allowed:
                    parsed = _without_reply_to(parsed)
                self._put_refused(parsed, delivery, settler)
            case (request_id, control):
                self._put(workflow_id_of(request_id), control, delivery, settler)

    def _put_refused(self, refused: RequestRefused, delivery: Delivery, settler: Settler) -> None:
        source = f"{delivery.message_id}\x00{delivery.message.body}"
        self._put(refused_workflow_id_of(digest_of_text(source)), refused, delivery, settler)

    def _put(
        self,
        workflow_id: WorkflowId,
        event: RequestArrived | RequestRefused | ControlArrived,
        delivery: Delivery,
        settler: Settler,
    ) -> None:
        self._undecided += 1

        def settle(receipt: Receipt) -> None:
            self._undecided -= 1
            match receipt:
                case Receipt.DURABLE:
                    settler.delete(delivery)
                case Receipt.ELSEWHERE:
                    self._aside(self._hand_over("request", wanted_for(workflow_id, event), delivery, settler))
                case Receipt.UNKNOWN_WORKFLOW | Receipt.QUARANTINED:
                    self._aside(self._not_taken(delivery, receipt, settler))
                case _:
                    assert_never(receipt)

        self._inbox.put(Item(workflow_id, event, settle))

    def _aside(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._side_work.add(task)
        task.add_done_callback(self._side_work.discard)

    async def _hand_over(self, kind: MailKind, wanted: Wanted, delivery: Delivery, settler: Settler) -> None:
        """Give a message to the instance whose workflow it is about; it is deleted here once it lies in the store."""
        ownership = self._world.ownership
        assert ownership is not None, "without others nothing is elsewhere"
        try:
            if settler in {self._mailed_requests, self._mailed_replies}:
                await settler.give_back(delivery, _GIVE_BACK_MS)  # its workflow has moved meanwhile
                return
            mailbox = ownership.requests if kind == "request" else ownership.replies
            await mailbox.put(delivery, wanted.workflow_id, wanted.ordering_key)
            settler.delete(delivery)
        except QueueError as error:
            self._world.log.emit("warning", "message.not_settled", f"The message will come again by itself: {error}")

    async def _stay_outside(self, delivery: Delivery, settler: Settler) -> None:
        """Let a request wait in its queue, out of the way of the control messages that come by the same queue.

        It comes again after as long as it has waited so far, or a day's planning would cost it more receives than its
        queue allows before it is a dead letter (ten: the last one after more than a day).
        """
        after_ms = min(_OUTSIDE_FIRST_MS << min(delivery.receive_count - 1, 20), _OUTSIDE_MAX_MS)
        try:
            await settler.give_back(delivery, after_ms)
        except QueueError as error:
            self._world.log.emit("warning", "message.not_settled", f"The message will come again by itself: {error}")

    async def _not_taken(self, delivery: Delivery, receipt: Receipt, settler: Settler) -> None:
        """Let a message come again: what it needs may be on its way; after a few times it is a dead letter."""
        try:
            if delivery.receive_count < _GIVE_UP_AFTER_RECEIVES:
                await settler.give_back(delivery, _GIVE_BACK_MS * delivery.receive_count)
                return
            unknown = receipt is Receipt.UNKNOWN_WORKFLOW
            failure = (
                Failure("CONTROL_UNMATCHED", "no request with this id ever came")
                if unknown
                else Failure("LAW_BROKEN", "deciding this message failed; the log has the story")
            )
            self._world.log.emit("error", "message.dead_letter", f"Given up: {failure.message}", code=failure.code)
            await self._world.outcomes.dead_letter(delivery.letter, failure)
            settler.delete(delivery)
        except QueueError as error:
            self._world.log.emit("warning", "message.not_settled", f"The message will come again by itself: {error}")

    # --- Replies --------------------------------------------------------------------------------------------------

    def _reply(self, delivery: Delivery, settler: Settler) -> None:
        parsed = self._world.wire.parse_reply(delivery.message.body)
        if isinstance(parsed, UnreadableReply):
            self._aside(self._unreadable_reply(delivery, parsed, settler))
            return
        self._put_reply(parsed, delivery, settler)

    def _put_reply(self, reply: AgentReply, delivery: Delivery, settler: Settler) -> None:
        self._undecided += 1
        event = ReplyArrived(reply.task_id, reply.attempt, reply.idempotency_key, reply.result, reply.usage)

        def settle(receipt: Receipt) -> None:
            self._undecided -= 1
            if receipt is Receipt.ELSEWHERE:
                self._aside(self._hand_over("reply", Wanted(reply.workflow_id), delivery, settler))
                return
            if receipt is not Receipt.DURABLE:
                is_there = receipt is Receipt.QUARANTINED
                self._world.log.emit(
                    "warning",
                    "reply.unmatched",
                    "A reply is not taken: its workflow is set aside, and asks after the call once it is released"
                    if is_there
                    else "A reply came for a workflow that is not there",
                    workflow_id=reply.workflow_id,
                    task_id=reply.task_id,
                )
            settler.delete(delivery)

        self._inbox.put(Item(reply.workflow_id, event, settle))

    async def _unreadable_reply(self, delivery: Delivery, reply: UnreadableReply, settler: Settler) -> None:
        self._world.log.emit(
            "error", "reply.unreadable", f"A message on the reply queue is no reply: {reply.failure.message}"
        )
        try:
            await self._world.outcomes.dead_letter(delivery.letter, reply.failure)
            settler.delete(delivery)
        except QueueError as error:
            self._world.log.emit("warning", "message.not_settled", f"The message will come again by itself: {error}")


def _with_models(arrived: RequestArrived, tunables: Tunables) -> RequestArrived:
    """Return the request with the ladder of models that it keeps."""
    models = tunables.models_of(arrived.request) if tunables.models_of is not None else ()
    return replace(arrived, model=models[0], models=models) if models else arrived


def _not_allowed(arrived: RequestArrived, reply_to: str) -> RequestRefused:
    message = f"{reply_to!r} is not on the operator's list of reply queues (JADA_REPLY_TO_ALLOWED)"
    return RequestRefused(
        request_id=arrived.request.request_id,
        tenant=arrived.request.tenant,
        reply_to=None,
        code="REPLY_TO_NOT_ALLOWED",
        faults=(Fault("REPLY_TO_NOT_ALLOWED", "reply_to", message),),
        message=arrived.message,
    )


def _without_reply_to(refused: RequestRefused) -> RequestRefused:
    """Return a refusal whose outcome goes to the default queue: its own is not on the operator's list."""
    return replace(refused, reply_to=None)
