"""Leases, owners and handed-over messages on PostgreSQL: `ports.ownership` with one connection of its own.

The rules are in the functions `take_1` and `claim_1` of the schema, where one transaction sees them through. An
instance's number is its epoch: a commit needs its row unended and holds its lock (FOR KEY SHARE) until it is durable;
a renewal does not touch that lock, and ending it waits for it (FOR UPDATE), or comes another time.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg

from jada_orchestrator import __version__
from jada_orchestrator.adapters.journal.postgres import statements
from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.connecting import Connection, Link, Patience, fetch
from jada_orchestrator.adapters.journal.postgres.mailbox import PostgresMailbox
from jada_orchestrator.adapters.journal.postgres.reading import StoreReading
from jada_orchestrator.adapters.journal.postgres.schema import migrate
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.ports.journal import JournalLeaseLostError, JournalUnavailableError, Stored
from jada_orchestrator.ports.ownership import Renewed, Taken, Wanted

_LEAVE_S: Final = 3.0
"""A store that is silent is not waited for by a process that ends."""

FORGOTTEN_AT_ONCE: Final = 100
"""Instances that are forgotten in one transaction."""

_INSTANCE_ENDED: Final = "JA001"
"""The SQLSTATE that the schema's functions raise for it."""


@dataclass(frozen=True, slots=True)
class LeaseTerms:
    """How long an instance is believed to live without a word from it.

    `margin_ms` is waited on top before another one may begin: clocks tick at rates that differ by less than a
    thousandth, and a process needs a moment to stop.
    """

    lease_ms: int = 10_000
    margin_ms: int = 2_000

    @classmethod
    def of(cls, lease_ms: int) -> LeaseTerms:
        """Return the terms for a lease: a fifth of it on top, as with the default."""
        return cls(lease_ms, lease_ms // 5)


class PostgresOwnership:
    """One instance. `join` begins it, `leave` ends it; `ports.ownership.Ownership` says what the rest promises."""

    def __init__(
        self,
        address: Address,
        reading: StoreReading,
        terms: LeaseTerms,
        patience: Patience | None,
        forget: Callable[[Iterable[WorkflowId]], None],
        reads: int,
    ) -> None:
        """Connect to nothing yet. `reading` answers for the entries of what is taken.

        `forget` is told of workflows that are given up: others will write to them. `reads` is the newest format of
        records that this program reads.
        """
        self.reads = reads
        self._forget = forget
        self.number = 0
        """0 before `join`."""
        self._address = address
        self._reading = reading
        self._terms = terms
        self._link = Link(address, "ownership", self._prepare, patience)
        self._claims_told = asyncio.Event()
        self._templates_told = asyncio.Event()
        self._claiming = asyncio.Lock()
        self._in_doubt = False
        """A claim was made, and its answer, or what was claimed, did not come: the next one names all that is ours."""
        self.requests = PostgresMailbox(self._link, address, "request", self)
        self.replies = PostgresMailbox(self._link, address, "reply", self)

    @property
    def lease_ms(self) -> int:
        """How long a renewal is good for; see `Ownership.lease_ms`."""
        return self._terms.lease_ms

    async def join(self) -> None:
        """Bring the tables up to date and begin an instance, the lease of which begins now. Raises: JournalError."""
        try:
            async with self._link.use() as connection:
                await migrate(self._address, connection)
                holder = f"{os.getpid()} on {socket.gethostname()}"
                self.number = await connection.fetchval(statements.JOIN, holder, __version__, self._lease, self.reads)
                await self._listen(connection)
                self._templates_told.clear()  # they are yet to be read for the first time
        except BaseException:
            await self._link.disconnect()
            raise

    async def leave(self) -> None:
        """End the instance: what it owns may be claimed at once. May be called twice; a lost store is left alone."""
        if self.number:
            try:
                async with asyncio.timeout(_LEAVE_S), self._link.use() as connection:
                    await connection.execute(statements.LEAVE, self.number)
                    await connection.execute(statements.NOTIFY, self.channel, "claims")
            except (JournalUnavailableError, TimeoutError):
                pass  # the lease runs out by itself
        await self._link.close()

    def elapsed_s(self) -> float:
        """Return seconds of CLOCK_BOOTTIME, which no pause stops; see `Ownership.elapsed_s`."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def renew(self) -> Renewed:
        """Hold the lease for longer; see `Ownership.renew`."""
        async with self._link.use() as connection:
            row = await connection.fetchrow(statements.RENEW, self.number, self._lease, self._margin)
        if row is None:
            raise self.superseded()
        if row[1]:
            self.requests.wake()
            self.replies.wake()
        return Renewed(unclaimed=row[0], mail=row[1])

    async def take(self, wanted: Sequence[Wanted]) -> Taken:
        """Make those workflows ours that nobody owns; see `Ownership.take`."""
        ids = [each.workflow_id for each in wanted]
        begins = [each.may_begin for each in wanted]
        keys = [None if each.ordering_key is None else statements.storable(each.ordering_key) for each in wanted]
        rows = await self._ask(statements.TAKE, self.number, ids, begins, keys)
        ours = [WorkflowId(row[0]) for row in rows if row[2] == self.number and not row[3]]
        elsewhere = frozenset(WorkflowId(row[0]) for row in rows if row[2] != self.number)
        return Taken(await self._reading.load(ours) if ours else {}, elsewhere)

    async def reserve(self, connection: Connection, ids: Sequence[tuple[WorkflowId, str | None]]) -> None:
        """Take ids that are appended to without having been taken. Raises: JournalLeaseLostError (another's)."""
        keys = [None if key is None else statements.storable(key) for _, key in ids]
        begins = [True] * len(ids)
        with self.ended_told():
            rows = await fetch(connection, statements.TAKE, self.number, [id_ for id_, _ in ids], begins, keys)
        if any(owner != self.number for _, _, owner, _ in rows):
            raise self.superseded()

    async def claim(self, workflows_max: int) -> Sequence[Stored]:
        """Make workflows ours whose owner has ended; see `Ownership.claim`."""
        async with self._claiming:
            if self._in_doubt:
                rows = await self._ask(statements.NUMBERS_OWNED, self.number)
            else:
                self._in_doubt = True
                rows = await self._ask(statements.CLAIM, self.number, self._margin, workflows_max)
            claimed = await self._reading.by_numbers([row[0] for row in rows]) if rows else []
            self._in_doubt = False
            return claimed

    async def left(self) -> int:
        """Count what only newer programs can take up; see `Ownership.left`."""
        [(count,)] = await self._ask(statements.LEFT, self.reads)
        return int(count)

    async def release(self, workflows: Sequence[WorkflowId]) -> None:
        """Give workflows up; see `Ownership.release`."""
        self._forget(workflows)
        holder = f"given up by instance {self.number}"
        async with self._link.use(committing=True) as connection:
            row = await connection.fetchrow(
                statements.RELEASE, self.number, list(workflows), holder, __version__, self.channel
            )
        if row is None or not row[0]:
            raise self.superseded()

    async def share_spending(self, day: int, spent: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        """Tell what was spent here, and learn what was elsewhere; see `Ownership.share_spending`."""
        tenants = [statements.storable(tenant) for tenant in spent]
        rows = await self._ask(statements.SHARE_SPENDING, day, self.number, tenants, list(spent.values()))
        return dict(rows)

    async def forget_ended(self, kept_ms: int, spending_since: int) -> int:
        """Forget instances that ended long ago; see `Ownership.forget_ended`."""
        kept = timedelta(milliseconds=kept_ms)
        [(count,)] = await self._ask(statements.FORGET, self.number, kept, spending_since, FORGOTTEN_AT_ONCE)
        return int(count)

    async def woken(self) -> None:
        """Return when another instance has left; see `Ownership.woken`."""
        await self._claims_told.wait()
        self._claims_told.clear()

    async def templates_told(self) -> None:
        """Return when templates may have changed; see `Ownership.templates_told`."""
        await self._templates_told.wait()
        self._templates_told.clear()

    # ----------------------------------------------------------------------------------------------------------- inside

    @property
    def channel(self) -> str:
        """The name under which instances of this store notify one another."""
        return f"jada_{self._address.schema}"

    def superseded(self) -> JournalLeaseLostError:
        """Return the error for an instance that has been ended."""
        return JournalLeaseLostError(
            f"instance {self.number} of the store {self._address} has ended: its lease ran out, and others may have "
            "taken over what it owned. Nothing more may be done by it"
        )

    @property
    def _lease(self) -> timedelta:
        return timedelta(milliseconds=self._terms.lease_ms)

    @property
    def _margin(self) -> timedelta:
        return timedelta(milliseconds=self._terms.margin_ms)

    async def _ask(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        async with self._link.use() as connection:
            with self.ended_told():
                return await fetch(connection, statement, *arguments)

    @contextmanager
    def ended_told(self) -> Iterator[None]:
        """Turn what the schema's functions say of an instance that has ended into the port's error."""
        try:
            yield
        except asyncpg.PostgresError as error:
            if error.sqlstate == _INSTANCE_ENDED:
                raise self.superseded() from error
            raise

    async def _prepare(self, connection: Connection) -> None:
        """On every connection: handed-over messages are durable, and once the instance has begun, it hears of them."""
        await connection.execute(statements.WAIT_FOR_DISK)
        await self._listen(connection)

    async def _listen(self, connection: Connection) -> None:
        """Hear of mail and of what may be claimed, once the instance has begun."""
        if self.number:
            await connection.add_listener(self.channel, self._told)
            self._templates_told.set()  # what was said while there was no connection was not heard

    def _told(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == "claims":
            self._claims_told.set()
        elif payload == "templates":
            self._templates_told.set()
        else:
            self.requests.wake()
            self.replies.wake()
