"""Planning."""

from __future__ import annotations

from jada_orchestrator.planning.inputs import (
    check_input,
    request_document,
    resolve_amount,
    resolve_compensation,
    resolve_input,
    resolve_result,
)
from jada_orchestrator.planning.schemas import faults_in

__all__ = [
    "check_input",
    "faults_in",
    "request_document",
    "resolve_amount",
    "resolve_compensation",
    "resolve_input",
    "resolve_result",
]
