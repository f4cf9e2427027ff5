"""A planner that pays for each question once: every answer is on disk before it is used.

So a rehearsal that was interrupted goes on where it was. The key of an answer is everything that was asked: the model,
the request, the day, the conversation so far, the catalogue.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import Planner, PlannerAnswer, PlannerError, PlannerQuestion, TaskListener

_KEPT: Final[frozenset[PlannerFailureKind]] = frozenset({"bad_answer", "permanent"})
"""Failures that are answers of a kind, and billed; the others pass, and the question is put again."""


class MemoryFileError(Exception):
    """The file of answers cannot be used. Raised by `Memory`; the operator names another one, or removes it."""


class Memory:
    """The answers on disk, one JSON object a line; an unfinished last line is left out."""

    def __init__(self, path: Path) -> None:
        """Read what is there. Raises: MemoryFileError."""
        self.path = path
        self._answers: dict[str, JsonObject] = {}
        try:
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            path.parent.mkdir(parents=True, exist_ok=True)
            if text and not text.endswith("\n"):
                text = text[: text.rfind("\n") + 1]  # the process ended while it wrote this one
                path.write_text(text, encoding="utf-8")
            for line in text.splitlines():
                entry = json.loads(line)
                self._answers[entry["key"]] = entry
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise MemoryFileError(f"{path} cannot be used: {error}") from error

    def __len__(self) -> int:
        """Return how many answers there are."""
        return len(self._answers)

    def find(self, key: str) -> JsonObject | None:
        """Return an answer, or None."""
        return self._answers.get(key)

    def keep(self, entry: JsonObject) -> None:
        """Write an answer; it survives power loss once this returns."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._answers[entry["key"]] = entry

    def spent(self) -> Decimal:
        """Return what all answers cost, as far as prices are known."""
        usages = (entry["usage"]["usd"] for entry in self._answers.values())
        return sum((Decimal(usd) for usd in usages if usd is not None), Decimal(0))


class RememberingPlanner:
    """Implements `ports.planner.Planner`: asks another planner only what is not remembered."""

    def __init__(self, planner: Planner, memory: Memory) -> None:
        """Take who is asked, and where answers are kept."""
        self._planner = planner
        self._memory = memory
        self.asked = 0
        """Questions that were really put."""

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Return the remembered answer, or ask; see `ports.planner.Planner`. Raises: PlannerError.

        A rehearsal calls no agent, so nobody is told of tasks.
        """
        del on_task
        key = key_of(question)
        known = self._memory.find(key)
        if known is not None:
            return _recalled(known)
        self.asked += 1
        try:
            answer = await self._planner.propose(question)
        except PlannerError as error:
            if error.kind in _KEPT:
                failed = {"kind": error.kind, "code": error.failure.code, "message": error.failure.message}
                self._memory.keep({"key": key, "model": question.model, "usage": asdict(error.usage), "failed": failed})
            raise
        self._memory.keep(
            {
                "key": key,
                "model": answer.model,
                "text": answer.text,
                "usage": asdict(answer.usage),
                "latency_ms": answer.latency_ms,
                "first_token_ms": answer.first_token_ms,
            }
        )
        return answer

    async def close(self) -> None:
        """Close the other planner."""
        await self._planner.close()


def key_of(question: PlannerQuestion) -> str:
    """Return what identifies a question by all that it says."""
    request = question.request
    said = [
        question.model,
        question.catalogue.version,
        question.now // 86_400_000,
        request.request_id,
        request.tenant,
        request.text,
        request.booking,
        repr(request.constraints),
        [[exchange.answer, [str(fault) for fault in exchange.faults]] for exchange in question.exchanges],
        [[list(entry.questions), entry.answer] for entry in question.clarifications],
    ]
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _recalled(entry: JsonObject) -> PlannerAnswer:
    usage = Usage(**entry["usage"])
    failed = entry.get("failed")
    if failed is not None:
        raise PlannerError(failed["kind"], Failure(failed["code"], failed["message"]), usage=usage)
    return PlannerAnswer(entry["text"], entry["model"], usage, entry["latency_ms"], entry["first_token_ms"])
