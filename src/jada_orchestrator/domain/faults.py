"""Faults: what is wrong with something that somebody gave us, said so that they can mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
"""What a code looks like. It is compared, counted and shown to operators and planners, so it is never a sentence."""
_MESSAGE_CHARS_MAX: Final = 2_000
"""As much of an agent's own words as is kept; more is no reason but a report."""


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

    @classmethod
    def told_by_agent(cls, without_code: str, code: object, message: object) -> Failure:
        """Return what an agent gives as its reason, whatever it gives; `without_code` stands for what is no code."""
        return cls(
            code if isinstance(code, str) and _CODE.fullmatch(code) else without_code,
            message[:_MESSAGE_CHARS_MAX] if isinstance(message, str) else "the agent gave no message",
        )

    def to_json(self) -> dict[str, str]:
        """Return ``{"code", "message"}``, as outcomes carry it."""
        return {"code": self.code, "message": self.message}
