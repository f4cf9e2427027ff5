"""Many calls that end badly, and how many descriptors are open afterwards: none more than before."""

from __future__ import annotations

import asyncio
import gc
import random
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from jada_orchestrator.adapters.aws.clients import Connections, open_clients
from jada_orchestrator.adapters.host.descriptors import count_open
from jada_orchestrator.bench.calls import ONE_CALL, functions_of
from jada_orchestrator.bench.figures import Figure
from jada_orchestrator.bench.null_aws import FAULTS, null_aws
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.events import Succeeded

_CONNECTIONS: Final = 64
_TIMEOUT_MS: Final = 30
_KINDS: Final = ("ok", "ok", *FAULTS, "cancelled")


@dataclass(frozen=True, slots=True)
class Leaks:
    """Descriptors open before, at most meanwhile, and after."""

    calls: int
    succeeded: int
    before: int
    most: int
    after: int


async def leaks(calls: int, seed: int = 1) -> Leaks:
    """Make so many calls, most of which are cut, time out, are throttled or cancelled; then close everything."""
    dice = random.Random(seed)  # noqa: S311 - for replay, not for secrets
    before = most = count_open()
    succeeded = 0
    async with null_aws():
        before = count_open()  # with the pipes to the null server's process
        async with open_clients(Connections(_CONNECTIONS, 1)) as clients:
            functions = functions_of(clients, connections=_CONNECTIONS)

            async def some(number: int) -> None:
                nonlocal most, succeeded
                for _ in range(number, calls, 2 * _CONNECTIONS):
                    kind = dice.choice(_KINDS)
                    function = "hang" if kind == "cancelled" else kind
                    timeout_ms = _TIMEOUT_MS if function == "hang" else 10_000
                    call = functions.call(LambdaTransport(function), structs.replace(ONE_CALL, timeout_ms=timeout_ms))
                    if kind == "cancelled":
                        task = asyncio.create_task(call)
                        await asyncio.sleep(dice.random() * _TIMEOUT_MS / 1_000)
                        task.cancel()
                        await asyncio.wait({task})
                    else:
                        ended = await call
                        succeeded += isinstance(ended.result, Succeeded)
                    most = max(most, count_open())

            await asyncio.gather(*(some(number) for number in range(2 * _CONNECTIONS)))
            await functions.close()
        await asyncio.sleep(0.05)  # closing a transport takes the loop one more round
        gc.collect()
        after = count_open()
    return Leaks(calls, succeeded, before, most, after)


async def no_leaks(calls: int) -> Figure:
    """Measure what is left open after so many calls."""
    found = await leaks(calls)
    return Figure(
        measure=f"descriptors left open after {calls:,} calls, most cut, late or cancelled ({found.most} at most)",
        unit="files",
        value=found.after,
        better="less",
        floor_name="open before",
        floor=found.before,
        target=1.0,
        limited_by="nothing: each connection has one owner, who closes it in every case",
    )
