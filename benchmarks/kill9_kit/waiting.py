"""Waiting for what another process brings about: the one place where anything here looks again and again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

_LOOK_AGAIN_S: Final = 0.02

T = TypeVar("T")


class WaitedInVain(AssertionError):
    """What was waited for did not come about in time; the text says what it was and what was there instead."""


def _nothing_more() -> str:
    return "nothing more is known"


async def until(
    look: Callable[[], T | None],
    what: str,
    *,
    within_s: float = 60.0,
    otherwise: Callable[[], object] = _nothing_more,
) -> T:
    """Return the first true answer of `look`.

    Raises: WaitedInVain after `within_s`, with what `otherwise` tells of the moment.
    """

    async def ask() -> T | None:
        return look()

    return await until_answered(ask, what, within_s=within_s, otherwise=otherwise)


async def until_answered(
    ask: Callable[[], Awaitable[T | None]],
    what: str,
    *,
    within_s: float = 60.0,
    otherwise: Callable[[], object] = _nothing_more,
) -> T:
    """Return the first true answer of `ask`, which asks somebody else. Raises: as `until`."""
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + within_s
    while True:
        found = await ask()
        if found:
            return found
        if loop.time() >= give_up_at:
            raise WaitedInVain(f"{what}: not within {within_s:g} s; {otherwise()}")
        await asyncio.sleep(_LOOK_AGAIN_S)
