"""Running so many bookings, so many at once, and what that took. Nothing but the standard library: peers run this."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Final

TASKS: Final = 12
OUTPUT: Final = {"ref": "r-0123456789", "total": {"amount": "120.00", "currency": "USD"}, "note": "n" * 420}
"""What every task returns, as in `jada_orchestrator.bench.booking`."""
WARM_UP: Final = 20
"""Bookings that are run first, and not timed."""


def arguments() -> argparse.Namespace:
    """Return what a peer's module is told: where the database is, how many bookings, how many at once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--bookings", type=int, required=True)
    parser.add_argument("--at-once", type=int, required=True)
    parser.add_argument("--mode", default="")
    return parser.parse_args()


async def run(book: Callable[[str], Awaitable[object]], bookings: int, at_once: int) -> None:
    """Run bookings by their names, after a few to warm up, and print seconds of wall and of processor time."""
    await _run(book, "warm", WARM_UP, WARM_UP)
    began, cpu = time.perf_counter(), time.process_time()
    await _run(book, "booking", bookings, at_once)
    took = {"wall_s": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}
    sys.stdout.write(json.dumps(took) + "\n")
    sys.stdout.flush()


async def _run(book: Callable[[str], Awaitable[object]], kind: str, bookings: int, at_once: int) -> None:
    numbers = iter(range(bookings))

    async def worker() -> None:
        for number in numbers:
            await book(f"{kind}-{number}")

    await asyncio.gather(*(worker() for _ in range(at_once)))
