"""Token estimates and the simulated prompt cache.

The estimate is four characters a token, as in the vendor's rule of thumb; it is not a tokenizer. The cache follows the
documented rules that matter for cost: order tools, system, messages; at most four breakpoints; a prefix shorter than
the model's minimum is silently uncached; a change of the output format changes the prefix; an entry lives five minutes
(or an hour) from its last use and becomes readable when the first answer begins. The look-back of 20 blocks is not
simulated.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from jada_orchestrator.sandbox.model.known_models import KnownModel

CHARS_PER_TOKEN = 4
_SECONDS = {"5m": 300.0, "1h": 3600.0}


def estimate_tokens(chars: int) -> int:
    """Return the estimated tokens of so many characters, rounded up."""
    return -(-chars // CHARS_PER_TOKEN)


@dataclass(frozen=True, slots=True)
class Piece:
    """One block of the prompt in cache order; `ttl` is set when a cache breakpoint follows it."""

    text: str
    ttl: str | None


@dataclass(frozen=True, slots=True)
class InputUsage:
    """How a call's input tokens are billed; the total is the sum of the three."""

    uncached: int
    created_5m: int
    created_1h: int
    read: int

    @property
    def total(self) -> int:
        """All input tokens of the call."""
        return self.uncached + self.created_5m + self.created_1h + self.read

    def as_usage(self) -> dict[str, Any]:
        """Return the input half of the API's `usage` object."""
        return {
            "input_tokens": self.uncached,
            "cache_creation_input_tokens": self.created_5m + self.created_1h,
            "cache_read_input_tokens": self.read,
            "cache_creation": {
                "ephemeral_5m_input_tokens": self.created_5m,
                "ephemeral_1h_input_tokens": self.created_1h,
            },
        }


def prompt_pieces(body: dict[str, Any]) -> list[Piece]:
    """Return the blocks of a request in cache order: format, tools, system, messages."""
    pieces = list(_blocks(body))
    control = body.get("cache_control")
    if isinstance(control, dict) and pieces:
        pieces[-1] = Piece(pieces[-1].text, str(control.get("ttl", "5m")))
    return pieces


def count_input_tokens(body: dict[str, Any]) -> int:
    """Return the estimated input tokens of a whole request."""
    return estimate_tokens(sum(len(piece.text) for piece in prompt_pieces(body)))


def _blocks(body: dict[str, Any]) -> Iterator[Piece]:
    output_format = (body.get("output_config") or {}).get("format")
    if output_format is not None:
        yield Piece(json.dumps(output_format), None)
    for tool in body.get("tools") or []:
        yield _piece(tool)
    yield from _content(body.get("system"))
    for message in body.get("messages") or []:
        yield Piece(f"{message.get('role')}: ", None)
        yield from _content(message.get("content"))


def _content(content: object) -> Iterator[Piece]:
    if isinstance(content, str):
        yield Piece(content, None)
    elif isinstance(content, list):
        for block in content:
            yield _piece(block)


def _piece(block: dict[str, Any]) -> Piece:
    control = block.get("cache_control")
    ttl = str(control.get("ttl", "5m")) if isinstance(control, dict) else None
    bare = {key: value for key, value in block.items() if key != "cache_control"}
    text = str(bare["text"]) if bare.get("type") == "text" else json.dumps(bare, sort_keys=True)
    return Piece(text, ttl)


@dataclass(frozen=True, slots=True)
class _Prefix:
    digest: str
    tokens: int
    ttl: str


class PromptCache:
    """Remembers prompt prefixes per model until they expire."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Take the clock (seconds) that entries expire by."""
        self._clock = clock
        self._expires: dict[str, float] = {}

    def bill(self, model: KnownModel, body: dict[str, Any]) -> InputUsage:
        """Split the call's input tokens into read, created and uncached, and remember its prefixes.

        Call it when the answer begins: calls that fail before that neither read nor fill the cache.
        """
        now = self._clock()
        prefixes = [p for p in _prefixes(model, body) if p.tokens >= model.cache_minimum_tokens]
        read = max((p.tokens for p in prefixes if self._expires.get(p.digest, 0.0) > now), default=0)
        created = {"5m": 0, "1h": 0}
        reached = read
        for prefix in prefixes:
            if prefix.tokens > reached:
                created["1h" if prefix.ttl == "1h" else "5m"] += prefix.tokens - reached
                reached = prefix.tokens
            self._expires[prefix.digest] = now + _SECONDS.get(prefix.ttl, 300.0)
        total = count_input_tokens(body)
        return InputUsage(max(0, total - reached), created["5m"], created["1h"], read)

    def clear(self) -> None:
        """Forget everything."""
        self._expires.clear()


def _prefixes(model: KnownModel, body: dict[str, Any]) -> Iterator[_Prefix]:
    digest, chars = hashlib.sha256(model.id.encode()), 0
    for piece in prompt_pieces(body):
        digest.update(piece.text.encode() + b"\x00")
        chars += len(piece.text)
        if piece.ttl is not None:
            yield _Prefix(digest.hexdigest(), estimate_tokens(chars), piece.ttl)
