"""A TCP proxy on loopback that can cut, swallow and refuse: the network between an orchestrator and its database."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from enum import Enum
from typing import Final, Self

_CHUNK_BYTES: Final = 64 * 1024
_SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
"""Length and code: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


class Weather(Enum):
    """What the proxy does to what passes through it."""

    FINE = "fine"
    """Everything passes."""
    NO_ANSWERS = "no answers"
    """What is sent arrives; what comes back is lost, and the connection is cut instead."""
    SILENT = "silent"
    """Nothing passes and nothing is cut: packets are dropped."""
    REFUSING = "refusing"
    """New connections are closed at once."""


class TcpProxy:
    """Stands in front of a port on loopback. As an asynchronous context it listens on `port`."""

    def __init__(self, target_port: int, *, tls: ssl.SSLContext | None = None) -> None:
        """Take what is behind it. With `tls` it is a PostgreSQL server's side of TLS as well."""
        self.encrypted = 0
        """Connections that were made with TLS."""
        self._tls = tls
        self.weather = Weather.FINE
        self.port = 0
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        """Break every connection that is open now, both ways."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None, "it is entered once"
        self._server.close()
        self.cut()
        for pipe in list(self._pipes):
            pipe.cancel()
        await asyncio.gather(*self._pipes, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.weather is Weather.REFUSING:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        if self._tls is not None and not await self._encrypt(reader, writer):
            writer.transport.abort()
            far_writer.transport.abort()
            return
        loop = asyncio.get_running_loop()
        for source, sink, is_answer in ((reader, far_writer, False), (far_reader, writer, True)):
            pipe = loop.create_task(self._pipe(source, sink, is_answer=is_answer))
            self._pipes.add(pipe)
            pipe.add_done_callback(self._pipes.discard)

    async def _encrypt(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer the client's wish for TLS, as PostgreSQL's protocol has it (SSLRequest, then a byte ``S``)."""
        assert self._tls is not None, "asked for only then"
        with suppress(OSError, asyncio.IncompleteReadError):
            if await reader.readexactly(len(_SSL_REQUEST)) == _SSL_REQUEST:
                writer.write(b"S")
                await writer.start_tls(self._tls)
                self.encrypted += 1
                return True
        return False

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool) -> None:
        try:
            with suppress(OSError):
                while chunk := await source.read(_CHUNK_BYTES):
                    if self.weather is Weather.SILENT:
                        continue
                    if self.weather is Weather.NO_ANSWERS and is_answer:
                        self.cut()
                        return
                    sink.write(chunk)
                    await sink.drain()
        finally:
            sink.transport.abort()
            self._writers.discard(sink)
