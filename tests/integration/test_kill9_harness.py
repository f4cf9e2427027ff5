"""A short run of the harness that kills the daemon (`benchmarks/kill9.py`), and its sight tested on planted faults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.kill9_kit.killing import kill_again_and_again
from benchmarks.kill9_kit.load import Doom
from benchmarks.kill9_kit.recovery import Recovery, measure_recovery
from benchmarks.kill9_kit.verdict import judge
from jada_orchestrator.sandbox.inventory import Books
from jada_orchestrator.sandbox.inventory.audit import Doubled, Findings, Standing, audit

pytestmark = pytest.mark.asyncio(loop_scope="session")


MOMENTS = ("after a plan", "after an attempt began", "after a task ended", "while it starts", "after an outcome")


async def test_five_kills(tmp_path: Path) -> None:
    """Sixteen bookings, some with faults, end well although the daemon is killed at five moments that it dislikes."""
    killing = await kill_again_and_again(tmp_path, 5, seed=7, only=16, moments=MOMENTS)
    assert killing.verdict.lost == []
    assert killing.verdict.doubled == []
    assert killing.verdict.half_made == []
    assert killing.on_the_way == []
    assert killing.verdict.unexplained == []
    assert killing.kills.total() == 5
    assert sum(killing.verdict.outcomes.values()) == killing.submitted == 16


async def test_a_recovery_is_measured(tmp_path: Path) -> None:
    """A journal of bookings in flight is made, and the daemon takes up every one of them on each start."""
    recovery, told = Recovery(30), list[str]()
    await measure_recovery(recovery, tmp_path, 2, told.append)
    assert len(recovery.recovered_s) == len(recovery.moving_s) == 2
    assert all(0 < whole <= heard for whole, heard in zip(recovery.recovered_s, recovery.moving_s, strict=True))
    assert told[-1].startswith("30 in flight, start 2 of 2")


def the_books(tmp_path: Path) -> Findings:
    """Return the books of a world in which nothing has happened."""
    Books(tmp_path / "inventory.db").close()
    return audit(tmp_path / "inventory.db")


def told(name: str, number: int = 1, status: str = "completed") -> dict[str, object]:
    """Return an outcome message."""
    return {"id": f"wf-{name}.{number}", "subject": name, "data": {"status": status}}


async def test_the_harness_sees_what_is_lost(tmp_path: Path) -> None:
    """A booking without an outcome is lost, and one that needs a person is half-made."""
    verdict = judge(["a", "b"], {"b": "needs_attention"}, [], the_books(tmp_path))
    assert verdict.lost == ["a never ended"]
    assert verdict.half_made == ["b needs attention"]
    assert not verdict.clean


async def test_the_harness_sees_what_is_doubled(tmp_path: Path) -> None:
    """An effect made twice is seen, and so are outcomes that contradict each other; a repetition is none."""
    books = replace(the_books(tmp_path), doubled=(Doubled("hotels.book", "wf-a", "book", ("jk-1",), ("hb-1", "hb-2")),))
    repeated = [told("b"), told("b")]
    contradictions = [told("c", 1), told("c", 2), told("d", 1), told("d", 1, "failed")]
    verdict = judge([], {}, [*repeated, *contradictions], books)
    assert len(verdict.doubled) == 3
    assert "hb-1, hb-2" in verdict.doubled[0]
    assert judge([], {}, repeated, the_books(tmp_path)).clean


async def test_the_harness_sees_what_ended_for_no_reason(tmp_path: Path) -> None:
    """A booking that did not complete is explained by what was ordered for it, and by nothing else."""
    outcomes = {"a": "compensated", "b": "compensated", "c": "failed", "d": "completed"}
    mails = [
        {"id": f"wf-{name}.1", "subject": name, "data": {"status": status, "error": {"code": code, "message": "no"}}}
        for (name, status), code in zip(outcomes.items(), ("NO_ROOM", "SOLD_OUT", "INTERRUPTED", ""), strict=True)
    ]
    refused = Doom("hotels.book", "fail", "NO_ROOM")
    verdict = judge(outcomes, outcomes, mails, the_books(tmp_path), {"a": refused, "b": refused})
    assert [sentence.partition(" ")[0] for sentence in verdict.unexplained] == ["b", "c"]
    assert "SOLD_OUT: no (what was ordered for it: hotels.book fail NO_ROOM)" in verdict.unexplained[0]
    assert verdict.outcomes["compensated (NO_ROOM)"] == 1


async def test_the_harness_sees_what_is_half_made(tmp_path: Path) -> None:
    """A hold that outlives an undoing, and stock that does not add up, are seen."""
    standing = {"a": Standing("a", holds=("h-1",))}
    books = replace(the_books(tmp_path), requests=standing, miscounted=("flight LX1: 2 taken, 1 booked",))
    verdict = judge(["a"], {"a": "compensated"}, [told("a", status="compensated")], books)
    assert len(verdict.half_made) == 2
    assert "h-1" in verdict.half_made[0]
