"""SIGTERM drains, SIGHUP takes new settings for what begins later."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from jada_orchestrator.sandbox.model import Fault, FaultKind
from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_sigterm_lets_what_is_in_flight_end_and_parks_the_rest(alone: Surroundings) -> None:
    """A drain waits for the call that is in flight, exits 0, and the next run takes the booking to its end."""
    await alone.order_fault("hotels.hold", "slow", "2", request="drain-1")
    daemon = alone.daemon({"JADA_LOG_LEVEL": "debug"})
    async with daemon:
        await daemon.ready()
        await alone.send(a_request("drain-1"))
        await daemon.told("attempt.started", request_id="drain-1", task_id="hold_hotel")
        assert await daemon.stop() == 0
        drained = [line["jada_event"] for line in daemon.lines]
        assert "daemon.draining" in drained
        assert drained[-1] == "daemon.drained"
        at = drained.index("daemon.draining")
        later = daemon.lines[at:]
        assert [
            line for line in later if line["jada_event"] == "task.succeeded" and line["jada_task_id"] == "hold_hotel"
        ]
        assert not [line for line in later if line["jada_event"] == "attempt.started"], "nothing new is begun"
        assert alone.outcomes.about("drain-1") == []
        await daemon.start()
        outcome = await alone.outcomes.outcome("drain-1")
        assert outcome["data"]["status"] == "completed"
        attempts = {task["id"]: task["attempts"] for task in outcome["data"]["tasks"]}
        assert attempts["hold_hotel"] == 1, "what had ended was not called again"
        assert await daemon.stop() == 0
    assert await alone.half_made({"drain-1": "completed"}) == []


async def test_sigterm_is_bounded(alone: Surroundings) -> None:
    """What does not end within the drain's time is parked, the exit status is 0, and the next run resumes it."""
    alone.model.faults.order(Fault(FaultKind.HOLD, match="park-1"))
    daemon = alone.daemon({"JADA_DRAIN_SECONDS": "0.5"})
    async with daemon:
        await daemon.ready()
        await alone.send(a_request("park-1"))
        await alone.held("park-1")
        assert await daemon.stop() == 0
        assert daemon.events("daemon.parked")
        await daemon.start()
        outcome = await alone.outcomes.outcome("park-1")
        assert outcome["data"]["status"] == "completed"
        assert await daemon.stop() == 0
    assert await alone.half_made({"park-1": "completed"}) == []


async def test_sighup_while_it_starts_ends_nothing(alone: Surroundings) -> None:
    """A reload that comes too early is refused with what to do; a daemon that died of it would not be started again."""
    async with alone.daemon({}) as daemon:
        await daemon.told("daemon.descriptors")
        daemon.signal(signal.SIGHUP)
        refused = await daemon.told("daemon.reload_refused")
        assert "reload again" in refused["message"]
        await daemon.ready()
        assert await daemon.stop() == 0


async def test_sigterm_while_it_starts_breaks_the_start_off(alone: Surroundings) -> None:
    """A start that waits for a service which does not answer ends at once, in good order, with status 0."""
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with alone.daemon({"AWS_ENDPOINT_URL": endpoint}) as daemon:
            await daemon.told("daemon.descriptors")
            asking, _ = await asyncio.to_thread(deaf.accept)  # after its queues
            with asking:
                assert await daemon.stop() == 0
            assert [line["jada_event"] for line in daemon.lines][-1] == "daemon.drained"
            assert daemon.raw == []
            assert not daemon.events("daemon.ready")


async def test_sigterm_breaks_off_what_is_being_taken(alone: Surroundings, tmp_path: Path) -> None:
    """A reload that waits for a model which does not answer holds no end up: it is broken off, and nothing said."""
    settings = tmp_path / "settings.json"
    settings.write_text("{}", "utf-8")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        endpoint = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        async with alone.daemon({"ANTHROPIC_BASE_URL": endpoint, "JADA_SETTINGS": str(settings)}) as daemon:
            await daemon.ready()
            asking, _ = await asyncio.to_thread(deaf.accept)  # after the model that it begins with
            with asking:
                settings.write_text(json.dumps({"model": "claude-haiku-4-5"}), "utf-8")
                daemon.signal(signal.SIGHUP)
                again, _ = await asyncio.to_thread(deaf.accept)  # after the one that it is to take
                with again:
                    assert await daemon.stop() == 0
            assert [line["jada_event"] for line in daemon.lines][-1] == "daemon.drained"
            assert daemon.raw == []
            assert not daemon.events("daemon.reloaded")


async def test_a_second_sigterm_hurries_nothing(alone: Surroundings) -> None:
    """Also while everything is being closed the daemon ends in its own time, and with status 0."""
    async with alone.daemon() as daemon:
        await daemon.ready()
        daemon.signal(signal.SIGTERM)
        await daemon.told("daemon.draining")
        daemon.signal(signal.SIGTERM)
        await daemon.told("daemon.drained")
        ended = asyncio.create_task(daemon.ended())
        while not ended.done():  # also while its interpreter winds up
            with suppress(ProcessLookupError):
                daemon.signal(signal.SIGTERM)
            await asyncio.wait([ended], timeout=0.005)
        assert ended.result() == 0
        assert daemon.raw == []


async def test_sighup_takes_new_settings_for_the_next_booking(alone: Surroundings, tmp_path: Path) -> None:
    """After a reload the next booking plans with the new model, and the one that is under way keeps its own."""
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"model": "claude-sonnet-4-6"}), "utf-8")
    alone.model.faults.order(Fault(FaultKind.HOLD, match="hup-1"))
    async with alone.daemon({"JADA_SETTINGS": str(settings)}) as daemon:
        await daemon.ready()
        await alone.send(a_request("hup-1"))
        await alone.held("hup-1")
        settings.write_text(json.dumps({"model": "claude-haiku-4-5"}), "utf-8")
        daemon.signal(signal.SIGHUP)
        await daemon.told("daemon.reloaded")
        await alone.send(a_request("hup-2"))
        second = await alone.outcomes.outcome("hup-2")
        alone.model.release()
        first = await alone.outcomes.outcome("hup-1")
        assert (first["data"]["model"], second["data"]["model"]) == ("claude-sonnet-4-6", "claude-haiku-4-5")
        settings.write_text('{"model": ', "utf-8")
        daemon.signal(signal.SIGHUP)
        refused = await daemon.told("daemon.reload_refused")
        assert "settings.json" in refused["message"]
        await alone.send(a_request("hup-3"))
        third = await alone.outcomes.outcome("hup-3")
        assert third["data"]["model"] == "claude-haiku-4-5"
        assert await daemon.stop() == 0
