"""What a model call used and cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

CallPurpose: TypeAlias = Literal["plan", "correction", "revision", "choice"]
"""Why the model was called: a first plan, the faults of one sent back, a plan anew after an answer or a failure, or a
choice among offers."""
PlannerSignal: TypeAlias = Literal["none", "slow_down", "overloaded", "model", "spent"]
"""What a failure says of the service: nothing (the failure is the request's own), wait together, it is in trouble, this
model cannot be used, no model can be used until a person or the calendar acts."""
RateKind: TypeAlias = Literal["requests", "tokens", "input_tokens", "output_tokens"]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One of the service's limits as an answer's headers told it: for a minute, what is left, when it is full again."""

    kind: RateKind
    limit: int
    remaining: int
    reset_ms: int | None
    """From the answer on; None when it was not told."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens and price of one or more model calls.

    `usd` is a decimal string, or None when the model's price is not known: unknown is not zero.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    usd: str | None = "0"

    def __add__(self, other: Usage) -> Usage:
        """Return the sum; the price of the sum is unknown as soon as one part's is."""
        usd = None if self.usd is None or other.usd is None else format(Decimal(self.usd) + Decimal(other.usd), "f")
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            usd=usd,
        )

    @property
    def total_input_tokens(self) -> int:
        """All input tokens: fresh, read from the cache, and written to it (how the API counts them)."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    def to_json(self) -> dict[str, object]:
        """Return ``{"usd", "input_tokens", "output_tokens"}`` with the cache's share, as outcomes carry it."""
        return {
            "usd": self.usd,
            "input_tokens": self.total_input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
        }
