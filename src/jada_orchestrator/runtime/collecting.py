"""Python's cyclic garbage collector, where it costs more than it brings.

Recovery makes millions of objects that all stay: the collector walks over them again and again while they grow, which
was measured to be two thirds of the time that a start takes. What is there afterwards lives as long as its workflow,
and reference counting alone frees it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_collection() -> Iterator[None]:
    """Let nothing be collected inside."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
