"""Plans as they are read back: what bookings of one kind have in common is decoded once.

A plan is the longest record by far, and recovery reads one of every booking. But bookings of one kind carry the same
terms, to the byte, and most of their tasks are told the same constants or none: two thirds of what decoding takes. What
one template planned is the same to the last byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from jada_orchestrator.domain.catalogue import Binding
from jada_orchestrator.domain.ids import ActionName, CatalogueVersion
from jada_orchestrator.domain.plan import Plan, PlannedTask, Terms, shared, shared_result
from jada_orchestrator.domain.planning_records import PlanAdopted


@dataclass(frozen=True, slots=True)
class _RawPlan:
    """A plan as it is stored, its terms and tasks not yet read; the fields are those of `Plan`."""

    tasks: tuple[msgspec.Raw, ...]
    terms: msgspec.Raw
    result: dict[str, Binding]
    catalogue_version: CatalogueVersion
    notes: tuple[str, ...] = ()
    retired: tuple[msgspec.Raw, ...] = ()


@dataclass(frozen=True, slots=True)
class _RawAdopted:
    """`PlanAdopted`, likewise."""

    revision: int
    plan: _RawPlan


class PlanDecoder:
    """Reads `PlanAdopted`. Plans share the terms and the tasks that they have in common; nobody changes them.

    Two threads may use it at once: then at worst the same is read twice.
    """

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(_RawAdopted).decode
        self._decode_terms = msgspec.json.Decoder(dict[ActionName, Terms]).decode
        self._decode_task = msgspec.json.Decoder(PlannedTask).decode
        self._terms: dict[bytes, dict[ActionName, Terms]] = {}
        self._latest: tuple[bytes, dict[ActionName, Terms]] = (b"", {})
        self._tasks: dict[bytes, PlannedTask] = {}
        self._last: tuple[bytes | str, PlanAdopted] | None = None

    def __call__(self, payload: bytes | str) -> PlanAdopted:
        """Return the record. Raises: ValueError, as `msgspec` does."""
        last = self._last
        if last is not None and last[0] == payload:  # of bookings that one template planned, or that ask for the same
            return last[1]
        record = self._read(payload)
        self._last = (payload, record)
        return record

    def _read(self, payload: bytes | str) -> PlanAdopted:
        adopted = self._decode(payload)
        raw = adopted.plan
        tasks, retired = tuple(map(self._task, raw.tasks)), tuple(map(self._task, raw.retired))
        terms, result = self._terms_of(raw.terms), shared_result(raw.result)
        plan = Plan(tasks, terms, result, raw.catalogue_version, raw.notes, retired)
        return PlanAdopted(adopted.revision, plan)

    def _terms_of(self, raw: msgspec.Raw) -> dict[ActionName, Terms]:
        text = bytes(raw)
        latest, terms = self._latest
        if text == latest:  # most often; hashing so long a text takes ten times as long as comparing it
            return terms
        known = self._terms.get(text)
        if known is None:
            known = self._decode_terms(text)
            if len(self._terms) >= _TERMS_KEPT:
                self._terms.clear()
            self._terms[text] = known
        self._latest = (text, known)
        return known

    def _task(self, raw: msgspec.Raw) -> PlannedTask:
        text = bytes(raw)
        task = self._tasks.get(text)
        if task is None:
            task = shared(self._decode_task(text))
            if len(self._tasks) >= _TASKS_KEPT:
                self._tasks.clear()
            self._tasks[text] = task
        return task


_TERMS_KEPT: Final = 256
"""Kinds of bookings whose terms are kept; at 12 KB each, 3 MB."""
_TASKS_KEPT: Final = 4_096
"""Their tasks, as text and as read: one kilobyte each."""
