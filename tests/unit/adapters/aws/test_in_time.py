"""A bound on time: what is late is cut off, and nobody else's cancelling is taken for it."""

from __future__ import annotations

import asyncio

import pytest

from jada_orchestrator.adapters.aws.in_time import within
from jada_orchestrator.testing.virtual_time import run_virtually


def test_what_is_late_is_cut_off_and_what_is_not_goes_on() -> None:
    """TimeoutError after the time, at once where there is none; nothing is left of one that was in time."""

    async def main() -> None:
        for seconds in (0.0, 5.0):
            with pytest.raises(TimeoutError), within(seconds):
                await asyncio.sleep(60)
        with within(5.0):
            await asyncio.sleep(4)
        await asyncio.sleep(60)

    run_virtually(main())


def test_an_inner_bound_does_not_take_an_outer_ones_part() -> None:
    """The one whose time is over raises; the other lets it through."""

    async def main() -> None:
        with within(60.0), pytest.raises(TimeoutError), within(1.0):
            await asyncio.sleep(30)
        with pytest.raises(TimeoutError), within(1.0), within(60.0):
            await asyncio.sleep(30)

    run_virtually(main())


@pytest.mark.parametrize("seconds", [1.0, 60.0])
def test_who_is_cancelled_from_outside_is_cancelled(seconds: float) -> None:
    """Also at the very instant at which the time is over."""

    async def bounded() -> None:
        with within(seconds):
            await asyncio.sleep(600)

    async def main() -> None:
        task = asyncio.create_task(bounded())
        asyncio.get_running_loop().call_later(1.0, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run_virtually(main())


def test_an_error_inside_is_that_error() -> None:
    """Whatever else is raised inside passes."""

    async def main() -> None:
        with pytest.raises(ValueError, match="its own"), within(1.0):
            raise ValueError("its own")

    run_virtually(main())
