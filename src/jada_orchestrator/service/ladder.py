"""Which models a request is planned with: the ladder of the settings, or its top where the rules say so.

A workflow keeps the ladder that it began with; what the settings say later is for later requests.
"""

from __future__ import annotations

import re
from decimal import Decimal

from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.service.settings import ModelLadder, Settings


def models_of(settings: Settings, request: BookingRequest) -> tuple[str, ...]:
    """Return the models that the request is planned with, the first to be asked first."""
    ladder = ladder_of(settings)
    return ladder[-1:] if len(ladder) > 1 and begins_at_top(settings.models, request) else ladder


def ladder_of(settings: Settings) -> tuple[str, ...]:
    """Return the ladder of the settings, each model once."""
    return tuple(dict.fromkeys(settings.models.plan)) or (settings.model,)


def all_models(settings: Settings) -> tuple[str, ...]:
    """Return every model that the settings may have asked: the ladder, the fallback and the cheaper one."""
    others = (settings.models.fallback, settings.models.cheaper)
    return tuple(dict.fromkeys([*ladder_of(settings), *filter(None, others)]))


def begins_at_top(rules: ModelLadder, request: BookingRequest) -> bool:
    """Tell whether size, value or words of a request want the strongest model at once."""
    text = request.text or ""
    if rules.raise_longer_than and len(text) > rules.raise_longer_than:
        return True
    if any(re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE) for word in rules.raise_on_words):
        return True
    bound, most = rules.raise_above, request.constraints.max_total
    return bool(bound) and most is not None and _is_above(most, bound)


def _is_above(most: Money, bound: str) -> bool:
    """Compare two sums; another currency than the rule's is left to the ladder."""
    amount, _, currency = bound.partition(" ")
    return most.currency == currency and most.amount > Decimal(amount)
