"""How the daemon has its interpreter: whose turn it is among threads, and how often garbage is looked for."""

from __future__ import annotations

import gc
import sys
from typing import Final

_SWITCH_INTERVAL_S: Final = 60e-6
"""How long a thread may keep the interpreter while others want it (benchmarks/journal_floor.py shows why).

With 20 us, threads spend more on taking turns: beside a busy loop a commit of a hundred results took 5.2 ms, with 60 us
4.2 ms, and a twentieth more tasks went through queues and functions in a second (medians of seven, in turn).
"""
_COLLECT_EVERY: Final = (100_000, 50, 1_000)
"""Objects before the collector looks, and how seldom it looks at the old ones: hardly anything here is in a cycle."""


def tune_interpreter() -> None:
    """Suit the interpreter to one busy loop with a thread that writes, and to millions of objects that stay.

    The journal's writer is a thread; with Python's default of 5 ms it may starve for seconds beside a busy loop. And
    with Python's own thresholds a tenth of all processor time goes into looking for garbage among what stays, with
    10,000 bookings in memory in passes of a fifth of a second.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    gc.set_threshold(*_COLLECT_EVERY)
