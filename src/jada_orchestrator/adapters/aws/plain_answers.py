"""Answers of the plainest form are read as they are: a status of 200, a length, and all of it in one piece.

Nearly every answer of AWS that matters here is one of these, and aiohttp's way to read it (a parser and a stream made
for each, a queue, a second timer) costs half of what a request costs. Whatever else comes is read by aiohttp's parser
from its first byte, so nothing is understood here that it would not understand, and alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aiohttp.client_proto import ResponseHandler
from msgspec import Struct
from multidict import CIMultiDict

_FIRST: Final = "HTTP/1.1 200"
_HEAD_MAX: Final = 8_190
"""As long as a line may be for aiohttp: a head that is shorter breaks no limit of its but that for lines."""
_LINES_MAX: Final = 128
_DIGITS_MAX: Final = 10
_ENDS_OTHERWISE: Final = frozenset({"transfer-encoding", "proxy-connection"})
"""With these the body, or what comes after it, may be another one than the length says."""


class Received(Struct, frozen=True, gc=False):
    """An answer; `body` is None when it is larger than allowed."""

    status: int
    headers: Mapping[str, str]
    body: bytes | None


class PlainHandler(ResponseHandler):
    """aiohttp's side of a connection, which looks first whether an answer is a plain one.

    What it hands out by `read` is a `Received`, or else what aiohttp's own hands out.
    """

    _awaits_first = False
    """Whether an answer is expected of which nothing has come."""

    def expect(self, read_timeout_s: float | None) -> None:
        """Expect an answer to what was just written, and begin to count the time without a byte."""
        self._awaits_first = True
        self.read_timeout = read_timeout_s
        self.start_timeout()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if self._awaits_first:
            self._awaits_first = False
            answer: Any = plain_answer(data)
            if answer is not None:
                self._drop_timeout()
                self.feed_data(answer, 0)
                return
            self.set_response_params(read_until_eof=True, auto_decompress=False, read_timeout=self.read_timeout)
        super().data_received(data)


def plain_answer(data: bytes) -> Received | None:
    """Return an answer that is whole and has nothing that needs a parser, or None for what is left to one."""
    end = data.find(b"\r\n\r\n", 0, _HEAD_MAX)
    if end < 0:
        return None
    try:
        first, *lines = data[:end].decode("ascii").split("\r\n")
    except UnicodeDecodeError:
        return None
    if first[:12] != _FIRST or first[12:13] not in {"", " "} or not first.isprintable() or len(lines) > _LINES_MAX:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not value.isprintable() or not name.replace("-", "").isalnum():
            return None
        headers[name.lower()] = value.strip(" ")
    length = headers.get("content-length", "")
    if (
        len(headers) != len(lines)  # a name that comes twice
        or not length.isdecimal()
        or len(length) > _DIGITS_MAX
        or len(data) - end - 4 != int(length)
        or not _ENDS_OTHERWISE.isdisjoint(headers)
        or headers.get("connection", "keep-alive").lower() != "keep-alive"
    ):
        return None
    return Received(200, CIMultiDict(headers), data[end + 4 :])
