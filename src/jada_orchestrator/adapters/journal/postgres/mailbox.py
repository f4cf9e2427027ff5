"""Messages that another instance received, in a table: `ports.ownership.Mailbox` on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Final, Protocol

from jada_orchestrator.adapters.journal.postgres import statements
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.connecting import Link, fetch
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.journal import JournalError
from jada_orchestrator.ports.ownership import MailKind
from jada_orchestrator.ports.queues import Delivery, QueueError

_RECEIVE_MAX: Final = 10
_WAIT_S: Final = 20.0
"""As long as a poll of SQS; it costs the database nothing."""


class Recipient(Protocol):
    """Whose mailbox it is."""

    @property
    def number(self) -> int:
        """The instance's number."""

    @property
    def reads(self) -> int:
        """The newest format of records that the instance reads."""

    @property
    def channel(self) -> str:
        """Where mail is announced."""


class PostgresMailbox:
    """One kind of mail. A message in hand is not received again here; it lies in the table until it is deleted."""

    def __init__(self, link: Link, address: Address, kind: MailKind, recipient: Recipient) -> None:
        """Use the owner's connection."""
        self._link = link
        self._address = address
        self._kind = kind
        self._recipient = recipient
        self._in_hand: set[int] = set()
        self._told = asyncio.Event()

    def wake(self) -> None:
        """Have the table looked at: there may be mail."""
        self._told.set()

    async def put(self, delivery: Delivery, workflow_id: WorkflowId, ordering_key: str | None) -> None:
        """Hand a message over; see `Mailbox.put`."""
        message = delivery.message
        row = (
            self._kind,
            workflow_id,
            None if ordering_key is None else statements.storable(ordering_key),
            json.dumps(message.body),
            json.dumps(message.attributes),
            statements.storable(delivery.message_id),
            delivery.receive_count,
        )
        try:
            async with self._link.use(committing=True) as connection:
                await connection.execute(statements.PUT_MAIL, *row, self._recipient.channel)
        except JournalError as error:
            raise QueueError(f"a message could not be handed over: {error}") from error

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait until there may be mail, and return what is ours; see `MessageSource.receive`."""
        try:
            async with asyncio.timeout(_WAIT_S):
                await self._told.wait()
        except TimeoutError:
            return []
        self._told.clear()
        wanted = min(messages_max, _RECEIVE_MAX)
        asked = (self._recipient.number, self._kind, sorted(self._in_hand), wanted, self._recipient.reads)
        try:
            async with self._link.use() as connection:
                rows = await fetch(connection, statements.GET_MAIL, *asked)
        except JournalError as error:
            self._told.set()
            raise QueueError(f"the mailbox cannot be read: {error}") from error
        if len(rows) == wanted:
            self._told.set()  # there may be more
        self._in_hand.update(row[0] for row in rows)
        return [
            Delivery(Message(json.loads(body), json.loads(attributes)), str(id_), message_id, receive_count, age_ms)
            for id_, body, attributes, message_id, receive_count, age_ms in rows
        ]

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages out of the store; see `MessageSource.delete`."""
        ids = [int(delivery.handle) for delivery in deliveries]
        try:
            async with self._link.use(committing=True) as connection:
                await connection.execute(statements.DELETE_MAIL, ids)
        except JournalError as error:
            raise QueueError(f"mail could not be deleted: {error}") from error
        finally:
            self._in_hand.difference_update(ids)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Let messages be received again, by whoever owns their workflow then; see `MessageSource.give_back`."""
        ids = [int(delivery.handle) for delivery in deliveries]
        loop = asyncio.get_running_loop()

        def again() -> None:
            self._in_hand.difference_update(ids)
            self._told.set()

        try:
            async with self._link.use(committing=True) as connection:
                await connection.execute(statements.COUNT_MAIL, ids)
        except JournalError as error:
            raise QueueError(f"mail could not be given back: {error}") from error
        finally:
            loop.call_later(after_ms / 1_000, again) if after_ms else again()

    async def close(self) -> None:
        """Do nothing: the connection is the owner's."""
