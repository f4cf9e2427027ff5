"""What a model call used and cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


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
