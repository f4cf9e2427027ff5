"""What a tenant with thousands of bookings costs another one that makes a single booking now and then."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from jada_orchestrator.bench.booking import bench_catalogue, bench_proposal, booking
from jada_orchestrator.bench.figures import Figure, percentile
from jada_orchestrator.bench.stage import NullFunctions, Setting, Stage, new_folder, open_stage
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.events import RequestArrived
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall, CallEnded

_CALL_S: Final = 0.05
_AT_ONCE: Final = 10
"""Calls at once of each agent: what the tenants share."""
_SINGLE: Final = "single"


class SlowFunctions(NullFunctions):
    """Agents that take a while, as real ones do."""

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Take the time, and succeed."""
        await asyncio.sleep(_CALL_S)
        return await super().call(target, call)


async def crowd(folder: Path, bookings: int, singles: int) -> Figure:
    """Measure single bookings from request to outcome, alone and beside so many of another tenant's in flight."""
    alone = await _singles(folder, 0, singles)
    beside = await _singles(folder, bookings, singles)
    return Figure(
        measure=f"a tenant's single bookings beside another's {bookings:,} in flight, p99",
        unit="ms",
        value=percentile(beside, 0.99) * 1e3,
        better="less",
        floor_name="the same alone, p99",
        floor=percentile(alone, 0.99) * 1e3,
        target=2.0,
        limited_by=f"each call waits for one of {_AT_ONCE} of {_CALL_S * 1e3:.0f} ms to end, and turns are longer",
    )


async def _singles(folder: Path, bookings: int, singles: int) -> list[float]:
    def booked(number: int, message: Message) -> RequestArrived:
        return booking(number, tenant="crowd" if number < bookings else _SINGLE, message=message)

    setting = Setting(
        bench_catalogue(agents_at_once=_AT_ONCE), bench_proposal(), bookings, bookings + 10, booking_of=booked
    )
    took: list[float] = []
    async with open_stage(new_folder(folder), setting, functions=SlowFunctions()) as stage:
        await _admitted(stage, bookings)
        for number in range(singles):
            began = time.perf_counter()
            stage.requests.add(1)
            await stage.reached(_outcomes(stage, number + 1))
            took.append(time.perf_counter() - began)
    return took


async def _admitted(stage: Stage, bookings: int) -> None:
    while stage.requests.waiting or stage.orchestrator.in_memory < bookings // 2:  # noqa: ASYNC110 - nothing signals it
        await asyncio.sleep(0.05)


async def _outcomes(stage: Stage, count: int) -> None:
    while stage.outcomes.by_tenant[_SINGLE] < count:  # noqa: ASYNC110 - a millisecond is below what is measured
        await asyncio.sleep(0.001)
