"""The Batches API: many questions in one batch at half the price, waited for again after an interruption."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from jada_orchestrator.adapters.claude import ClaudePlanner, ClientSettings, Provider, create_client, open_planner
from jada_orchestrator.adapters.claude.batches import BatchPlanner
from jada_orchestrator.ports.planner import PlannerError
from tests.unit.adapters.claude.questions import question, request


class BatchServer:
    """A stand-in for ``/v1/messages/batches``: a batch ends when it has been asked after often enough."""

    def __init__(self) -> None:
        self.batches: dict[str, list[dict[str, Any]]] = {}
        self.looks_until_end = 2
        self.url = ""
        self.refuses = ""
        self.looked = asyncio.Event()

    def application(self) -> web.Application:
        application = web.Application()
        application.router.add_post("/v1/messages/batches", self._create)
        application.router.add_get("/v1/messages/batches/{id}", self._look)
        application.router.add_get("/v1/messages/batches/{id}/results", self._results)
        return application

    async def _create(self, asked: web.Request) -> web.Response:
        batch_id = f"msgbatch_{len(self.batches) + 1}"
        self.batches[batch_id] = (await asked.json())["requests"]
        return web.json_response(self._batch(batch_id, "in_progress"))

    async def _look(self, asked: web.Request) -> web.Response:
        self.looks_until_end -= 1
        self.looked.set()
        return web.json_response(
            self._batch(asked.match_info["id"], "ended" if self.looks_until_end <= 0 else "in_progress")
        )

    async def _results(self, asked: web.Request) -> web.Response:
        lines = [self._line(entry) for entry in reversed(self.batches[asked.match_info["id"]])]
        return web.Response(text="\n".join(map(json.dumps, lines)) + "\n", content_type="application/x-jsonl")

    def _line(self, entry: dict[str, Any]) -> dict[str, Any]:
        said = json.dumps(entry["params"]["messages"])
        if self.refuses and self.refuses in said:
            return {"custom_id": entry["custom_id"], "result": {"type": "expired"}}
        message = {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": entry["params"]["model"],
            "content": [{"type": "text", "text": json.dumps({"said": "Porto" in said})}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 300, "output_tokens": 900, "cache_read_input_tokens": 6_000},
        }
        return {"custom_id": entry["custom_id"], "result": {"type": "succeeded", "message": message}}

    def _batch(self, batch_id: str, status: str) -> dict[str, Any]:
        counts = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
        return {
            "id": batch_id,
            "type": "message_batch",
            "processing_status": status,
            "request_counts": counts,
            "created_at": "2026-11-23T10:00:00Z",
            "expires_at": "2026-11-24T10:00:00Z",
            "results_url": f"{self.url}/v1/messages/batches/{batch_id}/results" if status == "ended" else None,
        }


@asynccontextmanager
async def serving() -> AsyncIterator[BatchServer]:
    """The stand-in on loopback."""
    server = BatchServer()
    runner = web.AppRunner(server.application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


def planner(server: BatchServer, state: Path, **more: int) -> BatchPlanner:
    """A planner by batches that does not wait long."""
    client = create_client(ClientSettings(2), {"ANTHROPIC_API_KEY": "made-up", "ANTHROPIC_BASE_URL": server.url})
    return BatchPlanner(ClaudePlanner(client, connections=2), state, gather_s=0.01, poll_s=0.01, **more)


async def test_questions_go_together_at_half_the_price(tmp_path: Path) -> None:
    """Questions put at once are one batch; answers in any order find their questions, and cost half."""
    async with serving() as server, asyncio.timeout(20):
        batch = planner(server, tmp_path / "state.json")
        asked = [question(request("Lisbon")), question(request("Porto"))]
        answers = await asyncio.gather(*(batch.propose(each) for each in asked))
        await batch.close()
    assert [json.loads(answer.text)["said"] for answer in answers] == [False, True]
    assert {answer.usage.usd for answer in answers} == {str(Decimal("0.0162") / 2)}
    [sent] = server.batches.values()
    assert all(len(entry["custom_id"]) == 64 and "stream" not in entry["params"] for entry in sent)


async def test_an_interrupted_batch_is_not_sent_again(tmp_path: Path) -> None:
    """Who comes back with the same question waits for the batch that is open already."""
    async with serving() as server, asyncio.timeout(20):
        server.looks_until_end = 1_000_000
        first = planner(server, tmp_path / "state.json")
        waiting = asyncio.create_task(first.propose(question()))
        await server.looked.wait()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await first.close()
        server.looks_until_end = 1
        second = planner(server, tmp_path / "state.json")
        await second.propose(question())
        await second.close()
    assert len(server.batches) == 1


async def test_a_question_without_a_result_is_an_error(tmp_path: Path) -> None:
    """What expired in a batch is this question's own failure; the others have their answers."""
    async with serving() as server, asyncio.timeout(20):
        server.refuses = "Porto"
        batch = planner(server, tmp_path / "state.json")
        good, bad = await asyncio.gather(
            batch.propose(question(request("Lisbon"))),
            batch.propose(question(request("Porto"))),
            return_exceptions=True,
        )
        await batch.close()
    assert not isinstance(good, BaseException)
    assert isinstance(bad, PlannerError)
    assert bad.failure.code == "MODEL_BATCH_FAILED"


async def test_more_than_a_batch_takes_goes_in_several(tmp_path: Path) -> None:
    """What is too large for one batch is cut, everything is sent, and each batch is known afterwards."""
    async with serving() as server, asyncio.timeout(20):
        server.looks_until_end = 1
        state = tmp_path / "state.json"
        batch = planner(server, state, bytes_max=1)
        asked = [question(request(city)) for city in ("Lisbon", "Porto", "Faro")]
        answers = await asyncio.gather(*(batch.propose(each) for each in asked))
        await batch.close()
    assert [len(sent) for sent in server.batches.values()] == [1, 1, 1]
    assert [json.loads(answer.text)["said"] for answer in answers] == [False, True, False]
    assert sorted(json.loads(state.read_text("utf-8")).values()) == sorted(server.batches)


async def test_what_expired_is_sent_anew_by_the_next_run(tmp_path: Path) -> None:
    """It has cost nothing, so it is no answer to be kept: the same question is put again, in a batch of its own."""
    async with serving() as server, asyncio.timeout(20):
        server.refuses = "Porto"
        first = planner(server, tmp_path / "state.json")
        with pytest.raises(PlannerError) as caught:
            await first.propose(question(request("Porto")))
        await first.close()
        assert caught.value.kind == "stopped", "a rehearsal keeps what is permanent, and ends with what there is else"
        server.refuses, server.looks_until_end = "", 1
        second = planner(server, tmp_path / "state.json")
        await second.propose(question(request("Porto")))
        await second.close()
    assert len(server.batches) == 2


async def test_a_provider_without_batches_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a service that will never take a batch."""
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "made-up")
    provider = Provider("bedrock", region="eu-west-1")
    async with asyncio.timeout(20), open_planner(ClientSettings(1), provider=provider) as whole:
        batch = BatchPlanner(whole, tmp_path / "state.json", gather_s=0.01)
        with pytest.raises(PlannerError, match="without --batch") as caught:
            await batch.propose(question())
    assert caught.value.kind == "stopped"


async def test_a_service_that_refuses_batches_is_classified(tmp_path: Path) -> None:
    """An error of the service meets every question as the port's own error."""
    async with serving() as server, asyncio.timeout(20):
        server.url += "/nowhere"
        batch = planner(server, tmp_path / "state.json")
        with pytest.raises(PlannerError) as caught:
            await batch.propose(question())
        await batch.close()
    assert caught.value.kind == "stopped"
