"""What is known of a model at start, and what the operator is warned of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from jada_orchestrator.adapters.claude import ClaudePlanner, ClientSettings, ModelFacts, PlannerSettings, create_client
from jada_orchestrator.adapters.claude.models import KnownModels, warnings_about
from jada_orchestrator.domain.instants import UtcMs, parse_instant
from jada_orchestrator.sandbox.model import ScriptedModel
from tests.unit.adapters.claude.questions import CATALOGUE, HAIKU, NOW, SONNET, question
from tests.unit.adapters.claude.raw_server import (
    BLOCK,
    HANG,
    START,
    STREAM,
    api_error,
    ending,
    http,
    serve,
    text,
)

DAY_MS = 86_400_000
ACTIVE = ModelFacts(SONNET, lifecycle="active", structured_outputs=True)


@asynccontextmanager
async def planner_at(url: str, known: KnownModels | None = None, **settings: Any) -> AsyncIterator[ClaudePlanner]:
    """A planner that asks the server at `url`."""
    environ = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": url}
    client = create_client(ClientSettings(connections=2), environ)
    planner = ClaudePlanner(client, connections=2, settings=PlannerSettings(**settings), known=known)
    try:
        yield planner
    finally:
        await planner.close()


@pytest.mark.parametrize(
    ("model", "codes", "effort"),
    [
        (SONNET, [], True),
        (HAIKU, [], False),
        ("claude-sonnet-4-5", ["MODEL_DEPRECATED", "MODEL_RETIRES_SOON"], False),
        ("claude-3-7-sonnet-20250219", ["MODEL_RETIRED"], False),
        ("claude-unheard-of", ["MODEL_UNKNOWN"], False),
    ],
)
async def test_models_are_asked_about(model: str, codes: list[str], effort: bool) -> None:
    """The service's word on lifecycle and abilities is kept, and what is wrong with a model is a warning."""
    async with ScriptedModel() as server, planner_at(server.url) as planner:
        warnings = await planner.learn(model, NOW, CATALOGUE)
        assert [warning.code for warning in warnings] == codes
        assert bool(planner.facts_of(model).efforts) is effort


async def test_a_prompt_that_is_too_short_for_the_cache_is_a_warning() -> None:
    """A model whose cache takes longer prompts only has every call pay for the whole prompt: that is said at start."""
    known = KnownModels({HAIKU: replace(KnownModels.shipped().facts_of(HAIKU), cache_minimum_tokens=100_000)})
    async with ScriptedModel() as server, planner_at(server.url, known) as planner:
        warnings = await planner.learn(HAIKU, NOW, CATALOGUE)
        assert [warning.code for warning in warnings] == ["PROMPT_NOT_CACHED"]


@pytest.mark.parametrize(
    "answer",
    [
        http(503, b""),
        http(401, api_error("authentication_error", "no")),
        http(200, b"<html>Welcome</html>"),
        http(200, b'{"type": "mod'),
        http(200, {"id": SONNET, "capabilities": {"effort": 7}}),
        b"",
    ],
)
async def test_a_service_that_cannot_be_asked_is_a_warning(answer: bytes) -> None:
    """Whatever the service does, the start goes on with what the shipped table knows."""
    async with serve(answer) as server, planner_at(server.url) as planner:
        warnings = await planner.learn(SONNET, NOW)
        assert [warning.code for warning in warnings] == ["MODEL_NOT_ASKED"]
        assert planner.facts_of(SONNET) == KnownModels.shipped().facts_of(SONNET)
        assert len(server.requests) == 1


async def test_a_service_that_tells_little_is_believed() -> None:
    """A server that knows the model and not its abilities leaves the table's."""
    info = {"type": "model", "id": SONNET, "display_name": "x", "created_at": "2026-02-17T00:00:00Z"}
    async with serve(http(200, {**info, "lifecycle": "active"})) as server, planner_at(server.url) as planner:
        assert await planner.learn(SONNET, NOW) == ()
        known = KnownModels.shipped().facts_of(SONNET)
        assert planner.facts_of(SONNET) == replace(known, lifecycle="active")


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (ACTIVE, []),
        (replace(ACTIVE, retires_at=UtcMs(NOW + 60 * DAY_MS)), ["MODEL_RETIRES_SOON"]),
        (replace(ACTIVE, retires_at=UtcMs(NOW + 61 * DAY_MS)), []),
        (replace(ACTIVE, lifecycle="deprecated"), ["MODEL_DEPRECATED"]),
        (
            replace(ACTIVE, lifecycle="deprecated", retires_at=parse_instant("2026-11-30T00:00:00Z")),
            ["MODEL_DEPRECATED", "MODEL_RETIRES_SOON"],
        ),
        (replace(ACTIVE, lifecycle="retired"), ["MODEL_RETIRED"]),
        (replace(ACTIVE, structured_outputs=False), ["MODEL_WITHOUT_STRUCTURED_OUTPUTS"]),
        (replace(ACTIVE, structured_outputs=None), []),
    ],
)
def test_warnings(facts: ModelFacts, codes: list[str]) -> None:
    """Deprecation, an end within sixty days and a lacking ability are warned of; ignorance is not."""
    assert [warning.code for warning in warnings_about(facts, NOW)] == codes


def test_the_table() -> None:
    """The table knows the default model and Haiku 4.5 under both of its names, and claims nothing of others."""
    known = KnownModels.shipped()
    assert known.facts_of(SONNET).cache_minimum_tokens == 1_024
    assert "medium" in known.facts_of(SONNET).efforts
    assert known.facts_of("claude-haiku-4-5-20251001").cache_minimum_tokens == 4_096
    assert not known.facts_of(HAIKU).efforts
    assert known.facts_of("claude-unheard-of") == ModelFacts("claude-unheard-of")


@pytest.mark.parametrize(
    ("model", "settings", "config", "max_tokens"),
    [
        (SONNET, {}, {"effort": "medium"}, 16_000),
        (SONNET, {"effort": "low"}, {"effort": "low"}, 16_000),
        (SONNET, {"effort": None}, {}, 16_000),
        (SONNET, {"max_tokens": 1_000_000}, {"effort": "medium"}, 128_000),
        (HAIKU, {}, {}, 16_000),
        ("claude-unheard-of", {}, {}, 16_000),
    ],
)
async def test_what_is_sent(model: str, settings: dict[str, Any], config: dict[str, str], max_tokens: int) -> None:
    """Effort goes only to models that take it, no sampling parameter ever, and output is bounded by the model's."""
    whole = START + BLOCK + text("{}") + ending("end_turn")
    async with serve(STREAM, whole) as server, planner_at(server.url, **settings) as planner:
        await planner.propose(question(model=model))
        ((head, body),) = server.requests
    assert sorted(body) == ["max_tokens", "messages", "model", "output_config", "stream", "system"]
    assert {key: value for key, value in body["output_config"].items() if key != "format"} == config
    assert body["output_config"]["format"]["type"] == "json_schema"
    assert (body["model"], body["max_tokens"], body["stream"]) == (model, max_tokens, True)
    assert b"authorization: bearer key" in head.lower()


async def test_an_effort_that_the_model_lacks_is_said() -> None:
    """A configured level that this model does not have is a warning, and is not sent."""
    levels = {level: {"supported": level == "low"} for level in ("low", "medium", "high", "xhigh", "max")}
    info = {
        "type": "model",
        "id": SONNET,
        "display_name": "x",
        "created_at": "2026-02-17T00:00:00Z",
        "lifecycle": "active",
        "capabilities": {"effort": {"supported": True, **levels}, "structured_outputs": {"supported": True}},
    }
    async with serve(http(200, info)) as server, planner_at(server.url) as planner:
        warnings = await planner.learn(SONNET, NOW)
    assert [warning.code for warning in warnings] == ["EFFORT_UNSUPPORTED"]
    assert planner.facts_of(SONNET).efforts == {"low"}


async def test_a_silent_service_does_not_hold_up_the_start() -> None:
    """The read timeout of the client bounds the asking too."""
    async with serve(HANG) as server:
        environ = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": server.url}
        planner = ClaudePlanner(create_client(ClientSettings(1, read_timeout_s=0.1), environ), connections=1)
        warnings = await planner.learn(SONNET, NOW)
        await planner.close()
    assert [warning.code for warning in warnings] == ["MODEL_NOT_ASKED"]


async def test_what_a_server_leaves_out_is_taken_from_the_table() -> None:
    """A server that tells less than the service does (a proxy, an older one) takes nothing back that is known."""
    told = {"id": "claude-sonnet-4-5", "type": "model", "display_name": "old", "created_at": "2025-09-29T00:00:00Z"}
    async with serve(http(200, told)) as server, planner_at(server.url) as planner:
        codes = [fault.code for fault in await planner.learn("claude-sonnet-4-5", NOW)]
    assert "MODEL_DEPRECATED" in codes
