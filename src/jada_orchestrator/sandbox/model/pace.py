"""How fast the stand-in talks, and the rate-limit headers that it shows."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from jada_orchestrator.sandbox.model.prompt_cache import CHARS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds to the first token, tokens a second after it (0: as fast as the wire takes them), chunk size."""

    first_token_s: float = 0.0
    tokens_per_second: float = 0.0
    chunk_chars: int = 24
    ping_every_s: float = 0.05

    def chunk_delay_s(self, text: str) -> float:
        """Return how long this chunk takes to be generated."""
        return 0.0 if self.tokens_per_second <= 0 else len(text) / CHARS_PER_TOKEN / self.tokens_per_second


REQUESTS_PER_MINUTE = 1_000
INPUT_TOKENS_PER_MINUTE = 2_000_000
OUTPUT_TOKENS_PER_MINUTE = 400_000


class RateMeter:
    """Counts the calls and tokens of the last minute for the `anthropic-ratelimit-*` headers.

    It only shows the figures (limits of the lowest tier); it refuses nothing: 429 is ordered as a fault.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock, in seconds since the epoch."""
        self._clock = clock
        self._seen: deque[tuple[float, int, int]] = deque()

    def count(self, input_tokens: int, output_tokens: int) -> None:
        """Remember one answered call."""
        self._seen.append((self._clock(), input_tokens, output_tokens))

    def headers(self) -> dict[str, str]:
        """Return the headers; token values are rounded to 1,000 as the real ones are."""
        now = self._clock()
        while self._seen and self._seen[0][0] <= now - 60:
            self._seen.popleft()
        reset = datetime.fromtimestamp(int(now) + 60, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        used_input = sum(entry[1] for entry in self._seen)
        used_output = sum(entry[2] for entry in self._seen)
        headers = {}
        for name, limit, used, rounding in (
            ("requests", REQUESTS_PER_MINUTE, len(self._seen), 1),
            ("input-tokens", INPUT_TOKENS_PER_MINUTE, used_input, 1_000),
            ("output-tokens", OUTPUT_TOKENS_PER_MINUTE, used_output, 1_000),
            ("tokens", INPUT_TOKENS_PER_MINUTE + OUTPUT_TOKENS_PER_MINUTE, used_input + used_output, 1_000),
        ):
            left = max(0, limit - used) // rounding * rounding
            headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            headers[f"anthropic-ratelimit-{name}-remaining"] = str(left)
            headers[f"anthropic-ratelimit-{name}-reset"] = reset
        return headers
