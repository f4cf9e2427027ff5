"""One POST over a connection of aiohttp's pool, straight to the wire.

Half of what a call cost by `aiohttp.ClientSession` was making a request and a response that can be anything: cookies,
redirects, encodings, form data, traces, a task that writes the body. All that a call to AWS needs of aiohttp is its
connector (the pool, names, TLS, the time that connecting may take) and its parser of answers, which are used as they
are: a request's head is put together here, written with its body, and the answer read whole. Only an answer of the
plainest form is read without the parser (`plain_answers`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import aiohttp
from aiohttp.client_reqrep import ClientRequest
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from jada_orchestrator.adapters.aws.bodies import read_bounded
from jada_orchestrator.adapters.aws.plain_answers import PlainHandler, Received

_INTERIM: Final = range(100, 200)


@dataclass(frozen=True, slots=True)
class Place:
    """Where requests go: what is the same in all of them."""

    request: ClientRequest
    """By which the connector knows host, port and TLS; it is never sent."""
    line: str
    """The request's first line and its host."""


class StraightPost:
    """Posts through a session's connector and within its timeouts; the session stays its owner's."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        """Take a session by which nothing was sent yet; its connections are made to read plain answers from now on."""
        assert session.connector is not None, "a session that is open has a connector"
        self._session = session
        self._connector = session.connector
        connector: Any = self._connector
        connector._factory = partial(PlainHandler, loop=asyncio.get_running_loop())  # noqa: SLF001 - aiohttp has no other way

    def place(self, url: URL) -> Place:
        """Return what a place's requests have in common; needs the running loop."""
        request = ClientRequest("POST", url, loop=asyncio.get_running_loop(), session=self._session)
        host = request.headers["Host"]
        return Place(request, f"POST {url.raw_path_qs} HTTP/1.1\r\nHost: {host}\r\n")

    async def post(
        self, place: Place, headers: Mapping[str, str], payload: bytes, *, bytes_max: int | None = None
    ) -> Received:
        """Send one request once, and return its answer, whatever its status. When cancelled, the connection is closed.

        Raises: aiohttp's errors, as its session does; ValueError for a header that would begin another one.
        """
        head = _head(place, headers, len(payload))
        connection = await self._connect(place)
        is_whole = False
        try:
            received = await self._exchange(place, connection, head, payload, bytes_max)
            is_whole = received.body is not None
        except aiohttp.ClientError:
            raise
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from error
        finally:  # what is left on its way would be taken for the answer to the next request
            (connection.release if is_whole else connection.close)()
        return received

    async def _connect(self, place: Place) -> Connection:
        try:
            return await self._connector.connect(place.request, [], self._session.timeout)
        except aiohttp.ClientError:
            raise
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError(f"Connection timeout to host {place.request.url}") from error
        except OSError as error:
            raise aiohttp.ClientOSError(*error.args) from error

    async def _exchange(
        self, place: Place, connection: Connection, head: bytes, payload: bytes, bytes_max: int | None
    ) -> Received:
        protocol, timeout = connection.protocol, self._session.timeout
        assert isinstance(protocol, PlainHandler), "a connection that was just handed out has the protocol made for it"
        if protocol.transport is None or protocol.should_close:  # or there is what would be taken for the answer
            raise aiohttp.ServerDisconnectedError
        protocol.transport.writelines((head, payload))
        protocol.expect(timeout.sock_read)
        try:
            answer: Any = await protocol.read()
            if isinstance(answer, Received):
                return _within(answer, bytes_max)
            message, stream = answer
            while message.code in _INTERIM:
                message, stream = await protocol.read()
        except HttpProcessingError as error:
            raise aiohttp.ClientResponseError(
                place.request.request_info, (), status=error.code, message=error.message, headers=error.headers
            ) from error
        body = await body_of(stream, message.headers.get("Content-Length"), bytes_max)
        return Received(message.code, message.headers, body)


def _within(answer: Received, bytes_max: int | None) -> Received:
    """Return the answer, without its body where that is larger than allowed."""
    if bytes_max is None or answer.body is None or len(answer.body) <= bytes_max:
        return answer
    return Received(answer.status, answer.headers, None)


def _head(place: Place, headers: Mapping[str, str], length: int) -> bytes:
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
        raise ValueError("a header holds the end of a line")
    return f"{place.line}{lines}Content-Length: {length}\r\n\r\n".encode()


async def body_of(stream: aiohttp.StreamReader, length: str | None, bytes_max: int | None) -> bytes | None:
    """Return a body of which the length may have been told, or None as soon as it is larger than allowed."""
    if bytes_max is None or (length is not None and int(length) <= bytes_max):
        return await stream.read()
    return await read_bounded(stream, bytes_max) if length is None else None
