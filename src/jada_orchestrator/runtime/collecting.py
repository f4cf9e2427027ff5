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
    """Let nothing be collected inside, and never look later for cycles among what is there at the end.

    Without the latter the first thing after it would be a walk over everything that was made inside, as one young
    generation: two seconds and a half with 10,000 bookings.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.enable()


def collect_what_has_ended() -> None:
    """Look for garbage in what `without_collection` left out of every search.

    For a process that begins anew as another instance: of what the first one held nothing is of use any more.
    """
    gc.unfreeze()
    gc.collect()
