"""The host's clock."""

from __future__ import annotations

import time

from jada_orchestrator.domain.instants import UtcMs


class SystemClock:
    """The port `Clock`: the wall clock, for instants that are recorded. It may jump; the engine bears that."""

    def now(self) -> UtcMs:
        """Return the present instant."""
        return UtcMs(time.time_ns() // 1_000_000)
