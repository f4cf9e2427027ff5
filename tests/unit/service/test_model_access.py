"""Commands ask the model that the daemon would ask, where and for what the daemon would."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.service.dry_run import plan
from jada_orchestrator.service.exam.sitting import open_examined
from jada_orchestrator.service.model_access import open_model
from jada_orchestrator.service.refusals import MisconfiguredError
from jada_orchestrator.service.settings import Settings, reference_catalogue
from jada_orchestrator.service.settings_tiers import load_settings
from tests.unit.adapters.claude.questions import question, request
from tests.unit.adapters.claude.raw_server import serve
from tests.unit.adapters.claude.test_bedrock import HEAD, STREAM

LADDER = {
    "models.plan": "claude-haiku-4-5,claude-sonnet-4-6",
    "models.raise_longer_than": 200,
    "models.provider": "bedrock",
    "models.bedrock_prefix": "eu.",
}
HAIKU = "/model/eu.anthropic.claude-haiku-4-5-20251001-v1:0/"
SONNET = "/model/eu.anthropic.claude-sonnet-4-6/"


@pytest.fixture(autouse=True)
def a_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A host with credentials of AWS and without a key of the Anthropic API."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "made-up")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")


def settings(**flags: object) -> Settings:
    """The settings with these flags."""
    return load_settings({"catalogue": str(reference_catalogue()), **flags}).settings


async def asked_of(monkeypatch: pytest.MonkeyPatch, what: str, asked: PlannerQuestion) -> str:
    """The path of the request that a command makes."""
    async with asyncio.timeout(20), serve(HEAD + STREAM) as server:
        monkeypatch.setenv("ANTHROPIC_BEDROCK_BASE_URL", server.url)
        if what == "plan":
            await plan(settings(**LADDER), asked.request, asked.now)
        elif what == "exam":
            async with open_examined(settings(**LADDER), [asked.model], 1, asked.now) as planner:
                await planner.propose(asked)
        else:
            async with open_model(settings(**LADDER), 1) as planner:
                await planner.propose(asked)
    head, _ = server.requests[0]
    return head.split(b" ")[1].decode().replace("%3A", ":").removesuffix("invoke-with-response-stream")


@pytest.mark.parametrize("what", ["plan", "exam", "daemon"])
async def test_everybody_asks_who_serves_the_models(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """`models.provider` and its prefix count for a dry run and an exam as they count for the daemon."""
    assert await asked_of(monkeypatch, what, question(model="claude-haiku-4-5")) == HAIKU


@pytest.mark.parametrize(("text", "path"), [("a room", HAIKU), ("a room " * 60, SONNET)])
async def test_a_dry_run_begins_where_the_daemon_would(monkeypatch: pytest.MonkeyPatch, text: str, path: str) -> None:
    """A plan that is only looked at comes from the rung of the ladder at which such a request begins."""
    assert await asked_of(monkeypatch, "plan", question(request(text))) == path


async def test_a_price_list_that_is_none_is_told_as_what_it_is(tmp_path: Path) -> None:
    """A command says which file to mend, as the daemon does."""
    path = tmp_path / "prices.json"
    path.write_text("[]", encoding="utf-8")
    broken = settings(**LADDER, **{"models.prices": str(path)})
    with pytest.raises(MisconfiguredError, match=r"prices\.json is no price list"):
        await plan(broken, question().request, question().now)
