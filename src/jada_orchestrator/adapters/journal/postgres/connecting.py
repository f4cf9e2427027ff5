"""One connection to the database: made when it is needed, made again after it was lost, used by one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import asyncpg

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.postgres.complaints import journal_error_of
from jada_orchestrator.ports.journal import JournalError, JournalUnavailableError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the database is waited for, in seconds."""

    connect_s: float = 5.0
    statement_s: float = 15.0
    """The server gives a statement up after this: then it certainly did nothing."""
    answer_s: float = 20.0
    """A server that has not even given up by then cannot be reached any more."""


_CLOSE_TIMEOUT_S: Final = 2.0

_TROUBLE: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, EOFError)
"""Whatever asyncpg raises when a server misbehaves or is not there."""


class Link:
    """A connection that mends itself. `begin` is run on every new one before it is used; it may raise JournalError."""

    def __init__(
        self,
        address: Address,
        purpose: str,
        begin: Callable[[Connection], Awaitable[None]] | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Connect to nothing yet. `purpose` is seen in ``pg_stat_activity`` (application_name)."""
        self._address = address
        self._purpose = purpose
        self._begin = begin
        self._patience = patience or Patience()
        self._connection: Connection | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    @asynccontextmanager
    async def use(self, *, committing: bool = False) -> AsyncIterator[Connection]:
        """Lend the connection, in the order in which it was asked for.

        Guarantees: after whatever goes wrong, or when cancelled, the next one to ask gets a sound connection.
        Raises: JournalUnavailableError, JournalAmbiguousError (if `committing`), JournalCorruptError.
        """
        async with self._turn:
            connection = await self._ready()
            try:
                yield connection
            except JournalError:
                raise
            except _TROUBLE as error:
                if connection.is_closed() or not _session_goes_on(error):
                    self._drop()
                raise journal_error_of(self._address, error, committing=committing) from error
            except BaseException:
                self._drop()  # cancelled in the middle of a statement, perhaps: nobody knows what it still says
                raise

    async def close(self) -> None:
        """Close the connection, after whoever uses it, for good. May be called twice."""
        self._closed = True
        await self.disconnect()

    async def disconnect(self) -> None:
        """Close the connection, after whoever uses it; the next one to ask makes a new one."""
        async with self._turn:
            connection, self._connection = self._connection, None
            if connection is not None:
                with suppress(*_TROUBLE):
                    await connection.close(timeout=_CLOSE_TIMEOUT_S)

    async def _ready(self) -> Connection:
        if self._closed:
            raise JournalUnavailableError(f"the store {self._address} was closed")
        if self._connection is not None and self._connection.is_closed():
            self._connection = None
        if self._connection is None:
            try:
                connection = await self._connect()
            except _TROUBLE as error:
                raise journal_error_of(self._address, error) from error
            try:
                if self._begin is not None:
                    await self._begin(connection)
            except _TROUBLE as error:
                connection.terminate()
                raise journal_error_of(self._address, error) from error
            except BaseException:
                connection.terminate()
                raise
            self._connection = connection
        return self._connection

    async def _connect(self) -> Connection:
        patience = self._patience
        try:
            return await asyncpg.connect(
                self._address.dsn,
                timeout=patience.connect_s,
                command_timeout=patience.answer_s,
                server_settings={
                    "application_name": f"jada {self._purpose}",
                    "search_path": self._address.schema,
                    "statement_timeout": f"{patience.statement_s * 1_000:.0f}",
                    "idle_in_transaction_session_timeout": f"{patience.answer_s * 1_000:.0f}",
                    "default_transaction_isolation": "read committed",
                    "timezone": "UTC",
                },
            )
        except ValueError as error:  # a part of the URL that asyncpg does not take
            raise JournalUnavailableError(f"the store's URL cannot be used: {error}") from error

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


async def fetch(connection: Connection, statement: str, *arguments: Any) -> list[tuple[Any, ...]]:  # noqa: ANN401 - whatever columns hold
    """Return the rows of a statement as plain tuples. Raises: what asyncpg raises."""
    return [tuple(row) for row in await connection.fetch(statement, *arguments)]


def _session_goes_on(error: BaseException) -> bool:
    """Tell whether the server told an error and waits for the next statement."""
    return isinstance(error, asyncpg.PostgresError) and not (error.sqlstate or "08").startswith(("08", "57P"))
