"""A server on loopback that sends exactly the bytes that a test gives it, and counts the calls."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

CUT: Final = "cut"
"""Close the connection cleanly here."""
RESET: Final = "reset"
"""Reset the connection here."""
HANG: Final = "hang"
"""Send nothing more until the client leaves."""

Script = Sequence[bytes | str]


class RawServer:
    """Answers every call with the same script of bytes and breaks."""

    def __init__(self, script: Script) -> None:
        """Take what is sent for every call."""
        self._script = script
        self.requests: list[tuple[bytes, dict[str, Any]]] = []
        """Head and JSON body of each call."""
        self._came = asyncio.Event()
        self.url = ""

    async def wait_for(self, count: int) -> None:
        """Return when so many calls have come."""
        while len(self.requests) < count:
            await self._came.wait()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read one call, send the script, close."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            body = await reader.readexactly(length)
            self.requests.append((head, json.loads(body) if body else {}))
            self._came.set()
            self._came = asyncio.Event()
            for step in self._script:
                await self._step(step, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left first, which is what some tests want
        finally:
            writer.close()

    async def _step(self, step: bytes | str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match step:
            case bytes():
                writer.write(step)
                await writer.drain()
            case "hang":
                await reader.read()
            case "reset":
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            case _:
                pass


@asynccontextmanager
async def serve(*script: bytes | str) -> AsyncIterator[RawServer]:
    """A server that answers every call with this script."""
    server = RawServer(script)
    listener = await asyncio.start_server(server.answer, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


def http(status: int, body: bytes | dict[str, Any] = b"", **headers: str) -> bytes:
    """A whole HTTP answer; names of headers are written with underscores."""
    content = json.dumps(body).encode() if isinstance(body, dict) else body
    fields = {"content-type": "application/json" if isinstance(body, dict) else "text/html", **headers}
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in fields.items()]
    head = "\r\n".join([f"HTTP/1.1 {status} Whatever", *lines, f"content-length: {len(content)}", "connection: close"])
    return head.encode() + b"\r\n\r\n" + content


def api_error(kind: str, message: str, error_code: str | None = None) -> dict[str, Any]:
    """The body of an error of the Messages API."""
    error: dict[str, Any] = {"type": kind, "message": message}
    if error_code is not None:
        error["details"] = {"error_code": error_code}
    return {"type": "error", "error": error, "request_id": "req_1"}


STREAM: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
"""The head of a stream whose end is the end of the connection."""
CHUNKED: Final = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
"""The head of a stream whose end would have to be said: without it, the connection was cut."""


def event(data: dict[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {data['type']}\ndata: {json.dumps(data)}\n\n".encode()


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


USAGE: Final = {"input_tokens": 40, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2_000}
START: Final = event(
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**USAGE, "output_tokens": 1},
        },
    }
)
BLOCK: Final = event({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
PING: Final = event({"type": "ping"})


def text(piece: str) -> bytes:
    """The event that carries a piece of text."""
    return event({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})


def ending(stop_reason: str, output_tokens: int = 100, **delta: Any) -> bytes:
    """The events after the last piece of text."""
    return (
        event({"type": "content_block_stop", "index": 0})
        + event(
            {
                "type": "message_delta",
                "delta": {"stop_reason": stop_reason, "stop_sequence": None, **delta},
                "usage": {"output_tokens": output_tokens},
            }
        )
        + event({"type": "message_stop"})
    )
