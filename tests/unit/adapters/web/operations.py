"""A fake of the port `Operations`."""

from __future__ import annotations

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.ports.operations import Reloaded, Sample


class FakeOperations:
    """The port `Operations`: tells what it is set to, and counts reloads."""

    def __init__(self) -> None:
        self.is_troubled: str | None = None
        self.is_unready: str | None = None
        self.faults: tuple[Fault, ...] = ()
        self.reloads = 0
        self.acts: list[tuple[str, str]] = []
        self.pruned: list[int] = []

    def version(self) -> str:
        return "9.9.9"

    def trouble(self) -> str | None:
        return self.is_troubled

    def unready(self) -> str | None:
        return self.is_unready

    def status(self) -> JsonObject:
        return {"phase": "ready"}

    def samples(self) -> list[Sample]:
        return [
            Sample("jada_turns", "counter", "Turns of the loop.", (((), 3.0),)),
            Sample("jada_bookings", "gauge", "Unfinished ones.", (((("status", "running"),), 2.0),)),
            Sample("jada_events", "counter", "Events.", ()),
        ]

    async def template(self, act: str, key: str) -> Fault | None:
        self.acts.append((act, key))
        return self.faults[0] if self.faults else None

    def prune(self, before: int) -> Fault | None:
        self.pruned.append(before)
        return self.faults[0] if self.faults else None

    async def reload(self) -> Reloaded:
        self.reloads += 1
        return Reloaded(taken=not self.faults, faults=self.faults, notices=("a restart takes store",))
