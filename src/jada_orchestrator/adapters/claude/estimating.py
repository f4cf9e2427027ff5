"""What a question will probably cost, from its length and from what earlier answers of the same model came to."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from jada_orchestrator.adapters.claude.prices import Price
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import CallEstimate

_CHARS_PER_TOKEN: Final = 3.5
"""On the low side for JSON, so that the first estimates are on the high side."""
_OUTPUT_FIRST: Final = 1_500
"""What a plan of a dozen tasks has; used until there is experience."""
_WEIGHT: Final = 0.2
"""Of the newest answer in the moving averages."""


@dataclass(frozen=True, slots=True)
class Size:
    """The length of a question: characters of the stable prompt and of the messages, and their bytes together."""

    prompt_chars: int
    message_chars: int
    total_bytes: int


@dataclass(slots=True)
class Experience:
    """Moving averages of what a model's answers used."""

    tokens_per_char: float = 1 / _CHARS_PER_TOKEN
    output: float = _OUTPUT_FIRST
    output_deviation: float = 0.0
    cached_share: float = 0.0
    """Of the stable prompt, how much is read from the cache."""

    def learn(self, size: Size, usage: Usage) -> None:
        """Take one complete answer into account."""
        chars = size.prompt_chars + size.message_chars
        if chars and usage.total_input_tokens:
            self.tokens_per_char += _WEIGHT * (usage.total_input_tokens / chars - self.tokens_per_char)
            prompt_tokens = max(1.0, size.prompt_chars * self.tokens_per_char)
            share = min(1.0, usage.cache_read_tokens / prompt_tokens)
            self.cached_share += _WEIGHT * (share - self.cached_share)
        error = usage.output_tokens - self.output
        self.output += _WEIGHT * error
        self.output_deviation += _WEIGHT * (abs(error) - self.output_deviation)

    def estimate(self, size: Size, price: Price | None, max_tokens: int) -> CallEstimate:
        """Return what the next answer will probably use, a deviation above the average, and its price.

        At worst each byte is a token (byte-level tokenizers have no shorter ones), nothing is read from the cache, and
        the answer is as long as it may be.
        """
        prompt = size.prompt_chars * self.tokens_per_char
        cached = int(prompt * self.cached_share)
        expected = Usage(
            input_tokens=int(size.message_chars * self.tokens_per_char),
            output_tokens=min(max_tokens, int(self.output + self.output_deviation)),
            cache_read_tokens=cached,
            cache_write_tokens=int(prompt) - cached,
        )
        worst = Usage(cache_write_tokens=size.total_bytes, output_tokens=max_tokens)
        return CallEstimate(
            input_tokens=expected.input_tokens + expected.cache_write_tokens,
            output_tokens=expected.output_tokens,
            expected_usd=_usd(price, expected),
            worst_usd=_usd(price, worst),
        )


def _usd(price: Price | None, usage: Usage) -> Decimal | None:
    """Return the price; where no source tells the rates of the cache, all input counts as fresh."""
    if price is None:
        return None
    exact = price.of(usage)
    return exact if exact is not None else price.of(_uncached(usage))


def _uncached(usage: Usage) -> Usage:
    return Usage(input_tokens=usage.total_input_tokens, output_tokens=usage.output_tokens)
