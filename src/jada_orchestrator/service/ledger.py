"""What the model's calls cost: sums over the ledger, by whatever one asks for. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.instants import format_date
from jada_orchestrator.domain.model_calls import ModelCall

DAY_MS: Final = 86_400_000

KEYS: Final[Mapping[str, Callable[[ModelCall], str]]] = {
    "day": lambda call: format_date(call.at),
    "tenant": lambda call: call.tenant,
    "model": lambda call: call.model or "unknown",
    "purpose": lambda call: call.purpose,
    "booking": lambda call: call.request_id or call.workflow_id,
}
"""What calls can be grouped by."""


@dataclass(slots=True)
class Totals:
    """Sums of a group of calls. `usd` holds the known prices; `unpriced` counts calls whose price is not known.

    All calls of a retired booking count as one.
    """

    calls: int = 0
    answered: int = 0
    unpriced: int = 0
    usd: Decimal = Decimal(0)
    repeated_usd: Decimal = Decimal(0)
    """Of it, for questions that were put again, and for calls that brought no answer."""
    corrections: int = 0
    corrections_usd: Decimal = Decimal(0)
    """Of it, for sending faults back."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    bookings: set[str] = field(default_factory=set)
    latencies_ms: list[int] = field(default_factory=list)
    first_tokens_ms: list[int] = field(default_factory=list)

    def add(self, call: ModelCall) -> None:
        """Count a call."""
        usage = call.usage
        self.calls += 1
        self.answered += call.answered
        self.bookings.add(call.workflow_id)
        self.input_tokens += usage.total_input_tokens
        self.output_tokens += usage.output_tokens
        self.cache_read_tokens += usage.cache_read_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        if call.answered and call.purpose != "retired":
            self.latencies_ms.append(call.latency_ms)
            self.first_tokens_ms.append(call.first_token_ms)
        self.corrections += call.purpose == "correction"
        if usage.usd is None:
            self.unpriced += 1
            return
        usd = Decimal(usage.usd)
        self.usd += usd
        if call.is_repeated or not call.answered:
            self.repeated_usd += usd
        elif call.purpose == "correction":
            self.corrections_usd += usd

    @property
    def cache_hit_rate(self) -> float | None:
        """The share of input tokens that came from the prompt cache; None without input."""
        return self.cache_read_tokens / self.input_tokens if self.input_tokens else None

    def to_json(self) -> JsonObject:
        """Return the totals for programs; sums of money are strings, and None is "not known"."""
        return {
            "calls": self.calls,
            "answered": self.answered,
            "bookings": len(self.bookings),
            "usd": _text(self.usd),
            "unpriced_calls": self.unpriced,
            "retries_usd": _text(self.repeated_usd),
            "corrections": self.corrections,
            "corrections_usd": _text(self.corrections_usd),
            "input_tokens": self.input_tokens,
            "output_tokens": self.output_tokens,
            "cache_read_tokens": self.cache_read_tokens,
            "cache_write_tokens": self.cache_write_tokens,
            "cache_hit_rate": None if self.cache_hit_rate is None else round(self.cache_hit_rate, 4),
            "latency_ms": _quantiles(self.latencies_ms),
            "first_token_ms": _quantiles(self.first_tokens_ms),
        }


def totals_of(calls: Iterable[ModelCall]) -> Totals:
    """Return the sums over calls; questions that were never put are left out."""
    totals = Totals()
    for call in calls:
        if call.sent or call.answered:
            totals.add(call)
    return totals


def grouped(calls: Sequence[ModelCall], by: str) -> dict[str, Totals]:
    """Return the sums by one of `KEYS`, in the order of the groups' names."""
    key = KEYS[by]
    groups: dict[str, list[ModelCall]] = {}
    for call in calls:
        if call.sent or call.answered:
            groups.setdefault(key(call), []).append(call)
    return {name: totals_of(groups[name]) for name in sorted(groups)}


def never_sent(calls: Iterable[ModelCall]) -> dict[str, int]:
    """Return how many questions brought nothing and cost nothing, by the code of the failure."""
    counts: dict[str, int] = {}
    for call in calls:
        if not call.sent and not call.answered:
            counts[call.failure_code] = counts.get(call.failure_code, 0) + 1
    return counts


def cold_models(calls: Sequence[ModelCall], least: int = 10) -> list[str]:
    """Return the models with so many answers or more, of which none read anything from the prompt cache."""
    return [
        model
        for model, sums in grouped(calls, "model").items()
        if sums.answered >= least and not sums.cache_read_tokens
    ]


def quantile(values: Sequence[int], share: float) -> int | None:
    """Return the value below which the share of the values lies (nearest rank); None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _quantiles(values: Sequence[int]) -> JsonObject:
    return {"p50": quantile(values, 0.5), "p95": quantile(values, 0.95)}


def _text(usd: Decimal) -> str:
    return format(usd.normalize(), "f") if usd else "0"
