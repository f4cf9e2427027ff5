"""What a check finds: one line each, and for whoever has to act, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from jada_orchestrator.domain.documents import JsonObject

Verdict: TypeAlias = Literal["ok", "warning", "failure"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `code` is stable, for programs; `remedy` is empty where nothing is to be done."""

    verdict: Verdict
    area: str
    code: str
    message: str
    remedy: str = ""

    def to_json(self) -> JsonObject:
        """Return the line for programs."""
        return {
            "verdict": self.verdict,
            "area": self.area,
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
        }


def ok(area: str, code: str, message: str) -> Finding:
    """Return a line that is well."""
    return Finding("ok", area, code, message)


def warning(area: str, code: str, message: str, remedy: str) -> Finding:
    """Return a line that will hurt one day."""
    return Finding("warning", area, code, message, remedy)


def failure(area: str, code: str, message: str, remedy: str) -> Finding:
    """Return a line because of which bookings will not work."""
    return Finding("failure", area, code, message, remedy)
