"""The engine: what is decided, what follows from it, and what should therefore be in flight.

Pure. A workflow is a fold over its journal::

    records = decide(workflow, event, now, catalogue)  # reads only; no IO, no clock, no dice
    apply(workflow, entry)  # total: a durable record can never be refused
    commands = outstanding(workflow)  # derived from state, so a lost command cannot exist

`step` is the three of them in a row: it decides an event, applies the records, and lets `settle` conclude what
follows (a successor becomes ready, the last task ends the workflow, a failure is compensated) until nothing does.
"""

from __future__ import annotations

from jada_orchestrator.engine.apply import apply
from jada_orchestrator.engine.decide import decide
from jada_orchestrator.engine.outstanding import outstanding
from jada_orchestrator.engine.settle import settle
from jada_orchestrator.engine.step import fold, step

__all__ = ["apply", "decide", "fold", "outstanding", "settle", "step"]
