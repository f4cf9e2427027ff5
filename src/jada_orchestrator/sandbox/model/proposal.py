"""The proposal: the JSON that the orchestrator asks a model for, with everything required and in a fixed order."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Outcome = Literal["plan", "clarify", "refuse"]
ArgKind = Literal["user", "const", "ref"]
ControlKind = Literal["when", "for_each", "instead_of", "on_code"]


@dataclass(frozen=True, slots=True)
class Arg:
    """One argument of a task: where its value comes from and the value as text (JSON unless the field is a string)."""

    name: str
    kind: ArgKind
    value: str


@dataclass(frozen=True, slots=True)
class ProposedTask:
    """One call of one action; `after` holds order-only edges, the others follow from the references."""

    id: str
    action: str
    args: tuple[Arg, ...] = ()
    after: tuple[str, ...] = ()
    optional: bool = False
    control: tuple[tuple[ControlKind, str], ...] = ()
    """What decides whether, how often and instead of whom it is called."""


@dataclass(frozen=True, slots=True)
class ResultField:
    """A named reference that the outcome reports."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A plan, questions, or a refusal."""

    outcome: Outcome
    reason: str = ""
    questions: tuple[str, ...] = ()
    tasks: tuple[ProposedTask, ...] = ()
    result: tuple[ResultField, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the proposal with its keys in the order of the schema."""
        return {
            "outcome": self.outcome,
            "reason": self.reason,
            "questions": list(self.questions),
            "tasks": [
                {
                    "id": task.id,
                    "action": task.action,
                    "after": list(task.after),
                    "optional": task.optional,
                    "control": [{"kind": kind, "value": value} for kind, value in task.control],
                    "args": [{"name": arg.name, "kind": arg.kind, "value": arg.value} for arg in task.args],
                }
                for task in self.tasks
            ],
            "result": [{"name": field.name, "value": field.value} for field in self.result],
        }

    def as_text(self) -> str:
        """Return the text that the model answers."""
        return json.dumps(self.as_json(), ensure_ascii=False)


def clarify(*questions: str) -> Proposal:
    """Return a proposal that asks."""
    return Proposal("clarify", reason="Information is missing.", questions=questions)


def refuse(reason: str) -> Proposal:
    """Return a proposal that declines."""
    return Proposal("refuse", reason=reason)
