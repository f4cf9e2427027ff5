"""Faults: what is wrong with something that somebody gave us, said so that they can mend it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong.

    `where` is a path that its author knows (``tasks.hold.args.offer_id``, ``constraints.max_total.amount``,
    ``config/agents/flights.yaml:12``); `message` says what was expected, what is there, and what to do.
    """

    code: str
    where: str
    message: str

    def __str__(self) -> str:
        """Return the fault as a line."""
        return f"{self.where}: {self.message} [{self.code}]" if self.where else f"{self.message} [{self.code}]"


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an attempt, a task or a workflow did not succeed: a code for programs and a sentence for people."""

    code: str
    message: str

    def to_json(self) -> dict[str, str]:
        """Return ``{"code", "message"}``, as outcomes carry it."""
        return {"code": self.code, "message": self.message}
