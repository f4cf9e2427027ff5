"""Many runs leave nothing behind in the process that made them."""

from __future__ import annotations

import gc
from pathlib import Path

from jada_orchestrator.testing.simulator import simulate


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_descriptors_and_memory_return_to_where_they_began() -> None:
    """After the first runs, which fill caches, more of them take neither descriptors nor memory."""
    for seed in range(12):
        simulate(seed)
    descriptors, objects = _descriptors(), _objects()
    for seed in range(12):
        simulate(seed)
    assert _descriptors() == descriptors
    assert _objects() < objects * 1.01 + 200
