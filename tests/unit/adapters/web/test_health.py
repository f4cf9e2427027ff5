"""The health listener: its four pages, and where it may listen."""

from __future__ import annotations

import contextlib
from pathlib import Path

import aiohttp
import pytest

from jada_orchestrator.adapters.web.addresses import TcpAddress, parse_address
from jada_orchestrator.adapters.web.errors import ListenError
from jada_orchestrator.adapters.web.health import open_health
from tests.unit.adapters.web.operations import FakeOperations

ANYWHERE = TcpAddress("127.0.0.1", 0)


async def page(address: str, path: str) -> tuple[int, str]:
    """The status and text of a page."""
    async with aiohttp.ClientSession() as session, session.get(f"http://{address}{path}") as response:
        return response.status, await response.text()


async def test_a_well_process_says_ok() -> None:
    """Without trouble both verdicts are 200, and the version is told."""
    async with open_health(ANYWHERE, FakeOperations()) as address:
        assert await page(address, "/healthz") == (200, "ok\n")
        assert await page(address, "/readyz") == (200, "ok\n")
        assert await page(address, "/version") == (200, '{"version": "9.9.9"}')


async def test_unready_is_not_unhealthy() -> None:
    """A daemon that drains, or waits for its store, must not be restarted for it: only /readyz says 503."""
    operations = FakeOperations()
    operations.is_unready = "draining"
    async with open_health(ANYWHERE, operations) as address:
        assert await page(address, "/healthz") == (200, "ok\n")
        assert await page(address, "/readyz") == (503, "draining\n")
        operations.is_troubled = "the turn loop has not gone round for 20 s"
        assert (await page(address, "/healthz"))[0] == 503


async def test_metrics_are_in_the_text_format() -> None:
    """Counters end in _total, labels are there, and an empty family has its type line only."""
    async with open_health(ANYWHERE, FakeOperations()) as address:
        status, text = await page(address, "/metrics")
    assert status == 200
    assert "jada_turns_total 3.0\n" in text
    assert 'jada_bookings{status="running"} 2.0\n' in text
    assert "# TYPE jada_events_total counter\n" in text


async def test_the_next_daemon_s_socket_is_left_alone(tmp_path: Path) -> None:
    """A daemon that ends takes its own file away, and not the one that another has put in its place."""
    path = tmp_path / "health.sock"
    async with contextlib.AsyncExitStack() as next_one:
        async with open_health(path, FakeOperations()):
            path.unlink()
            await next_one.enter_async_context(open_health(path, FakeOperations()))
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession(connector=connector) as session, session.get("http://jada/healthz") as page:
            assert page.status == 200
    assert not path.exists()


async def test_a_socket_in_use_is_not_taken_over(tmp_path: Path) -> None:
    """A second daemon with the same setting says that the first is there, and machines go on hearing of the first."""
    path = tmp_path / "health.sock"
    async with open_health(path, FakeOperations()):
        with pytest.raises(ListenError, match="another daemon"):
            async with open_health(path, FakeOperations()):
                pass
        assert path.is_socket()


async def test_it_listens_on_a_unix_socket_and_replaces_a_left_one(tmp_path: Path) -> None:
    """A Unix socket works as well, even where a killed daemon's lies, and is gone afterwards."""
    path = tmp_path / "health.sock"
    async with open_health(path, FakeOperations()) as address:
        assert address == f"unix:{path}"
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession(connector=connector) as session, session.get("http://jada/readyz") as response:
            assert response.status == 200
    assert not path.exists()


async def test_a_taken_port_is_said_so() -> None:
    """An address in use is a refusal that names the setting."""
    async with open_health(ANYWHERE, FakeOperations()) as address:
        taken = parse_address(address)
        with pytest.raises(ListenError, match="JADA_HEALTH"):
            async with open_health(taken, FakeOperations()):
                pass


@pytest.mark.parametrize("text", ["0.0.0.0:9620", "10.0.0.1:9620", "[::]:9620", "example.org:80"])
def test_the_network_is_refused(text: str) -> None:
    """The listener has no password, so it takes no address that others reach."""
    with pytest.raises(ValueError, match="not this host alone"):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "unix:relative", "unix:/" + "x" * 200]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A mistake is found when settings are read."""
    with pytest.raises(ValueError, match=r"address|path"):
        parse_address(text)
