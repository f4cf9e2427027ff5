"""Answers that are read without a parser: only what aiohttp's parser reads alike."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http import HttpResponseParser
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.adapters.aws.plain_answers import PlainHandler, Received, plain_answer
from tests.unit.adapters.aws.test_straight_post import PLAIN, Server, posting

OF_LAMBDA = (
    b"HTTP/1.1 200 OK\r\nDate: Thu, 04 Jun 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: 2\r\nConnection: keep-alive\r\nx-amzn-RequestId: 0f-1\r\n"
    b"x-amzn-Remapped-Content-Length: 0\r\nX-Amz-Executed-Version: $LATEST\r\n\r\n{}"
)


async def _by_aiohttp(data: bytes) -> tuple[int, dict[str, str], bytes, bool]:
    """Return status, headers by lower name, body, and whether the connection goes on, as aiohttp's parser has them."""
    loop = asyncio.get_running_loop()
    parser = HttpResponseParser(BaseProtocol(loop), loop, 2**16, read_until_eof=True, auto_decompress=False)
    messages, _, rest = parser.feed_data(data)
    assert rest == b""
    (message, stream), *others = messages
    assert not others
    assert stream.is_eof()
    headers = {name.lower(): value for name, value in message.headers.items()}
    return message.code, headers, await stream.read(), not message.should_close


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        OF_LAMBDA,
        b"HTTP/1.1 200\r\ncontent-length:0\r\n\r\n",
        b"HTTP/1.1 200 All is well\r\nContent-Length: 003\r\nX:\r\n\r\n\r\n\r",
    ],
)
async def test_a_plain_answer_is_read_as_the_parser_reads_it(data: bytes) -> None:
    """Status, headers, body and what becomes of the connection are the parser's own."""
    answer = plain_answer(data)
    assert answer is not None
    headers = {name.lower(): value for name, value in answer.headers.items()}
    assert (answer.status, headers, answer.body, True) == await _by_aiohttp(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        PLAIN[:-1],
        PLAIN + b"HTTP/1.1 200 OK\r\n",
        PLAIN[:20],
        PLAIN.replace(b"200", b"201"),
        PLAIN.replace(b"200", b"100"),
        PLAIN.replace(b"200", b"2000"),
        PLAIN.replace(b"1.1", b"1.0"),
        PLAIN.replace(b"Length: 2", b"Length: +2"),
        PLAIN.replace(b"Length: 2", b"Length: 2_"),
        PLAIN.replace(b"Length: 2", b"Length: " + b"0" * 10 + b"2"),
        PLAIN.replace(b"Length: 2", b"Length: \xb2"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\nContent-Length: 2"),
        PLAIN.replace(b"Length: 2", b"Length: 2\r\ncontent-length: 9"),
        PLAIN.replace(b"Content-Length", b"Content-Length "),
        PLAIN.replace(b"Content-Length: 2\r\n", b""),
        PLAIN.replace(b"X-Said: yes", b"X-Said: y\x00es"),
        PLAIN.replace(b"X-Said: yes", b"X-Said: y\n es"),
        PLAIN.replace(b"X-Said: yes", b"X-Said: y\r\n es"),
        PLAIN.replace(b"X-Said: yes", b"X-Said"),
        PLAIN.replace(b"X-Said: yes", b"Connection: close"),
        PLAIN.replace(b"X-Said: yes", b"Proxy-Connection: close"),
        PLAIN.replace(b"X-Said: yes", b"Transfer-Encoding: chunked"),
        PLAIN.replace(b"X-Said: yes", b"X-Said: " + b"y" * 9_000),
        PLAIN.replace(b"X-Said: yes", b"\r\n".join(b"X-%d: y" % i for i in range(200))),
    ],
)
def test_whatever_else_comes_is_left_to_the_parser(data: bytes) -> None:
    """Another status, no length or two, more or less than the length, a closing connection: none is a plain answer."""
    assert plain_answer(data) is None


_PIECES = st.sampled_from(
    (
        *(
            b"HTTP/1.1 200 OK\r\n",
            b"Content-Length: ",
            b"2",
            b"0",
            b"\r\n",
            b"\r\n\r\n",
            b":",
            b" ",
            b"X-A: b\r\n",
            b"ok",
        ),
        *(b"Connection: keep-alive\r\n", b"Connection: close\r\n", b"\n", b"\t", b"Upgrade: x\r\n", b"Server: s\r\n"),
    )
)


@given(st.lists(_PIECES, max_size=8))
async def test_what_is_taken_for_plain_is_what_the_parser_makes_of_it(pieces: list[bytes]) -> None:
    """However an answer is put together: either it is left to the parser, or both understand the same."""
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + b"".join(pieces)
    answer = plain_answer(data)
    if answer is not None:
        headers = {name.lower(): value for name, value in answer.headers.items()}
        assert (answer.status, headers, answer.body, True) == await _by_aiohttp(data)


async def test_what_is_left_over_from_before_is_not_taken_for_an_answer() -> None:
    """A server that sends more than it was asked for loses its connection; the next request gets its own answer."""
    server = Server(PLAIN + PLAIN.replace(b"ok", b"no"))
    async with posting(server) as (straight, place):
        for _ in range(2):
            assert (await straight.post(place, {}, b"")).body == b"ok"
            await server.left.wait()
            server.left.clear()
    assert server.connections == 2


async def test_a_connection_by_which_something_comes_unasked_is_used_no_more() -> None:
    """After a plain answer it goes on; once anything comes that nobody asked for, it is to be closed."""
    handler = PlainHandler(asyncio.get_running_loop())
    handler.expect(None)
    handler.data_received(PLAIN)
    answer: object = await handler.read()
    assert isinstance(answer, Received)
    assert not handler.should_close
    handler.data_received(b"H")
    assert handler.should_close
