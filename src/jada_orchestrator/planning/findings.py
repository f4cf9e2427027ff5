"""Findings: the faults of one proposal while it is compiled, and which tasks they touch."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches
from typing import Final

from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.limits import PLAN_FAULTS_MAX, PLAN_NOTES_MAX

_SHOWN_CHARS: Final = 80


class Findings:
    """Collects faults, each once, up to `PLAN_FAULTS_MAX`, and notes of what was normalised."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self.faults = list(faults)
        self.notes: list[str] = []
        self.touched: set[int] = set()
        """Places of the tasks that have a fault: what follows from their edges is not certain."""

    def add(self, code: str, where: str, message: str, *, task: int | None = None) -> None:
        """Keep a fault; `task` is the place of the task that has to be mended."""
        if task is not None:
            self.touched.add(task)
        fault = Fault(code, where, message)
        if len(self.faults) < PLAN_FAULTS_MAX and fault not in self.faults:
            self.faults.append(fault)

    def note(self, sentence: str) -> None:
        """Keep a note, once, up to `PLAN_NOTES_MAX`."""
        if len(self.notes) < PLAN_NOTES_MAX and sentence not in self.notes:
            self.notes.append(sentence)

    @property
    def is_full(self) -> bool:
        """Whether further faults are dropped, so that nothing need be spent on wording them."""
        return len(self.faults) >= PLAN_FAULTS_MAX


def shown(name: str) -> str:
    """Return a name that somebody else chose, short enough for a message."""
    return repr(name if len(name) <= _SHOWN_CHARS else name[:_SHOWN_CHARS] + "...")


def suggestion(name: str, known: Collection[str], *, all_of_them: bool = False) -> str:
    """Return a clause that names what may have been meant, with its own leading space; empty when nothing is near."""
    near = get_close_matches(name[:_SHOWN_CHARS], known, n=3, cutoff=0.55)
    if near:
        return f" Did you mean {' or '.join(near)}?"
    if all_of_them and known:
        return f" There is {', '.join(list(known)[:40])}."
    return ""
