"""The scripted model: a stand-in that speaks the Messages API over HTTP and plans travel by rules, not by a model.

`ScriptedModel` runs it inside a process (tests, the demo); `python -m jada_orchestrator.sandbox.model` runs it alone.
What it understands is in `planner`'s docstring; what it deliberately does not understand, it asks about.
"""

from __future__ import annotations

from jada_orchestrator.sandbox.model.calls import Call, CallLog
from jada_orchestrator.sandbox.model.faults import BadFaultOrder, Fault, FaultKind, FaultQueue
from jada_orchestrator.sandbox.model.pace import Pace
from jada_orchestrator.sandbox.model.server import STAND_IN, STAND_IN_HEADER, ScriptedModel

__all__ = [
    "STAND_IN",
    "STAND_IN_HEADER",
    "BadFaultOrder",
    "Call",
    "CallLog",
    "Fault",
    "FaultKind",
    "FaultQueue",
    "Pace",
    "ScriptedModel",
]
