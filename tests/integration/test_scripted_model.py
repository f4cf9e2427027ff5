"""The scripted model as the real SDK sees it: events, usage, stop reasons, errors, faults."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic.types import Message
from anthropic.types.shared import EnforcedSpendLimitReachedError, RampLimitExceededError

from jada_orchestrator.sandbox.model import STAND_IN, STAND_IN_HEADER, Fault, FaultKind, Pace, ScriptedModel
from tests.unit.sandbox_model.catalogue_text import catalogue_lines

SONNET, HAIKU = "claude-sonnet-4-6", "claude-haiku-4-5"
SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["outcome"],
    "properties": {"outcome": {"type": "string"}},
}
REQUEST = '<request>\n{"request_id": "r-1", "tenant": "t", "text": "a journey", "today": "2026-11-23"}\n</request>'


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the server's cache and rate headers."""
    return Clock()


@pytest.fixture
async def model(clock: Clock) -> AsyncIterator[ScriptedModel]:
    """A running server; the test as a whole is bounded."""
    async with asyncio.timeout(30), ScriptedModel(clock=clock) as running:
        yield running


@pytest.fixture
async def client(model: ScriptedModel) -> AsyncIterator[anthropic.AsyncAnthropic]:
    """The SDK as the orchestrator uses it: its own retries off."""
    async with anthropic.AsyncAnthropic(api_key="any", base_url=model.url, max_retries=0) as sdk:
        yield sdk


def call(**changes: Any) -> dict[str, Any]:
    """The arguments of an ordinary planning call."""
    messages = [{"role": "user", "content": REQUEST}]
    config = {"format": {"type": "json_schema", "schema": SCHEMA}, "effort": "low"}
    return {"model": SONNET, "max_tokens": 4096, "messages": messages, "output_config": config, **changes}


async def streamed(client: anthropic.AsyncAnthropic, **changes: Any) -> Message:
    """Stream a call to its end, whatever that end is, and return the snapshot."""
    async with client.messages.stream(**call(**changes)) as stream:
        async for _ in stream:
            pass
        return stream.current_message_snapshot


def text_of(message: Message) -> str:
    """The text of the answer."""
    return "".join(block.text for block in message.content if block.type == "text")


# ---------------------------------------------------------------------------------------------------- the good answers


async def test_a_stream_has_the_events_of_the_real_api_in_their_order(model: ScriptedModel) -> None:
    """message_start, content_block_start, ping, deltas, content_block_stop, message_delta, message_stop."""
    headers = {"authorization": "Bearer k", "anthropic-version": "2026-10-21"}
    async with httpx2.AsyncClient(base_url=model.url) as http:
        response = await http.post("/v1/messages", headers=headers, json={**call(), "stream": True})
    frames = [frame.split("\n") for frame in response.text.strip().split("\n\n")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in frames]
    names = [event["type"] for event in events]
    assert [name.removeprefix("event: ") for name, _ in frames] == names
    deltas = names.count("content_block_delta")
    assert deltas > 1
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        *["content_block_delta"] * deltas,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert events[0]["message"]["stop_reason"] is None
    assert events[-2]["delta"]["stop_reason"] == "end_turn"
    assert response.headers[STAND_IN_HEADER] == STAND_IN
    assert events[0]["message"]["id"].startswith("msg_scripted_")


async def test_the_stream_helper_sees_text_usage_stop_reason_and_request_id(
    model: ScriptedModel, client: anthropic.AsyncAnthropic
) -> None:
    """The SDK's stream helper accumulates a whole proposal with usage and a request id."""
    async with client.messages.stream(**call()) as stream:
        message = await stream.get_final_message()
        assert stream.request_id == "req_scripted_000001"
    assert json.loads(text_of(message))["outcome"] in {"plan", "clarify", "refuse"}
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 10
    assert message.usage.output_tokens == model.calls[0].usage["output_tokens"] > 10
    assert model.calls[0].state == "ended"


async def test_an_answer_without_streaming_says_the_same(client: anthropic.AsyncAnthropic) -> None:
    """`create` returns the same text, stop reason and usage as the stream."""
    whole = await client.messages.create(**call())
    other = await streamed(client)
    assert isinstance(whole, Message)
    assert text_of(whole) == text_of(other)
    assert (whole.stop_reason, whole.usage.output_tokens) == (other.stop_reason, other.usage.output_tokens)
    assert whole._request_id == "req_scripted_000001"  # noqa: SLF001 - public by its documentation


async def test_rate_headers_and_stand_in_mark_are_on_every_answer(client: anthropic.AsyncAnthropic) -> None:
    """The raw response shows the anthropic-ratelimit-* headers and says that it is a stand-in."""
    raw = await client.messages.with_raw_response.create(**call())
    assert raw.headers[STAND_IN_HEADER] == STAND_IN
    assert raw.headers["anthropic-ratelimit-requests-limit"] == "1000"
    for name in ("requests", "tokens", "input-tokens", "output-tokens"):
        assert raw.headers[f"anthropic-ratelimit-{name}-reset"].endswith("Z")
        assert int(raw.headers[f"anthropic-ratelimit-{name}-remaining"]) >= 0


async def test_a_long_marked_prefix_is_created_then_read_then_forgotten(
    client: anthropic.AsyncAnthropic, clock: Clock
) -> None:
    """A prefix above the minimum costs a cache write first, then reads for five minutes from its last use."""
    system = [{"type": "text", "text": "rules " * 1_000, "cache_control": {"type": "ephemeral"}}]
    first = (await streamed(client, system=system)).usage
    assert first.cache_creation_input_tokens is not None
    assert first.cache_creation_input_tokens > 1_024
    assert first.cache_read_input_tokens == 0
    second = (await streamed(client, system=system)).usage
    assert second.cache_read_input_tokens == first.cache_creation_input_tokens
    assert second.cache_creation_input_tokens == 0
    assert second.input_tokens == first.input_tokens
    clock.now += 299
    assert (await streamed(client, system=system)).usage.cache_read_input_tokens
    clock.now += 301
    assert (await streamed(client, system=system)).usage.cache_read_input_tokens == 0


@pytest.mark.parametrize(
    ("name", "words", "cached"), [(SONNET, 600, False), (SONNET, 900, True), (HAIKU, 2_000, False)]
)
async def test_a_prefix_below_the_models_minimum_is_silently_uncached(
    client: anthropic.AsyncAnthropic, name: str, words: int, cached: bool
) -> None:
    """1,024 tokens are needed for Sonnet 4.6 and 4,096 for Haiku 4.5; nothing says so but the usage."""
    system = [{"type": "text", "text": "rules " * words, "cache_control": {"type": "ephemeral"}}]
    config = {"format": {"type": "json_schema", "schema": SCHEMA}}
    usage = (await streamed(client, model=name, system=system, output_config=config)).usage
    assert bool(usage.cache_creation_input_tokens) is cached


async def test_models_are_described_as_the_sdk_reads_them(client: anthropic.AsyncAnthropic) -> None:
    """`models.retrieve` and `models.list` give lifecycle, limits and abilities; an unknown id is a 404."""
    sonnet = await client.models.retrieve(SONNET)
    assert (sonnet.lifecycle, sonnet.retires_at, sonnet.max_input_tokens) == ("active", None, 1_000_000)
    assert sonnet.capabilities is not None
    assert sonnet.capabilities.structured_outputs.supported
    assert sonnet.capabilities.effort.low.supported
    haiku = await client.models.retrieve(HAIKU)
    assert haiku.capabilities is not None
    assert not haiku.capabilities.effort.supported
    assert (await client.models.retrieve("claude-sonnet-4-5")).lifecycle == "deprecated"
    assert SONNET in {entry.id async for entry in client.models.list()}
    with pytest.raises(anthropic.NotFoundError):
        await client.models.retrieve("claude-of-tomorrow")


async def test_tokens_are_counted_before_a_call(client: anthropic.AsyncAnthropic) -> None:
    """`count_tokens` agrees with the input usage of the call itself."""
    arguments = call()
    counted = await client.messages.count_tokens(
        model=SONNET, messages=arguments["messages"], output_config=arguments["output_config"]
    )
    assert counted.input_tokens == (await streamed(client)).usage.input_tokens


async def test_a_pace_spreads_the_answer_over_time() -> None:
    """With a pace the text comes in many small chunks, each after its share of time."""
    async with (
        ScriptedModel(pace=Pace(first_token_s=0.01, tokens_per_second=4_000)) as model,
        anthropic.AsyncAnthropic(api_key="any", base_url=model.url, max_retries=0) as client,
    ):
        begun = asyncio.get_running_loop().time()
        message = await streamed(client)
        took = asyncio.get_running_loop().time() - begun
    assert took >= 0.01 + message.usage.output_tokens / 4_000 * 0.9


# ----------------------------------------------------------------------------------------------------- refused requests


async def test_a_call_without_a_key_is_401(model: ScriptedModel) -> None:
    """Neither Authorization nor x-api-key: authentication_error."""
    async with httpx2.AsyncClient(base_url=model.url) as http:
        response = await http.post("/v1/messages", headers={"anthropic-version": "2026-10-21"}, json=call())
        older = await http.post(
            "/v1/messages", headers={"x-api-key": "k", "anthropic-version": "2023-06-01"}, json=call()
        )
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "authentication_error"
    assert older.status_code == 200


NUMBER = {"type": "object", "additionalProperties": False, "required": ["n"], "properties": {"n": {"minimum": 1}}}
OPEN = {"type": "object", "properties": {}}
LOOP = {"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/a"}}}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"extra_body": {"temperature": 0}}, "temperature"),
        ({"extra_body": {"top_p": 1}}, "top_p"),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "{"}]}, "prefill"),
        ({"output_config": {"format": {"type": "json_schema", "schema": NUMBER}}}, "minimum"),
        ({"output_config": {"format": {"type": "json_schema", "schema": OPEN}}}, "additionalProperties"),
        ({"output_config": {"format": {"type": "json_schema", "schema": LOOP}}}, "recursive"),
        ({"max_tokens": 500_000}, "maximum allowed"),
        ({"model": HAIKU, "output_config": {"effort": "low"}}, "effort"),
        ({"model": HAIKU, "output_config": {}, "thinking": {"type": "adaptive"}}, "thinking"),
        ({"messages": [{"role": "user", "content": ""}]}, "non-empty"),
    ],
)
async def test_what_the_api_refuses_is_a_400(
    client: anthropic.AsyncAnthropic, changes: dict[str, Any], expected: str
) -> None:
    """Sampling parameters, prefill, unsupported schemas and abilities are BadRequestError that names the fault."""
    with pytest.raises(anthropic.BadRequestError, match=expected) as caught:
        await streamed(client, **changes)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id == "req_scripted_000001"


@pytest.mark.filterwarnings("ignore:The model:DeprecationWarning")  # the SDK warns of the retired one, as it should
@pytest.mark.parametrize("name", ["claude-of-tomorrow", "claude-3-7-sonnet-20250219"])
async def test_unknown_and_retired_models_are_404(client: anthropic.AsyncAnthropic, name: str) -> None:
    """A model that does not exist, or no longer does, is NotFoundError."""
    with pytest.raises(anthropic.NotFoundError):
        await streamed(client, model=name)


# -------------------------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("fault", "expected", "status", "code"),
    [
        (Fault(FaultKind.RATE_LIMIT, retry_after=2), anthropic.RateLimitError, 429, None),
        (Fault(FaultKind.RAMP_LIMIT), RampLimitExceededError, 429, "ramp_limit_exceeded"),
        (Fault(FaultKind.SPEND_LIMIT), EnforcedSpendLimitReachedError, 429, "enforced_spend_limit_reached"),
        (Fault(FaultKind.USAGE_LIMIT), anthropic.BadRequestError, 400, None),
        (Fault(FaultKind.PAYMENT_REQUIRED), anthropic.PaymentRequiredError, 402, None),
        (Fault(FaultKind.UNAUTHORIZED), anthropic.AuthenticationError, 401, None),
        (Fault(FaultKind.FORBIDDEN), anthropic.PermissionDeniedError, 403, None),
        (Fault(FaultKind.TOO_LARGE), anthropic.ContentTooLargeError, 413, None),
        (Fault(FaultKind.OVERLOADED), anthropic.OverloadedError, 529, None),
        (Fault(FaultKind.SERVER_ERROR), anthropic.InternalServerError, 500, None),
        (Fault(FaultKind.SERVER_ERROR, status=503), anthropic.ServiceUnavailableError, 503, None),
        (Fault(FaultKind.SERVER_ERROR, status=504), anthropic.GatewayTimeoutError, 504, None),
    ],
)
async def test_http_faults_become_the_sdks_errors(
    model: ScriptedModel,
    client: anthropic.AsyncAnthropic,
    fault: Fault,
    expected: type[anthropic.APIStatusError],
    status: int,
    code: str | None,
) -> None:
    """Each ordered HTTP error is met once as the SDK's class, with request id and error code; then all is well."""
    model.faults.order(fault)
    with pytest.raises(expected) as caught:
        await streamed(client)
    error = caught.value
    assert (error.status_code, error.error_code) == (status, code)
    assert error.request_id == model.calls[0].api_request_id
    assert (await streamed(client)).stop_reason == "end_turn"
    assert [entry.fault for entry in model.calls] == [fault.kind, None]


@pytest.mark.parametrize(("seconds", "header"), [(2, "2"), (120, "120"), (None, None)])
async def test_a_rate_limit_comes_with_or_without_retry_after(
    model: ScriptedModel, client: anthropic.AsyncAnthropic, seconds: float | None, header: str | None
) -> None:
    """`retry_after` sets the header; without it there is none."""
    model.faults.order(Fault(FaultKind.RATE_LIMIT, retry_after=seconds))
    with pytest.raises(anthropic.RateLimitError) as caught:
        await streamed(client)
    assert caught.value.response.headers.get("retry-after") == header


async def test_the_usage_limit_is_a_400_with_the_real_words(
    model: ScriptedModel, client: anthropic.AsyncAnthropic
) -> None:
    """One's own spend limit is a BadRequestError that only its words tell apart."""
    model.faults.order(FaultKind.USAGE_LIMIT)
    with pytest.raises(anthropic.BadRequestError, match="You have reached your specified API usage limits"):
        await streamed(client)


@pytest.mark.parametrize("after_bytes", [0, 40])
@pytest.mark.parametrize("error_type", ["overloaded_error", "api_error", "rate_limit_error"])
async def test_an_error_inside_a_stream_has_status_200(
    model: ScriptedModel, client: anthropic.AsyncAnthropic, after_bytes: int, error_type: str
) -> None:
    """The SDK raises the bare APIStatusError, status 200, and `.type` says what it is."""
    model.faults.order(Fault(FaultKind.STREAM_ERROR, after_bytes=after_bytes, error_type=error_type))
    with pytest.raises(anthropic.APIStatusError) as caught:
        await streamed(client)
    assert type(caught.value) is anthropic.APIStatusError
    assert (caught.value.status_code, caught.value.type) == (200, error_type)


async def test_a_clean_cut_raises_nothing(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """A stream that ends without message_stop leaves stop_reason None and the text so far."""
    model.faults.order(Fault(FaultKind.CUT, after_bytes=40))
    message = await streamed(client)
    assert message.stop_reason is None
    assert len(text_of(message).encode()) == 40


async def test_a_reset_is_a_raw_network_error(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """A connection reset in the middle of the stream is an httpx2 error, not an AnthropicError."""
    model.faults.order(Fault(FaultKind.RESET, after_bytes=40))
    with pytest.raises(httpx2.HTTPError):
        await streamed(client)


async def test_truncation_ends_inside_a_string(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """max_tokens: HTTP 200, stop_reason max_tokens, JSON that does not parse, usage billed."""
    model.faults.order(FaultKind.MAX_TOKENS)
    message = await streamed(client)
    assert message.stop_reason == "max_tokens"
    assert message.usage.output_tokens > 1
    with pytest.raises(json.JSONDecodeError, match="Unterminated string"):
        json.loads(text_of(message))


async def test_a_small_max_tokens_truncates_without_any_order(client: anthropic.AsyncAnthropic) -> None:
    """The caller's own max_tokens is obeyed."""
    message = await streamed(client, max_tokens=5)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)


async def test_a_refusal_is_plain_text(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """stop_reason refusal with details, and a text that is no JSON."""
    model.faults.order(FaultKind.REFUSAL)
    message = await streamed(client)
    assert message.stop_reason == "refusal"
    assert message.stop_details is not None
    with pytest.raises(json.JSONDecodeError):
        json.loads(text_of(message))


async def test_pings_keep_a_stream_alive_without_an_answer(
    model: ScriptedModel, client: anthropic.AsyncAnthropic
) -> None:
    """Read timeouts do not end a stream of pings; only the caller's own deadline does. The call is then abandoned."""
    model.faults.order(FaultKind.PINGS)
    sdk = client.with_options(timeout=httpx2.Timeout(0.15))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await streamed(sdk)
    await model.calls.wait_for(lambda calls: calls[0].state == "abandoned")


async def test_html_with_status_200_is_no_message(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """A proxy's page: without streaming the SDK returns a str, not a Message."""
    model.faults.order(FaultKind.HTML)
    assert isinstance(await client.messages.create(**call()), str)


@pytest.mark.parametrize("stream", [False, True])
async def test_broken_json_with_status_200(
    model: ScriptedModel, client: anthropic.AsyncAnthropic, stream: bool
) -> None:
    """JSON that does not parse escapes the SDK as a raw JSONDecodeError, streamed or not."""
    model.faults.order(FaultKind.BROKEN_JSON)
    with pytest.raises(json.JSONDecodeError):
        await (streamed(client) if stream else client.messages.create(**call()))


async def test_a_held_call_waits_for_its_release(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """`hold` stops a call before its answer begins; `release` lets it go on as if nothing had happened."""
    model.faults.order(FaultKind.HOLD)
    waiting = asyncio.create_task(streamed(client))
    await model.calls.wait_until_held()
    assert not waiting.done()
    model.release()
    assert (await waiting).stop_reason == "end_turn"


async def test_a_held_call_ends_with_its_client(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """A client that dies while its call is held leaves an abandoned call and nothing that lingers."""
    model.faults.order(Fault(FaultKind.HOLD, after_bytes=30))
    waiting = asyncio.create_task(streamed(client))
    await model.calls.wait_until_held()
    waiting.cancel()
    await model.calls.wait_for(lambda calls: calls[0].state == "abandoned")


async def test_a_fault_can_be_meant_for_one_booking(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """`match` leaves other requests alone."""
    model.faults.order(Fault(FaultKind.OVERLOADED, match="r-2"))
    assert (await streamed(client)).stop_reason == "end_turn"
    with pytest.raises(anthropic.OverloadedError):
        await streamed(client, messages=[{"role": "user", "content": REQUEST.replace("r-1", "r-2")}])


async def test_wrong_proposals_first_then_the_right_one(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """Ordered mistakes are answered in turn; the correction after them gets the good plan and is counted."""
    system = "<catalogue>\n" + "\n".join(catalogue_lines()) + "\n</catalogue>"
    request = {"request_id": "r-9", "text": "A car in Lisbon 3-10 May, customer c-118", "today": "2026-11-23"}
    messages: list[Any] = [{"role": "user", "content": f"<request>\n{json.dumps(request)}\n</request>"}]
    model.faults.order(FaultKind.UNKNOWN_ACTION, FaultKind.EMPTY_PLAN)
    answers = []
    for _ in range(3):
        text = text_of(await streamed(client, system=system, messages=messages))
        answers.append(json.loads(text))
        faults = '<faults>\n[{"code": "X", "task": "t", "field": "", "message": "m"}]\n</faults>\nAgain.'
        messages += [{"role": "assistant", "content": text}, {"role": "user", "content": faults}]
    assert answers[0]["tasks"][0]["action"] == "teleports.book"
    assert answers[1]["tasks"] == []
    assert {task["action"] for task in answers[2]["tasks"]} >= {"cars.search", "cars.hold", "cars.book"}
    assert [entry.corrections for entry in model.calls] == [0, 1, 2]
    assert [entry.outcome for entry in model.calls] == ["plan"] * 3
    assert {entry.booking_request_id for entry in model.calls} == {"r-9"}


# ------------------------------------------------------------------------------------------------- controls and process


async def test_faults_and_calls_over_http(model: ScriptedModel, client: anthropic.AsyncAnthropic) -> None:
    """Orders arrive and calls are listed through /_scripted; a bad order is a 400 that lists what is known."""
    async with httpx2.AsyncClient(base_url=model.url) as http:
        ordered = await http.post("/_scripted/faults", json=[{"kind": "overloaded", "count": 2}])
        assert [fault["kind"] for fault in ordered.json()] == ["overloaded"]
        with pytest.raises(anthropic.OverloadedError):
            await streamed(client)
        assert (await http.get("/_scripted/faults")).json()[0]["count"] == 1
        bad = await http.post("/_scripted/faults", json=[{"kind": "flood"}])
        assert bad.status_code == 400
        assert "overloaded" in bad.json()["error"]
        assert (await http.post("/_scripted/faults", json=[{"kind": "cut", "when": 1}])).status_code == 400
        listed = (await http.get("/_scripted/calls")).json()
        assert [(entry["fault"], entry["status"], entry["booking_request_id"]) for entry in listed] == [
            ("overloaded", 529, "r-1")
        ]
        assert (await http.delete("/_scripted/faults")).json() == []
        assert (await http.post("/_scripted/release")).json() == {"released": 0}


async def test_it_runs_as_a_process_of_its_own() -> None:
    """`python -m jada_orchestrator.sandbox.model --port 0` says where it listens, answers, and ends with status 0."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jada_orchestrator.sandbox.model", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert "stand-in" in line
        async with anthropic.AsyncAnthropic(api_key="any", base_url=line.split()[-1], max_retries=0) as client:
            assert (await client.models.retrieve(SONNET)).lifecycle == "active"
    finally:
        process.terminate()
    assert await process.wait() == 0


async def test_help_teaches() -> None:
    """--help names the environment variable, every fault kind, and that it is a stand-in."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "jada_orchestrator.sandbox.model", "--help", stdout=asyncio.subprocess.PIPE
    )
    text = (await process.communicate())[0].decode()
    assert process.returncode == 0
    for word in ("ANTHROPIC_BASE_URL", "stand-in", *FaultKind):
        assert word in text
