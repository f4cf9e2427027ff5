"""The real daemon on PostgreSQL: bookings go the whole way, through kills of it and crashes of the database."""

from __future__ import annotations

import asyncio
import json

import pytest

from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.service.doctor.store import check_store
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.testing.postgres_server import PostgresServer
from tests.integration.surroundings import Surroundings, a_request, run_command

pytestmark = pytest.mark.asyncio(loop_scope="session")

THREE = tuple(f"pg-{number}" for number in range(3))


async def test_bookings_on_postgresql_survive_kills_and_crashes(
    around: Surroundings, postgres_server: PostgresServer
) -> None:
    """Killed amid holds, with the database restarted at once under it, every booking ends once and whole."""
    store = f"{postgres_server.url()}?schema=daemon"
    await around.order_fault("flights.ticket", "fail", "AIRLINE_REFUSED", request="pg-0")
    await around.order_fault("hotels.search", "slow", "8", request="pg-1")  # so that there is something to claim
    await around.order_fault("payments.capture", "cut", "after:1", request="pg-2")
    daemon = around.daemon({"JADA_STORE": store, "JADA_LEASE": "5"})
    async with daemon:
        for request_id in THREE:
            await around.send(a_request(request_id))
        await daemon.told("workflow.accepted", count=len(THREE))
        await daemon.told("task.succeeded", count=9)
        await daemon.kill()
        await daemon.start()
        # The killed one was an instance of its own: what it owned is claimed once its lease has run out, which on a
        # machine that starts it slowly is over by then.
        claims = ("daemon.recovered", "workflows.claimed")
        await until(
            lambda: any(line["jada_workflows"] > 0 for event in claims for line in daemon.events(event)),
            "workflows of the killed one",
            otherwise=daemon.story,
        )
        await daemon.told("task.succeeded", count=5)
        await asyncio.to_thread(postgres_server.restart)
        await until(
            lambda: set(THREE) <= set(around.outcomes.statuses()),
            "three outcomes",
            otherwise=lambda: f"{around.outcomes.statuses()} {daemon.story()}",
        )
        status = json.loads(await run_command(around, store, "status", "--json"))
        assert status["store"].startswith("postgresql://")
        assert await daemon.stop() == 0
    outcomes = around.outcomes.statuses()
    assert {outcomes[request_id] for request_id in THREE if request_id != "pg-0"} == {"completed"}
    assert outcomes["pg-0"] == "compensated"
    books = await around.books()
    assert books.doubled == ()
    assert books.miscounted == ()
    assert await around.half_made(outcomes) == []


async def test_the_commands_read_the_store(around: Surroundings, postgres_server: PostgresServer) -> None:
    """After the daemon has gone, list, show, why and the doctor's check of the store answer from the database."""
    store = f"{postgres_server.url()}?schema=daemon"
    listed, shown, story = await asyncio.gather(
        run_command(around, store, "list", "--json"),
        run_command(around, store, "show", "pg-1", "--json"),
        run_command(around, store, "why", "pg-1"),
    )
    assert {each["request_id"] for each in json.loads(listed)} >= set(THREE)
    assert json.loads(shown)["status"] == "completed"
    assert "hold_flight" in story
    found = {each.code: each.verdict for each in await check_store(Settings(store=store))}
    found.pop("STORE_FAR", None)  # a busy machine answers late
    # The tests' server gives up safety for speed, and the doctor sees it.
    assert found == {"STORE": "ok", "STORE_UNSAFE": "failure"}


async def test_a_database_that_is_away_is_no_start(around: Surroundings) -> None:
    """A daemon whose database cannot be reached ends with the status for that, and says which and why."""
    daemon = around.daemon({"JADA_STORE": "postgresql://jada:secret-word@127.0.0.1:1/jada"})
    async with daemon:
        assert await daemon.ended() == 3
        [line] = daemon.events("daemon.unreachable")
    assert "postgresql://127.0.0.1:1/jada" in line["message"]
    assert "secret-word" not in json.dumps(daemon.lines) + "".join(daemon.raw)
