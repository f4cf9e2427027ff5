"""Which benchmarks there are, and how large each is in the long and the short form."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from jada_orchestrator.bench import calls, durable, scale
from jada_orchestrator.bench.figures import Figure
from jada_orchestrator.bench.leaks import no_leaks
from jada_orchestrator.bench.recovery import recovery
from jada_orchestrator.bench.tenants import crowd


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    runs: int
    at_once: tuple[int, ...]
    bookings_each: int
    """Bookings for each that is at once."""
    alone: int
    http_bookings: int
    fan_out: int
    parked: int
    waiting: int
    recovered: tuple[int, ...]
    faulty_calls: int
    crowd: int
    singles: int


FULL: Final = Size(5, (100, 500), 6, 200, 200, 1_000, 10_000, 100_000, (1_000, 10_000), 20_000, 10_000, 30)
QUICK: Final = Size(1, (10,), 2, 3, 3, 100, 50, 1_000, (20,), 300, 20, 2)
"""Only to see that everything works; its figures mean nothing."""

_Measure: TypeAlias = Callable[[Path, Size], Awaitable[list[Figure]]]


async def _throughput(folder: Path, size: Size) -> list[Figure]:
    return [await durable.throughput(folder, n, n * size.bookings_each, size.runs) for n in size.at_once]


async def _alone(folder: Path, size: Size) -> list[Figure]:
    return await durable.alone(folder, size.alone, size.runs)


async def _delay(folder: Path, size: Size) -> list[Figure]:
    n = size.at_once[0]
    return await durable.dispatch_delay(folder, n, n * size.bookings_each, size.runs)


async def _calls(_: Path, size: Size) -> list[Figure]:
    return [await calls.one_call(10 * size.http_bookings, size.runs)]


async def _http(folder: Path, size: Size) -> list[Figure]:
    return await calls.through_http(folder, size.http_bookings, min(100, size.http_bookings), size.runs)


async def _fan_out(folder: Path, size: Size) -> list[Figure]:
    return [await calls.fan_out(folder, size.fan_out, size.runs)]


async def _scale(_: Path, size: Size) -> list[Figure]:
    return await scale.memory_and_lag(size.parked, size.waiting, min(3, size.runs))


async def _recovery(folder: Path, size: Size) -> list[Figure]:
    return [await recovery(folder, bookings, min(3, size.runs)) for bookings in size.recovered]


async def _leaks(_: Path, size: Size) -> list[Figure]:
    return [await no_leaks(size.faulty_calls)]


async def _tenants(folder: Path, size: Size) -> list[Figure]:
    return [await crowd(folder, size.crowd, size.singles)]


MEASURES: Final[dict[str, _Measure]] = {
    "throughput": _throughput,
    "alone": _alone,
    "delay": _delay,
    "calls": _calls,
    "http": _http,
    "fan-out": _fan_out,
    "scale": _scale,
    "recovery": _recovery,
    "leaks": _leaks,
    "tenants": _tenants,
}


async def measure(folder: Path, size: Size, names: Iterable[str]) -> AsyncIterator[tuple[str, list[Figure]]]:
    """Measure what is named, one after another; yield each name with its figures. Stores are made in `folder`."""
    for name in names:
        yield name, await MEASURES[name](folder, size)
