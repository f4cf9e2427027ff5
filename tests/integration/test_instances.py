"""Three real daemons on one PostgreSQL: what befalls them loses, doubles and half-makes nothing."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from benchmarks.instances_kit.troubling import trouble
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind
from jada_orchestrator.testing.postgres_server import PostgresServer
from jada_orchestrator.testing.tcp_proxy import TcpProxy, Weather
from tests.integration.surroundings import Surroundings, a_request, run_command

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]


async def test_a_fleet_bears_what_befalls_it(tmp_path: Path, postgres_server: PostgresServer) -> None:
    """A kill, a pause beyond the lease, a crashed database, a cut network: every booking ends once and whole."""
    postgres_server.sql("DROP SCHEMA IF EXISTS fleet CASCADE")
    found = await trouble(tmp_path, postgres_server, 4, seed=11, only=10, kinds=("kill", "pause", "crash", "cut"))
    assert found.verdict.lost == []
    assert found.verdict.doubled == []
    assert found.verdict.half_made == []
    assert found.verdict.unexplained == []
    assert found.on_the_way == []
    assert any(not how.startswith("completed") for how in found.verdict.outcomes), "what was ordered was met"
    assert sum(found.verdict.outcomes.values()) == found.submitted == 10
    assert sum(found.troubles.values()) == 4
    assert found.rejoined >= 1, "what was paused or cut off noticed, and began anew"


async def test_an_idle_instance_asks_little(tmp_path: Path, around: Surroundings) -> None:
    """With nothing to do, an instance renews its lease three times in its length, and asks nothing else."""
    lease_s = 6
    with PostgresServer(settings={"log_statement": "all"}) as server:
        own = {"JADA_STORE": server.url(), "JADA_LEASE": str(lease_s)}
        async with around.daemon({**own, "JADA_CONTROL_SOCKET": str(tmp_path / "control.sock")}) as daemon:
            await daemon.ready()

            def asked() -> int:
                told = (server.folder / "log").read_text(encoding="utf-8", errors="replace")
                return told.count("LOG:  execute ") + told.count("LOG:  statement: ")

            started = asked()
            await until(lambda: asked() >= started + 2, "it has started and renews")  # what a start does is not idle
            before, began = asked(), time.monotonic()
            await until(lambda: time.monotonic() - began >= lease_s, "a lease has passed")
            assert 2 <= asked() - before <= 4, (server.folder / "log").read_text(encoding="utf-8")
            listed = await run_command(around, server.url(), "instances", "--json")
            [only] = json.loads(listed)
            assert (only["state"], only["bookings"]) == ("alive", 0)
            assert await daemon.stop() == 0
        [only] = json.loads(await run_command(around, server.url(), "instances", "--json"))
        assert only["state"] == "drained"


async def test_asked_to_stop_it_stops_also_without_its_lease(
    alone: Surroundings, postgres_server: PostgresServer
) -> None:
    """A drain during which the lease is lost ends at once and with status 0; the daemon does not begin anew."""
    alone.model.faults.order(Fault(FaultKind.HOLD, match="stop-1"))
    async with TcpProxy(postgres_server.port) as proxy:
        store = f"{postgres_server.url(port=proxy.port)}?schema=stopping&sslmode=disable"
        control = str(alone.folder / "control.sock")
        own = {"JADA_STORE": store, "JADA_LEASE": "6", "JADA_DRAIN_SECONDS": "60", "JADA_CONTROL_SOCKET": control}
        async with alone.daemon(own) as daemon:
            await daemon.ready()
            await alone.send(a_request("stop-1"))
            await alone.held("stop-1")
            daemon.signal(signal.SIGTERM)
            await daemon.told("daemon.draining")
            proxy.weather = Weather.SILENT
            assert await daemon.ended(within_s=40) == 0
            assert daemon.events("daemon.rejoins") == []
