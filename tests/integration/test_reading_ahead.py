"""Reads go out while their plan is still arriving; nothing else does."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.first_dispatch import SHARE_MAX, Bench
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.sandbox.model import Fault, FaultKind, Pace

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_first_reads_leave_before_two_fifths_of_the_plan_have_come(tmp_path: Path) -> None:
    """The model stops after 39 % of the plan and goes on only once three calls have arrived; then all is as ever."""
    bench = Bench(tmp_path, 12, 0.0, Pace(), ahead=True)
    part = Fault(FaultKind.HOLD, text=bench.plan, after_bytes=int(len(bench.plan) * (SHARE_MAX - 0.01)))

    async def meanwhile() -> None:
        await until(lambda: len(bench.seen.calls) >= 3, "reads have left")
        assert bench.model.calls.messages[0].state == "held"
        bench.model.release()

    [seen] = await bench.book(1, part, meanwhile)
    assert seen.outcome["data"]["status"] == "completed"
    assert seen.outcome["data"]["plan_revision"] == 1
    assert 0 < seen.first_share < SHARE_MAX
    assert len(seen.calls) == 14, "twelve reads, the one of them all, and the reservation: each of them once"
    assert seen.told["jada_hidden_ms"] > 0


async def test_an_operator_may_have_plans_awaited(tmp_path: Path) -> None:
    """With `read_plans_ahead` off nothing leaves until the plan is there."""
    bench = Bench(tmp_path, 3, 0.0, Pace(), ahead=False)
    most = Fault(FaultKind.HOLD, text=bench.plan, after_bytes=len(bench.plan) - 5)

    async def meanwhile() -> None:
        await bench.model.calls.wait_until_held()
        assert bench.seen.calls == []
        bench.model.release()

    [seen] = await bench.book(1, most, meanwhile)
    assert seen.outcome["data"]["status"] == "completed"
    assert seen.told["jada_hidden_ms"] == 0
