"""Python's garbage collector, in processes that run one simulated world after another."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def settle_down() -> None:
    """Keep what is there when a process begins out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@contextmanager
def collected_afterwards() -> Iterator[None]:
    """Look for garbage when the worlds inside are over, and not once meanwhile.

    Nor is anything frozen inside: a recovery freezes what it made where the collector is on, and of a world that is
    over that would stay for ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
    gc.collect()
