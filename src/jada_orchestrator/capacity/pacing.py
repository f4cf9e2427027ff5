"""Pacing by what the service says of its limits: token buckets that mirror the service's own.

The service counts requests, input tokens and output tokens, each as a bucket that fills continuously, and tells with
every answer how full each is. Between answers the mirror is moved on by what was sent and by the time that passed.
Pure; instants are milliseconds of any clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jada_orchestrator.domain.usage import RateKind, RateLimit

_MINUTE_MS = 60_000
"""The service's limits are for a minute."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a call is expected to take of each limit; cached input does not count, so it is left out."""

    input_tokens: int = 0
    output_tokens: int = 0

    def of(self, kind: RateKind) -> int:
        """Return the share of one limit."""
        match kind:
            case "requests":
                return 1
            case "input_tokens":
                return self.input_tokens
            case "output_tokens":
                return self.output_tokens
            case "tokens":
                return self.input_tokens + self.output_tokens


@dataclass(slots=True)
class _Mirror:
    """One bucket of the service, as far as it is known."""

    capacity: float
    level: float
    per_ms: float
    at: int
    sent_at: int
    """When the call was sent whose answer told all this; older calls know less."""

    def level_at(self, now: int) -> float:
        return min(self.capacity, self.level + max(0, now - self.at) * self.per_ms)

    def ready_at(self, amount: int, now: int) -> int:
        """Return when the bucket holds the amount (or is full, for amounts that it never holds)."""
        missing = min(float(amount), self.capacity) - self.level_at(now)
        return now if missing <= 0 else now + int(missing / self.per_ms) + 1

    def take(self, amount: int, now: int) -> None:
        self.level, self.at = self.level_at(now) - amount, max(self.at, now)


class Pace:
    """The limits of one model. Without any word of the service, nothing is held back."""

    def __init__(self) -> None:
        """Begin without knowing any limit."""
        self._mirrors: dict[RateKind, _Mirror] = {}

    def ready_at(self, load: Load, now: int) -> int:
        """Return the earliest instant at which no limit stands in the way; `now` when none does."""
        return max((mirror.ready_at(load.of(kind), now) for kind, mirror in self._mirrors.items()), default=now)

    def sent(self, load: Load, now: int) -> None:
        """Note that a call goes out."""
        for kind, mirror in self._mirrors.items():
            mirror.take(load.of(kind), now)

    def told(self, limits: Iterable[RateLimit], *, sent_at: int, now: int, later: Iterable[Load]) -> None:
        """Take what an answer's headers say; `later` are calls under way that were sent after the one answered."""
        pending = list(later)
        for limit in limits:
            known = self._mirrors.get(limit.kind)
            if limit.limit <= 0 or (known is not None and known.sent_at > sent_at):
                continue
            used = limit.limit - limit.remaining
            whole_minute = limit.limit / _MINUTE_MS
            told_rate = used / limit.reset_ms if limit.reset_ms and used > 0 else whole_minute
            self._mirrors[limit.kind] = _Mirror(
                capacity=limit.limit,
                level=limit.remaining - sum(load.of(limit.kind) for load in pending),
                # A rounded reset must not make the mirror stand still, nor run far ahead of the stated limit.
                per_ms=min(max(told_rate, whole_minute / 4), whole_minute * 4),
                at=now,
                sent_at=sent_at,
            )

    def levels(self, now: int) -> Mapping[RateKind, tuple[int, int]]:
        """Return what is left of each known limit, and the limit."""
        return {kind: (int(mirror.level_at(now)), int(mirror.capacity)) for kind, mirror in self._mirrors.items()}
