"""The table of failures, row by row, through the real SDK and real sockets."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from jada_orchestrator.adapters.claude import ClaudePlanner, ClientSettings, PlannerSettings, create_client
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import PlannerError
from tests.unit.adapters.claude.questions import question
from tests.unit.adapters.claude.raw_server import (
    BLOCK,
    CHUNKED,
    CUT,
    HANG,
    PING,
    RESET,
    START,
    STREAM,
    RawServer,
    Script,
    api_error,
    chunk,
    ending,
    event,
    http,
    serve,
    text,
)

OPENING = START + BLOCK
BILLED = Usage(input_tokens=40, cache_read_tokens=2_000)


def planner_at(url: str, **settings: Any) -> ClaudePlanner:
    """A planner that asks the server at `url`."""
    environ = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": url}
    client = create_client(ClientSettings(connections=2), environ)
    return ClaudePlanner(client, connections=2, settings=PlannerSettings(**settings))


async def failure_of(server: RawServer, **settings: Any) -> PlannerError:
    """The error that a question brings, once it is certain that exactly one call was made."""
    planner = planner_at(server.url, **settings)
    try:
        with pytest.raises(PlannerError) as caught:
            await planner.propose(question())
    finally:
        await planner.close()
    assert len(server.requests) == 1
    return caught.value


SPENT = "You have reached your specified API usage limits. You will regain access on 1 December."


@pytest.mark.parametrize(
    ("status", "body", "code", "kind"),
    [
        (400, api_error("invalid_request_error", "messages: text is odd"), "MODEL_BAD_REQUEST", "permanent"),
        (400, api_error("invalid_request_error", "prompt is too long: 2 > 1"), "MODEL_REQUEST_TOO_LARGE", "permanent"),
        (400, api_error("invalid_request_error", SPENT), "MODEL_SPEND_LIMIT", "stopped"),
        (400, api_error("invalid_request_error", "Your credit balance is too low"), "MODEL_BILLING", "stopped"),
        (400, api_error("invalid_request_error", "Schema is too complex"), "MODEL_SETTINGS_REFUSED", "stopped"),
        (
            400,
            api_error("invalid_request_error", "This model does not support the effort parameter."),
            "MODEL_SETTINGS_REFUSED",
            "stopped",
        ),
        (400, api_error("invalid_request_error", "Held", "organization_on_hold"), "MODEL_NOT_PERMITTED", "stopped"),
        (401, api_error("authentication_error", "invalid bearer token"), "MODEL_KEY_REFUSED", "stopped"),
        (402, api_error("billing_error", "pay"), "MODEL_BILLING", "stopped"),
        (403, api_error("permission_error", "no"), "MODEL_NOT_PERMITTED", "stopped"),
        (404, api_error("not_found_error", "model: claude-x"), "MODEL_UNKNOWN", "stopped"),
        (404, b"<html>nginx</html>", "MODEL_ADDRESS_WRONG", "stopped"),
        (405, b"", "MODEL_ADDRESS_WRONG", "stopped"),
        (308, b"", "MODEL_ADDRESS_WRONG", "stopped"),
        (408, b"", "MODEL_TIMEOUT", "wait"),
        (409, api_error("conflict_error", "again"), "MODEL_UNAVAILABLE", "wait"),
        (413, b"<html>too large</html>", "MODEL_REQUEST_TOO_LARGE", "permanent"),
        (422, api_error("invalid_request_error", "odd"), "MODEL_BAD_REQUEST", "permanent"),
        (400, b"<html>The plain HTTP request was sent to HTTPS port</html>", "MODEL_ADDRESS_WRONG", "stopped"),
        (421, b"", "MODEL_ADDRESS_WRONG", "stopped"),
        (422, b"{}", "MODEL_ADDRESS_WRONG", "stopped"),
        (
            400,
            api_error("invalid_request_error", "cache_control.ttl: Extra inputs are not permitted"),
            "MODEL_SETTINGS_REFUSED",
            "stopped",
        ),
        (429, api_error("rate_limit_error", "slower"), "MODEL_RATE_LIMITED", "wait"),
        (429, api_error("rate_limit_error", "ramp", "ramp_limit_exceeded"), "MODEL_RAMP_LIMIT", "wait"),
        (429, api_error("rate_limit_error", "tier", "enforced_spend_limit_reached"), "MODEL_SPEND_LIMIT", "stopped"),
        (429, api_error("rate_limit_error", "deal", "contract_spend_limit_reached"), "MODEL_SPEND_LIMIT", "stopped"),
        (
            402,
            api_error("billing_error", "linked", "linked_organization_spend_limit_reached"),
            "MODEL_SPEND_LIMIT",
            "stopped",
        ),
        (500, api_error("api_error", "oops"), "MODEL_UNAVAILABLE", "wait"),
        (502, b"<html>bad gateway</html>", "MODEL_UNAVAILABLE", "wait"),
        (503, b"", "MODEL_UNAVAILABLE", "wait"),
        (504, api_error("timeout_error", "late"), "MODEL_TIMEOUT", "wait"),
        (529, api_error("overloaded_error", "Overloaded"), "MODEL_OVERLOADED", "wait"),
    ],
)
async def test_an_error_answer(status: int, body: bytes | dict[str, Any], code: str, kind: str) -> None:
    """Each HTTP error is one call, has its code and kind, and costs nothing."""
    async with serve(http(status, body, location="/elsewhere")) as server:
        error = await failure_of(server)
    assert (error.failure.code, error.kind) == (code, kind)
    assert error.usage == Usage()
    assert error.retry_after_ms is None


@pytest.mark.parametrize(
    ("status", "headers", "expected_ms"),
    [
        (429, {"retry_after": "2"}, 2_000),
        (429, {"retry_after": "120"}, 120_000),
        (429, {"retry_after": "86400"}, 600_000),
        (429, {"retry_after": "0.2"}, 200),
        (429, {"retry_after": "inf"}, 600_000),
        (429, {"retry_after": "nan"}, None),
        (429, {"retry_after": "-3"}, None),
        (429, {"retry_after": "soon"}, None),
        (429, {"retry_after_ms": "350", "retry_after": "1"}, 350),
        (
            429,
            {"retry_after": "Mon, 23 Nov 2026 10:00:30 GMT", "date": "Mon, 23 Nov 2026 10:00:00 GMT"},
            30_000,
        ),
        (529, {"retry_after": "7"}, 7_000),
        (503, {"retry_after": "7"}, 7_000),
        (401, {"retry_after": "7"}, None),
    ],
)
async def test_the_wait_that_was_asked_for(status: int, headers: dict[str, str], expected_ms: int | None) -> None:
    """What the service asks for is kept up to ten minutes, nonsense is not, and the call returns at once."""
    async with serve(http(status, api_error("rate_limit_error", "x"), **headers)) as server:
        error = await failure_of(server)
    assert error.retry_after_ms == expected_ms


@pytest.mark.parametrize("opening", [b"", OPENING, OPENING + text('{"outcome"')], ids=["byte 0", "begun", "text"])
@pytest.mark.parametrize(
    ("type_", "code", "kind"),
    [
        ("overloaded_error", "MODEL_OVERLOADED", "wait"),
        ("api_error", "MODEL_UNAVAILABLE", "wait"),
        ("rate_limit_error", "MODEL_RATE_LIMITED", "wait"),
        ("timeout_error", "MODEL_TIMEOUT", "wait"),
        ("some_new_error", "MODEL_UNAVAILABLE", "wait"),
        ("authentication_error", "MODEL_KEY_REFUSED", "stopped"),
        ("invalid_request_error", "MODEL_BAD_REQUEST", "permanent"),
    ],
)
async def test_an_error_inside_a_stream(opening: bytes, type_: str, code: str, kind: str) -> None:
    """An error event under status 200 counts as the status of its type, whatever came before; usage is kept."""
    async with serve(STREAM, opening + event(api_error(type_, "inside"))) as server:
        error = await failure_of(server)
    assert (error.failure.code, error.kind) == (code, kind)
    assert error.usage.total_input_tokens == (2_040 if opening else 0)


BEGUN = OPENING + text('{"outcome": "pl')


@pytest.mark.parametrize(
    ("script", "code", "kind"),
    [
        ((RESET,), "MODEL_UNREACHABLE", "wait"),
        ((CUT,), "MODEL_UNREACHABLE", "wait"),
        ((STREAM, RESET), "MODEL_UNREACHABLE", "wait"),
        ((CHUNKED, chunk(PING), CUT), "MODEL_UNREACHABLE", "wait"),
        ((CHUNKED, chunk(BEGUN), CUT), "MODEL_STREAM_CUT", "bad_answer"),
        ((CHUNKED, chunk(BEGUN), RESET), "MODEL_STREAM_CUT", "bad_answer"),
        ((STREAM, CUT), "MODEL_NOT_AN_ANSWER", "wait"),
        ((STREAM, BEGUN, CUT), "MODEL_STREAM_CUT", "bad_answer"),
        ((STREAM, PING, CUT), "MODEL_NOT_AN_ANSWER", "wait"),
        ((http(200, b"<html>Welcome</html>"),), "MODEL_NOT_AN_ANSWER", "wait"),
        ((http(200, b""),), "MODEL_NOT_AN_ANSWER", "wait"),
        ((http(200, {"type": "message", "content": []}),), "MODEL_NOT_AN_ANSWER", "wait"),
        ((http(200, b'{"type": "mess'),), "MODEL_NOT_AN_ANSWER", "wait"),
        ((STREAM, b'event: message_start\ndata: {"type": "message_st\n\n'), "MODEL_UNREADABLE", "wait"),
        ((STREAM, b"event: message_start\ndata: 7\n\n"), "MODEL_UNREADABLE", "wait"),
        ((STREAM, BEGUN, b"event: content_block_delta\ndata: {broken\n\n"), "MODEL_UNREADABLE", "bad_answer"),
        ((STREAM, START, text("out of order")), "MODEL_UNREADABLE", "bad_answer"),
        ((STREAM, BEGUN, b"event: content_block_delta\ndata: \xff\xfe\n\n"), "MODEL_UNREADABLE", "bad_answer"),
        ((b"no HTTP at all\r\n\r\n",), "MODEL_UNREACHABLE", "wait"),
    ],
)
async def test_a_call_that_breaks_off(script: Script, code: str, kind: str) -> None:
    """What breaks off before the answer began is waited out; after it, its input is billed and it is a bad answer."""
    async with serve(*script) as server:
        error = await failure_of(server)
    assert (error.failure.code, error.kind) == (code, kind)
    assert error.usage.total_input_tokens == (2_040 if kind == "bad_answer" else 0)


@pytest.mark.parametrize(
    ("script", "code", "kind"),
    [
        ((HANG,), "MODEL_DEADLINE", "wait"),
        ((STREAM, PING * 3, HANG), "MODEL_DEADLINE", "wait"),
        ((STREAM, BEGUN, PING * 3, HANG), "MODEL_DEADLINE", "bad_answer"),
    ],
)
async def test_a_call_that_never_ends(script: Script, code: str, kind: str) -> None:
    """The deadline ends a call that only pings, or says nothing, and what was billed is known."""
    async with serve(*script) as server:
        error = await failure_of(server, deadline_ms=1_000)
    assert (error.failure.code, error.kind) == (code, kind)
    assert error.usage.total_input_tokens == (2_040 if kind == "bad_answer" else 0)


async def test_a_dead_connection_is_noticed_before_the_deadline() -> None:
    """When nothing comes, not even pings, the read timeout ends the call."""
    async with serve(STREAM, BEGUN, HANG) as server:
        environ = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": server.url}
        planner = ClaudePlanner(create_client(ClientSettings(1, read_timeout_s=0.1), environ), connections=1)
        with pytest.raises(PlannerError) as caught:
            await planner.propose(question())
        await planner.close()
    assert (caught.value.failure.code, caught.value.kind) == ("MODEL_TIMEOUT", "bad_answer")


async def test_nobody_listens() -> None:
    """A refused connection is waited out."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else can take the port
        planner = planner_at(f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(PlannerError) as caught:
            await planner.propose(question())
        await planner.close()
    assert (caught.value.failure.code, caught.value.kind) == ("MODEL_UNREACHABLE", "wait")


LONG = "x" * (512 * 1024)
EXPLAINED = ending("refusal", stop_details={"type": "refusal", "category": None, "explanation": "no"})


@pytest.mark.parametrize(
    ("script", "code", "kind"),
    [
        ((text('{"a": "'), ending("max_tokens")), "MODEL_TRUNCATED", "bad_answer"),
        ((text("I can't."), ending("refusal")), "MODEL_REFUSED", "permanent"),
        ((EXPLAINED,), "MODEL_REFUSED", "permanent"),
        ((ending("model_context_window_exceeded"),), "MODEL_REQUEST_TOO_LARGE", "permanent"),
        ((text("{}"), ending("pause_turn")), "MODEL_UNEXPECTED_STOP", "bad_answer"),
        ((text("{}"), ending("tool_use")), "MODEL_UNEXPECTED_STOP", "bad_answer"),
        ((text("{}"), ending("some_new_reason")), "MODEL_UNEXPECTED_STOP", "bad_answer"),
        ((ending("end_turn"),), "MODEL_EMPTY_ANSWER", "bad_answer"),
        ((text(" \n"), ending("end_turn")), "MODEL_EMPTY_ANSWER", "bad_answer"),
        ((text(LONG), text("x"), HANG), "MODEL_ANSWER_TOO_LARGE", "bad_answer"),
    ],
)
async def test_an_answer_that_is_none(script: Script, code: str, kind: str) -> None:
    """Only `end_turn` with text is an answer; everything else is billed, and its usage is known."""
    async with serve(STREAM, OPENING, *script) as server:
        error = await failure_of(server)
    assert (error.failure.code, error.kind) == (code, kind)
    assert error.usage.total_input_tokens == 2_040
    assert error.usage.output_tokens > 1
    assert error.usage.usd is not None


async def test_a_cut_answer_is_billed_by_what_came() -> None:
    """When the final count never came, the output received is counted at four characters a token."""
    async with serve(STREAM, OPENING, text("x" * 4_000), CUT) as server:
        error = await failure_of(server)
    assert error.usage == Usage(
        input_tokens=BILLED.input_tokens,
        cache_read_tokens=BILLED.cache_read_tokens,
        output_tokens=1_000,
        usd="0.01572",  # 40 x $3 + 2,000 x $0.30 + 1,000 x $15, a million
    )


async def test_an_answer_whose_last_event_is_lost_is_complete() -> None:
    """The stop reason decides: with `end_turn` said, a missing `message_stop` loses nothing."""
    whole = ending("end_turn").removesuffix(event({"type": "message_stop"}))
    async with serve(STREAM, OPENING, text('{"outcome":'), text('"plan"}'), whole, CUT) as server:
        planner = planner_at(server.url)
        answer = await planner.propose(question())
        await planner.close()
    assert answer.text == '{"outcome":"plan"}'
    assert answer.usage.output_tokens == 100


async def test_other_blocks_are_no_proposal() -> None:
    """Thinking and unknown events are passed over; the text blocks alone are the answer."""
    thinking = (
        event({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}})
        + event({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}})
        + event({"type": "content_block_stop", "index": 0})
        + event({"type": "something_new", "x": 1})
    )
    block = {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}}
    piece = {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "{}"}}
    end = ending("end_turn").replace(b'"index": 0', b'"index": 1')
    async with serve(STREAM, START, thinking, event(block), event(piece), end) as server:
        planner = planner_at(server.url)
        answer = await planner.propose(question())
        await planner.close()
    assert answer.text == "{}"


async def test_foreign_pages_do_not_flood_the_records() -> None:
    """An error text of any length becomes one line of bounded length, with the service's request id."""
    page = api_error("api_error", "a\nb" * 10_000)
    async with serve(http(500, page, request_id="req_77")) as server:
        error = await failure_of(server)
    assert len(error.failure.message) < 600
    assert "\n" not in error.failure.message
    assert "req_77" in error.failure.message


async def test_cancelling_leaves_the_planner_usable() -> None:
    """A cancelled question closes its connection and gives its place to the next one."""
    async with serve(STREAM, BEGUN, HANG) as server:
        environ = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": server.url}
        client = create_client(ClientSettings(connections=2), environ)
        planner = ClaudePlanner(client, connections=2)
        asking = [asyncio.ensure_future(planner.propose(question())) for _ in range(4)]
        async with asyncio.timeout(5):
            await server.wait_for(2)
        for task in asking:
            task.cancel()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in ended)
        assert len(server.requests) == 2, "no more calls than connections"
        hasty = ClaudePlanner(client, connections=2, settings=PlannerSettings(deadline_ms=100))
        with pytest.raises(PlannerError, match="MODEL_DEADLINE"):
            await hasty.propose(question())
        await planner.close()
