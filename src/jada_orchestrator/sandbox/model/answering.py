"""Sending one answer, whole or as a stream, with the fault that was ordered for it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from jada_orchestrator.sandbox.model.api_errors import ApiError
from jada_orchestrator.sandbox.model.calls import Call
from jada_orchestrator.sandbox.model.faults import Fault, FaultKind
from jada_orchestrator.sandbox.model.pace import Pace
from jada_orchestrator.sandbox.model.prompt_cache import CHARS_PER_TOKEN
from jada_orchestrator.sandbox.model.sse import Reply, chunks, closing, frame, opening, text_delta

HTML_PAGE = "<!doctype html><html><body><h1>Welcome</h1><p>stand-in: a proxy's page, as ordered</p></body></html>"
BROKEN_JSON = '{"type": "message", "id": "msg_scripted_broken", "content": [{"type": "te'

_STREAM_ERROR_STATUS = {"overloaded_error": 529, "rate_limit_error": 429}


def spoil_reply(reply: Reply, fault: Fault | None, max_tokens: int) -> Reply:
    """Return the reply as the fault and the caller's `max_tokens` leave it."""
    match fault.kind if fault else None:
        case FaultKind.REFUSAL:
            text = (fault.text if fault else "") or "I can't help with that. (stand-in: ordered refusal)"
            reply = replace(reply, text=text, stop_reason="refusal")
        case FaultKind.TEXT:
            reply = replace(reply, text=fault.text if fault else "")
        case FaultKind.HOLD if fault is not None and fault.text:
            reply = replace(reply, text=fault.text)
        case FaultKind.MAX_TOKENS:
            reply = replace(
                reply, text=mid_string(reply.text, fault.after_bytes if fault else 0), stop_reason="max_tokens"
            )
        case _:
            pass
    if reply.output_tokens > max_tokens:
        reply = replace(reply, text=reply.text[: max_tokens * CHARS_PER_TOKEN], stop_reason="max_tokens")
    return reply


def mid_string(text: str, after_bytes: int) -> str:
    """Return the beginning of a JSON text, cut inside a string at or soon after so many bytes (0: about half)."""
    size = after_bytes or len(text.encode()) // 2
    cut = len(text.encode()[:size].decode(errors="ignore"))
    inside = _inside_string(text[:cut])
    while cut < len(text) and not (inside and text[cut - 1] != '"'):
        cut += 1
        inside = _inside_string(text[:cut])
    return text[:cut]


def _inside_string(text: str) -> bool:
    inside, escaped = False, False
    for character in text:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = inside
        elif character == '"':
            inside = not inside
    return inside


def reset_connection(request: web.Request) -> None:
    """Drop the TCP connection with a reset instead of a close."""
    transport = request.transport
    if transport is None:
        return
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def send_whole(
    request: web.Request, reply: Reply, fault: Fault | None, headers: dict[str, str]
) -> web.StreamResponse:
    """Answer a call without streaming; the stream's faults become their counterparts. Raises ApiError."""
    match fault.kind if fault else None:
        case FaultKind.HTML:
            return web.Response(text=HTML_PAGE, content_type="text/html", headers=headers)
        case FaultKind.BROKEN_JSON:
            return web.Response(text=BROKEN_JSON, content_type="application/json", headers=headers)
        case FaultKind.STREAM_ERROR if fault is not None:
            raise ApiError(_STREAM_ERROR_STATUS.get(fault.error_type, 500), fault.error_type, "Ordered by the stand-in")
        case FaultKind.CUT | FaultKind.RESET:
            reset_connection(request)
        case _:
            pass
    return web.json_response(reply.message(), headers=headers)


class StreamSender:
    """Sends one reply as server-sent events; one object for one call."""

    def __init__(
        self,
        call: Call,
        reply: Reply,
        fault: Fault | None,
        pace: Pace,
        wait_for_release: Callable[[Call], Awaitable[None]],
    ) -> None:
        """Take what to send, how fast, and what to await while the call is held."""
        self._call = call
        self._reply = reply
        self._fault = fault
        self._pace = pace
        self._wait_for_release = wait_for_release

    async def send(self, request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
        """Send the stream, up to where the fault ends it. Cancelled when the client leaves."""
        fault = self._fault
        if fault is not None and fault.kind is FaultKind.HTML:
            return web.Response(text=HTML_PAGE, content_type="text/html", headers=headers)
        response = web.StreamResponse(
            headers={**headers, "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
        )
        await response.prepare(request)
        if self._breaks_at_start(fault) or await self._send_text(response):
            await self._break(request, response)
        else:
            for event in closing(self._reply):
                await response.write(frame(event))
        if request.transport is not None and not request.transport.is_closing():
            await response.write_eof()
        return response

    @staticmethod
    def _breaks_at_start(fault: Fault | None) -> bool:
        breaking = (FaultKind.STREAM_ERROR, FaultKind.CUT, FaultKind.RESET)
        return fault is not None and fault.kind in breaking and fault.after_bytes == 0

    async def _send_text(self, response: web.StreamResponse) -> bool:
        """Send the opening and the text; True when the stream breaks before its end."""
        for event in opening(self._reply):
            await response.write(frame(event))
        await asyncio.sleep(self._pace.first_token_s)
        fault, text = self._fault, self._reply.text
        if fault is None or fault.kind not in _IN_STREAM:
            await self._write_chunks(response, text)
            return False
        before = text.encode()[: fault.after_bytes].decode(errors="ignore")
        await self._write_chunks(response, before)
        if fault.kind not in (FaultKind.PINGS, FaultKind.HOLD):
            return True
        if fault.kind is FaultKind.PINGS:
            await self._ping_until_released(response)
        elif fault.after_bytes:
            await self._wait_for_release(self._call)
        await self._write_chunks(response, text[len(before) :])
        return False

    async def _write_chunks(self, response: web.StreamResponse, text: str) -> None:
        for chunk in chunks(text, self._pace.chunk_chars):
            await response.write(frame(text_delta(chunk)))
            self._call.sent_chars += len(chunk)
            # Also at full speed: sleep(0) lets other calls and the client (in the same loop in tests) go on.
            await asyncio.sleep(self._pace.chunk_delay_s(chunk))

    async def _ping_until_released(self, response: web.StreamResponse) -> None:
        released = asyncio.ensure_future(self._wait_for_release(self._call))
        try:
            while not released.done():
                await response.write(frame({"type": "ping"}))
                await asyncio.wait([released], timeout=self._pace.ping_every_s)
        finally:
            released.cancel()

    async def _break(self, request: web.Request, response: web.StreamResponse) -> None:
        fault = self._fault
        if fault is None:
            return
        match fault.kind:
            case FaultKind.STREAM_ERROR:
                message = fault.message or "Overloaded"
                await response.write(frame(ApiError(200, fault.error_type, message).body(self._call.api_request_id)))
            case FaultKind.RESET:
                reset_connection(request)
            case FaultKind.BROKEN_JSON:
                await response.write(f"event: content_block_delta\ndata: {json.dumps(BROKEN_JSON)[1:]}\n\n".encode())
            case _:
                pass  # A clean cut: the stream simply ends, without message_stop.


_IN_STREAM = frozenset(
    {
        FaultKind.STREAM_ERROR,
        FaultKind.CUT,
        FaultKind.RESET,
        FaultKind.PINGS,
        FaultKind.HOLD,
        FaultKind.BROKEN_JSON,
    }
)
