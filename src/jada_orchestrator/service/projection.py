"""What a month will cost at so many requests a day: arithmetic over stated assumptions, or over what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from jada_orchestrator.adapters.claude.models import KnownModels
from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.model_calls import ModelCall
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.service.ledger import totals_of

DAYS_A_MONTH: Final = 30
MEASURED_CALLS_MIN: Final = 20
"""With fewer answers than these the ledger says little; the worked example's assumptions are taken instead."""


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What one request is taken to need. Tokens are those of Claude 4.x; newer models count more for the same text.

    The defaults are those of the worked example in ``docs/cost.md``.
    """

    prompt_tokens: int = 6_000
    """Rules and catalogue, the same for every call."""
    request_tokens: int = 300
    plan_tokens: int = 900
    cached_share: float = 1.0
    """Of the prompt's tokens, how many are read from the cache; the rest are written to it."""
    corrections: float | None = None
    """Answers that are sent back, for each request; None: `CORRECTIONS` by model."""
    source: str = "the worked example of docs/cost.md"

    def to_json(self) -> JsonObject:
        """Return the assumptions for programs."""
        return asdict(self)


CORRECTIONS: Final[dict[str, float]] = {"claude-haiku-4-5": 0.35, "claude-sonnet-4-6": 0.10}
"""The worked example's rates of corrections: 71 % fewer with Sonnet, inside the estimate's 60 to 80 %. A rehearsal
measures them for real (`jada rehearse`)."""
CORRECTIONS_ELSE: Final = 0.10
_FAULTS_TOKENS: Final = 200


@dataclass(frozen=True, slots=True)
class Projection:
    """One model's month; None where a rate is not known."""

    model: str
    usd_per_request: Decimal | None
    months: dict[int, Decimal | None]
    """By requests a day."""
    corrections: float

    def to_json(self) -> JsonObject:
        """Return the projection for programs."""
        return {
            "model": self.model,
            "usd_per_request": None if self.usd_per_request is None else str(round(self.usd_per_request, 6)),
            "usd_per_month": {
                str(count): None if usd is None else str(round(usd, 2)) for count, usd in self.months.items()
            },
            "corrections_per_request": self.corrections,
        }


def project(
    models: Sequence[str],
    requests_a_day: Sequence[int],
    assumptions: Assumptions,
    *,
    prices: PriceList,
    known: KnownModels,
    on: date,
) -> list[Projection]:
    """Return each model's month at each number of requests a day."""
    found = []
    for model in models:
        rate = assumptions.corrections
        corrections = CORRECTIONS.get(model, CORRECTIONS_ELSE) if rate is None else rate
        usd = _per_request(model, corrections, assumptions, prices, known.token_factor_of(model), on)
        months = {count: None if usd is None else usd * count * DAYS_A_MONTH for count in requests_a_day}
        found.append(Projection(model, usd, months, corrections))
    return found


def _per_request(
    model: str, corrections: float, assumed: Assumptions, prices: PriceList, factor: float, on: date
) -> Decimal | None:
    """Return the price of one request: its plan, and its share of corrections, which send the answer along again."""
    cached = round(assumed.prompt_tokens * assumed.cached_share)
    plan = Usage(
        input_tokens=round(assumed.request_tokens * factor),
        output_tokens=round(assumed.plan_tokens * factor),
        cache_read_tokens=round(cached * factor),
        cache_write_tokens=round((assumed.prompt_tokens - cached) * factor),
    )
    again = round((assumed.request_tokens + assumed.plan_tokens + _FAULTS_TOKENS) * factor)
    correction = Usage(again, plan.output_tokens, round(assumed.prompt_tokens * factor), 0)
    first, second = prices.cost_of(model, plan, on), prices.cost_of(model, correction, on)
    if first is None or second is None:
        return None
    return Decimal(first) + Decimal(second) * Decimal(str(corrections))


def measured(calls: Sequence[ModelCall], known: KnownModels) -> Assumptions | None:
    """Return what the ledger says of a request, in tokens of Claude 4.x; None when it says too little."""
    plans = [call for call in calls if call.answered and call.purpose in {"plan", "revision"}]
    if len(plans) < MEASURED_CALLS_MIN:
        return None
    sums, everything = totals_of(plans), totals_of(call for call in calls if call.purpose != "retired")
    factor = sum(known.token_factor_of(call.model) for call in plans) / len(plans)
    prompt = (sums.cache_read_tokens + sums.cache_write_tokens) / len(plans) / factor
    return Assumptions(
        prompt_tokens=round(prompt),
        request_tokens=round((sums.input_tokens / len(plans)) / factor - prompt),
        plan_tokens=round(sums.output_tokens / len(plans) / factor),
        cached_share=round(sums.cache_read_tokens / max(1, sums.cache_read_tokens + sums.cache_write_tokens), 4),
        corrections=round(everything.corrections / max(1, len(everything.bookings)), 4),
        source=f"{len(plans)} plans in the ledger",
    )
