"""What a simulated run came to, for people and for programs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.records import Entry
from jada_orchestrator.engine.story import tell_entry
from jada_orchestrator.testing.simulated_fate import Odds


@dataclass(slots=True)
class Report:
    """What a run came to. `broken` holds a sentence for every law that did not hold."""

    seed: int
    odds: Odds
    bookings: int
    broken: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    revisions: Counter[str] = field(default_factory=Counter)
    """Plans anew after a failure: asked for, adopted, given up."""
    mishaps: Counter[str] = field(default_factory=Counter)
    records: Counter[str] = field(default_factory=Counter)
    """What was decided, by the class of the record: which features of the engine these worlds made use of."""
    kills: int = 0
    rounds: int = 0
    """Rounds of the event loop."""
    virtual_s: float = 0.0
    fingerprint: str = ""
    """Of every record of every workflow, with its instant: two runs with the same one were the same run."""
    stories: dict[WorkflowId, list[str]] = field(default_factory=dict)
    """The story of every workflow that a broken law names."""

    def to_json(self) -> JsonObject:
        """Return everything as JSON."""
        return {
            "seed": self.seed,
            "bookings": self.bookings,
            "broken": self.broken,
            "outcomes": dict(sorted(self.outcomes.items())),
            "revisions": dict(sorted(self.revisions.items())),
            "mishaps": dict(sorted(self.mishaps.items())),
            "records": dict(sorted(self.records.items())),
            "kills": self.kills,
            "rounds": self.rounds,
            "virtual_s": self.virtual_s,
            "fingerprint": self.fingerprint,
            "stories": self.stories,
        }

    def render(self) -> str:
        """Return the report as text: what is broken, what had gone wrong, and the stories."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        verdict = f"{len(self.broken)} broken laws" if self.broken else "every law held"
        yield f"seed {self.seed}, {self.bookings} bookings, {self.virtual_s:.0f} s of virtual time: {verdict}"
        yield f"  outcomes: {_counts(self.outcomes)}"
        yield f"  revisions: {_counts(self.revisions)}"
        yield f"  mishaps:  {_counts(self.mishaps)}; the process ended {self.kills} times"
        for sentence in self.broken:
            yield f"  BROKEN: {sentence}"
        for workflow_id, story in self.stories.items():
            yield f"  the story of {workflow_id}:"
            yield from (f"    {line}" for line in story)


def _counts(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counter.items()) if count) or "none"


def story_of(entries: tuple[Entry, ...]) -> list[str]:
    """Return a workflow's story, a line for each record."""
    return [
        f"{e.seq:4} {format_instant(UtcMs(e.at))} {type(e.record).__name__}: {tell_entry(e).message}" for e in entries
    ]


def fingerprint_of(histories: Iterator[tuple[WorkflowId, tuple[Entry, ...]]]) -> str:
    """Return a digest of everything that was recorded."""
    digest = hashlib.sha256()
    for workflow_id, entries in histories:
        digest.update(workflow_id.encode())
        for entry in entries:
            digest.update(f"{entry.seq}/{entry.at}/{type(entry.record).__name__}".encode())
    return digest.hexdigest()[:16]
