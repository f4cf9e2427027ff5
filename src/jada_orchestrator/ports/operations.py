"""What operators and machines may ask of a running daemon: is it well, what is it doing, take new settings.

Implemented by the service, used by the adapter that listens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.instants import UtcMs


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What became of a reload: taken, or refused with every fault, and then everything is as it was."""

    taken: bool
    faults: tuple[Fault, ...] = ()
    notices: tuple[str, ...] = ()
    """What the operator should know although it was taken, such as settings that only a restart changes."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One number for `/metrics`; its name and meaning follow Prometheus's conventions for units and totals."""

    name: str
    kind: Literal["gauge", "counter"]
    meaning: str
    values: tuple[tuple[tuple[tuple[str, str], ...], float], ...]
    """Pairs of labels and value."""


class Operations(Protocol):
    """The questions. All but `reload` and `template` answer at once from memory."""

    def version(self) -> str:
        """Return the program's version."""

    def trouble(self) -> str | None:
        """Say why the process is not well (its loop does not go round), or None."""

    def unready(self) -> str | None:
        """Say why nothing is accepted now (starting, stopping, the store is away), or None."""

    def status(self) -> JsonObject:
        """Return everything that `jada status` shows."""

    def samples(self) -> list[Sample]:
        """Return every number that is measured."""

    async def template(self, act: Literal["pin", "unpin", "forget"], key: str) -> Fault | None:
        """Pin a template, let it be as any other again, or forget it; return why that cannot be, or None."""

    def prune(self, before: UtcMs) -> Fault | None:
        """Have what ended before an instant retired from now on; return why that cannot be, or None."""

    async def reload(self) -> Reloaded:
        """Take new settings and catalogue, or none of them. One at a time."""
