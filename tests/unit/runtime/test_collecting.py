"""What a recovery keeps from Python's garbage collector, and until when."""

from __future__ import annotations

import gc
import weakref

from jada_orchestrator.runtime.collecting import collect_what_has_ended, without_collection


class Ring:
    """Something that refers to itself, so that only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


def test_what_a_recovery_made_is_not_searched_until_its_life_has_ended() -> None:
    """Cycles of a recovery outlast every search; once the process begins anew they are garbage like any other."""
    assert gc.isenabled()
    with without_collection():
        ring = Ring()
        assert not gc.isenabled()
    seen = weakref.ref(ring)
    del ring
    gc.collect()
    assert seen() is not None
    collect_what_has_ended()
    assert seen() is None
    assert gc.isenabled()
