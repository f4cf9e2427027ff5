"""Claude on AWS Bedrock: the exact form on the wire, against a loopback server that speaks its event stream."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
import zlib
from collections.abc import Mapping
from typing import Final

import pytest

from jada_orchestrator.adapters.claude import ClientSettings, ModelConfigurationError, Provider, open_planner
from jada_orchestrator.adapters.claude.client import create_bedrock_client
from jada_orchestrator.ports.planner import PlannerError
from tests.unit.adapters.claude.questions import HAIKU, SONNET, question
from tests.unit.adapters.claude.raw_server import http, serve

ANSWER: Final[tuple[Mapping[str, object], ...]] = (
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-4-6",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 12, "output_tokens": 1, "cache_read_input_tokens": 5},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": '{"outcome":"refuse"}'}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop"},
)


def frame(payload: bytes, headers: dict[str, str]) -> bytes:
    """One message of the AWS event-stream encoding (``application/vnd.amazon.eventstream``)."""
    encoded = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    body = prelude + struct.pack(">I", zlib.crc32(prelude)) + encoded + payload
    return body + struct.pack(">I", zlib.crc32(body))


def chunk(event: Mapping[str, object]) -> bytes:
    """One event of the model as Bedrock wraps it."""
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode()}).encode()
    return frame(payload, {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"})


STREAM = b"".join(chunk(event) for event in ANSWER)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/vnd.amazon.eventstream\r\ncontent-length: %d\r\n\r\n" % len(
    STREAM
)


@pytest.fixture(autouse=True)
def credentials_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials as an instance or a container has them."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "made-up")
    monkeypatch.delenv("AWS_BEARER_TOKEN_BEDROCK", raising=False)


@pytest.mark.parametrize(
    ("model", "prefix", "path", "version"),
    [
        (SONNET, "us.", "/model/us.anthropic.claude-sonnet-4-6/", "bedrock-2023-05-31"),
        (HAIKU, "", "/model/anthropic.claude-haiku-4-5-20251001-v1:0/", "bedrock-2023-05-31"),
        ("claude-sonnet-5-5", "global.", "/model/global.anthropic.claude-sonnet-5-5/", "2026-10-21"),
    ],
)
async def test_the_form_on_the_wire(
    monkeypatch: pytest.MonkeyPatch, model: str, prefix: str, path: str, version: str
) -> None:
    """Bedrock's own id is in the path, the version that the model knows in the body, and the request is signed."""
    provider = Provider("bedrock", prefix, "eu-west-1")
    async with serve(HEAD + STREAM) as server:
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.url)
        async with asyncio.timeout(20), open_planner(ClientSettings(1), provider=provider) as planner:
            answer = await planner.propose(question(model=model))
    head, body = server.requests[0]
    assert head.split(b" ")[1].decode().replace("%3A", ":") == f"{path}invoke-with-response-stream"
    assert b"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" in head
    assert b"/eu-west-1/bedrock/aws4_request" in head
    assert body["anthropic_version"] == version
    assert not {"model", "stream"} & body.keys()
    assert body["system"][0]["cache_control"] == {"type": "ephemeral"}
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert (answer.text, answer.usage.cache_read_tokens, answer.usage.output_tokens) == ('{"outcome":"refuse"}', 5, 7)


async def test_a_region_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any region the operator is told to set one."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    with pytest.raises(ModelConfigurationError, match="AWS_REGION"):
        create_bedrock_client(ClientSettings(1), Provider("bedrock"))


async def test_nothing_is_asked_about_models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bedrock has no Models API: what is known of a model comes from the shipped table, without a call."""
    monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", "http://127.0.0.1:9")
    async with open_planner(ClientSettings(1), provider=Provider("bedrock", region="eu-west-1")) as planner:
        assert await planner.learn(SONNET, question().now) == ()
        assert planner.facts_of(SONNET).structured_outputs


@pytest.mark.parametrize(
    ("status", "error", "message", "code", "kind"),
    [
        (400, "ValidationException", "The provided model identifier is invalid.", "MODEL_UNKNOWN", "stopped"),
        (
            400,
            "ValidationException",
            "Invocation of model ID x with on-demand throughput isn't supported. Retry with an inference profile.",
            "MODEL_UNKNOWN",
            "stopped",
        ),
        (404, "ResourceNotFoundException", "Model not found.", "MODEL_UNKNOWN", "stopped"),
        (400, "ValidationException", "Invalid API version: 2026-10-21", "MODEL_SETTINGS_REFUSED", "stopped"),
        (400, "ValidationException", "messages.0: text is odd", "MODEL_BAD_REQUEST", "permanent"),
        (400, "ServiceQuotaExceededException", "Too many tokens per day", "MODEL_RATE_LIMITED", "wait"),
        (403, "AccessDeniedException", "no access", "MODEL_NOT_PERMITTED", "stopped"),
        (408, "ModelTimeoutException", "late", "MODEL_TIMEOUT", "wait"),
        (424, "ModelErrorException", "while processing the model", "MODEL_UNAVAILABLE", "wait"),
        (429, "ThrottlingException", "slower", "MODEL_RATE_LIMITED", "wait"),
        (503, "ServiceUnavailableException", "away", "MODEL_UNAVAILABLE", "wait"),
    ],
)
async def test_an_error_of_bedrock(
    monkeypatch: pytest.MonkeyPatch, status: int, error: str, message: str, code: str, kind: str
) -> None:
    """Each error that Bedrock declares, without the API's error body: only what is the request's own ends it."""
    named = {"x-amzn-requestid": "5f1c", "x-amzn-errortype": f"{error}:http://internal.amazon.com/coral/"}
    async with serve(http(status, {"message": message}, **named)) as server:
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.url)
        provider = Provider("bedrock", region="eu-west-1")
        async with asyncio.timeout(20), open_planner(ClientSettings(1), provider=provider) as planner:
            with pytest.raises(PlannerError) as caught:
                await planner.propose(question())
    assert (caught.value.failure.code, caught.value.kind) == (code, kind)


def test_ids_of_bedrock_are_left_alone() -> None:
    """What an operator wrote in Bedrock's own form reaches the wire as it is."""
    assert Provider("bedrock", "us.").wire_model("eu.anthropic.claude-sonnet-4-6") == "eu.anthropic.claude-sonnet-4-6"
    assert Provider().wire_model(SONNET) == SONNET
    assert Provider().extra_body(SONNET) is None
