"""A fleet: daemons that share a store, each behind a network of its own, so that each can be cut off alone."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from benchmarks.kill9_kit.daemon import Daemon, Line
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.testing.postgres_server import PostgresServer
from jada_orchestrator.testing.tcp_proxy import TcpProxy, Weather

LEASE_S: Final = 5.0
"""Half of the default, so that much happens in little time, and longer than a busy machine loads the model's SDK."""
GONE_AFTER_S: Final = LEASE_S * 1.2
"""After this without a word an instance may be ended."""
_SCHEMA: Final = "fleet"


class Ship:
    """One daemon and its way to the database."""

    def __init__(self, daemon: Daemon, proxy: TcpProxy) -> None:
        """Take both; nothing runs yet."""
        self.daemon = daemon
        self.proxy = proxy

    async def kill(self) -> None:
        """End it as a power cut would; it comes back when somebody starts it."""
        await self.daemon.kill()

    async def pause(self, seconds: float) -> None:
        """Stop it for a while, as a debugger or a machine that is moved does."""
        self.daemon.signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.daemon.signal(signal.SIGCONT)

    async def cut_off(self, seconds: float) -> None:
        """Drop everything between it and the database for a while; new connections are refused."""
        self.proxy.weather = Weather.SILENT
        await asyncio.sleep(seconds)
        self.proxy.weather = Weather.FINE
        self.proxy.cut()


class Fleet:
    """So many daemons on one database. As a context all of them are started, and none is left."""

    def __init__(self, folder: Path, server: PostgresServer, environment: Mapping[str, str], ships: int) -> None:
        """Take where to work and what the daemons need beside the store."""
        self.ships: list[Ship] = []
        self._folder = folder
        self._server = server
        self._environment = environment
        self._count = ships
        self._exits = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            for number in range(self._count):
                self.ships.append(await self._launch(number))
            await asyncio.gather(*(ship.daemon.ready() for ship in self.ships))
        except BaseException:
            await self._exits.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exits.aclose()

    async def _launch(self, number: int) -> Ship:
        proxy = await self._exits.enter_async_context(TcpProxy(self._server.port))
        folder = self._folder / f"ship-{number}"
        folder.mkdir(parents=True)
        own = {
            "JADA_STORE": f"{self._server.url(port=proxy.port)}?schema={_SCHEMA}&sslmode=disable",
            "JADA_LEASE": str(LEASE_S),
            "JADA_CONTROL_SOCKET": str(folder / "control.sock"),
        }
        daemon = await self._exits.enter_async_context(Daemon(folder, {**self._environment, **own}))
        return Ship(daemon, proxy)

    def owned(self) -> dict[int, int]:
        """Return how many unfinished bookings each live instance owns, by instance number."""
        owners = f"SELECT owner, count(*) FROM {_SCHEMA}.workflows WHERE NOT done AND status <> '' GROUP BY owner"  # noqa: S608 - a constant
        rows = [line.split("|") for line in self._server.sql(owners).splitlines()]
        return {int(owner): int(count) for owner, count in rows if owner}

    async def taken_over(self, since: float, *, but: Ship, within_s: float) -> float | None:
        """Return how long after `since` another ship first took something over; None when none did in time."""

        def look() -> float | None:
            times = [
                seen_at - since
                for ship in self.ships
                if ship is not but
                for line, seen_at in zip(ship.daemon.lines, ship.daemon.seen_at, strict=True)
                if _is_takeover(line) and seen_at >= since
            ]
            return min(times, default=None)

        try:
            return await until(look, "somebody takes over", within_s=within_s)
        except AssertionError:
            return None

    async def stop(self) -> list[int]:
        """Ask all of them to end at the same time, and return their exit statuses."""
        return list(await asyncio.gather(*(ship.daemon.stop() for ship in self.ships)))


def _is_takeover(line: Line) -> bool:
    return bool(line["jada_event"] == "workflows.claimed")


def now() -> float:
    """Return the clock by which lines of the log are noted."""
    return time.monotonic()
