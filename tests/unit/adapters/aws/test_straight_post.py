"""One POST straight to the wire, against a server that answers exactly what the test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from yarl import URL

from jada_orchestrator.adapters.aws.straight_post import Place, StraightPost

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Said: yes\r\n\r\nok"


@dataclass
class Server:
    """What came, connection by connection, and what is answered to each request."""

    answer: bytes | None
    """None: nothing, for ever."""
    closes: bool = False
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a client has closed its connection."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read requests whose heads say how long they are, and answer each."""
        self.connections += 1
        while head := await _head_of(reader):
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            self.requests.append(head + await reader.readexactly(length))
            self.asked.set()
            if self.answer is not None:
                writer.write(self.answer)
            if self.closes:
                break
        self.left.set()
        writer.close()


async def _head_of(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


@asynccontextmanager
async def posting(server: Server, read_timeout_s: float = 10.0) -> AsyncIterator[tuple[StraightPost, Place]]:
    """Open a pool of one connection to the server."""
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    connector = aiohttp.TCPConnector(limit=1)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=read_timeout_s)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        straight = StraightPost(session)
        yield straight, straight.place(URL(f"http://127.0.0.1:{port}/a%2Fb?c=d", encoded=True))
    listener.close()


async def test_a_request_is_written_as_it_is_and_its_answer_read_whole() -> None:
    """Path, host, headers and body go out unchanged; status, headers and body come back."""
    server = Server(PLAIN)
    async with posting(server) as (straight, place):
        received = await straight.post(place, {"X-Name": "value"}, b"body")
    host = place.request.headers["Host"]
    expected = f"POST /a%2Fb?c=d HTTP/1.1\r\nHost: {host}\r\nX-Name: value\r\nContent-Length: 4\r\n\r\nbody"
    assert server.requests == [expected.encode()]
    assert (received.status, received.headers["x-said"], received.body) == (200, "yes", b"ok")


async def test_a_connection_serves_one_request_after_another() -> None:
    """What was read whole leaves its connection to the next request."""
    server = Server(PLAIN)
    async with posting(server) as (straight, place):
        for _ in range(3):
            assert (await straight.post(place, {}, b"")).body == b"ok"
    assert (len(server.requests), server.connections) == (3, 1)


async def test_a_connection_that_the_server_ends_is_not_used_again() -> None:
    """``Connection: close`` is heard."""
    server = Server(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", closes=True)
    async with posting(server) as (straight, place):
        for _ in range(2):
            assert (await straight.post(place, {}, b"")).body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + PLAIN,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    ],
    ids=["interim", "chunked"],
)
async def test_answers_of_every_form_are_read(answer: bytes) -> None:
    """An interim answer is no answer, and chunks are put together."""
    async with posting(Server(answer)) as (straight, place):
        assert (await straight.post(place, {}, b"", bytes_max=2)).body == b"ok"


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
    ids=["told", "found"],
)
async def test_a_body_that_is_too_large_is_not_waited_for(answer: bytes) -> None:
    """It is None as soon as that is known, and the connection, on which the rest would come, is closed."""
    server = Server(answer)
    async with posting(server) as (straight, place):
        received = await straight.post(place, {}, b"", bytes_max=2)
        assert (received.status, received.body) == (200, None)
        await server.left.wait()


async def test_a_header_cannot_begin_another_one() -> None:
    """A value with the end of a line in it is refused before anything is sent."""
    server = Server(PLAIN)
    async with posting(server) as (straight, place):
        with pytest.raises(ValueError, match="end of a line"):
            await straight.post(place, {"X-Name": "a\r\nX-Other: b"}, b"")
    assert server.connections == 0


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    """Nobody may read the late answer to it as the answer to another request."""
    server = Server(None)
    async with posting(server) as (straight, place):
        waiting = asyncio.create_task(straight.post(place, {}, b""))
        await server.asked.wait()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await server.left.wait()
        server.answer = PLAIN
        assert (await straight.post(place, {}, b"")).body == b"ok"
    assert server.connections == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", aiohttp.ServerDisconnectedError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nha", aiohttp.ClientPayloadError),
        (b"nothing of HTTP\r\n\r\n", aiohttp.ClientResponseError),
    ],
    ids=["none", "half", "no HTTP"],
)
async def test_broken_answers_are_errors_of_aiohttp(answer: bytes, error: type[Exception]) -> None:
    """They are the ones that its session raises, so that they are judged as before."""
    async with posting(Server(answer, closes=True)) as (straight, place):
        with pytest.raises(error):
            await straight.post(place, {}, b"")


async def test_a_silent_server_is_given_up() -> None:
    """No answer within the time for reading is an error, and the connection is closed."""
    server = Server(None)
    async with posting(server, read_timeout_s=0.01) as (straight, place):
        with pytest.raises(aiohttp.ServerTimeoutError):
            await straight.post(place, {}, b"")
        await server.left.wait()


async def test_nobody_listens() -> None:
    """A connection that cannot be made is told apart: nothing was sent."""
    server = Server(PLAIN)
    async with posting(server) as (straight, _):
        with pytest.raises(aiohttp.ClientConnectorError):
            await straight.post(straight.place(URL("http://127.0.0.1:1/")), {}, b"")
