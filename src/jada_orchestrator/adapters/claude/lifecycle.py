"""Whether a model is known, and how long it will be: from the shipped tables and the SDK's own, nobody is asked."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal, TypeAlias, get_args

from jada_orchestrator.adapters.claude.models import KnownModels
from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.domain.instants import UtcMs, format_date

State: TypeAlias = Literal["active", "unknown", "deprecated", "retired"]

_BEDROCK: Final = re.compile(r"\A(?:[a-z]+\.)?anthropic\.(?P<model>[a-z0-9-]+?)(?:-v\d+(?::\d+)?)?\Z")


def plain_id(model: str) -> str:
    """Return the API's id of a model that may be written as Bedrock's."""
    found = _BEDROCK.match(model)
    return model if found is None else found["model"]


def is_known(model: str) -> bool:
    """Tell whether any table has the model."""
    return lifecycle_of(model, UtcMs(0))[0] != "unknown"


def lifecycle_of(model: str, now: UtcMs) -> tuple[State, str]:
    """Return where a model is in its life, and a sentence for the operator (empty while it is active)."""
    from anthropic.resources.messages.messages import DEPRECATED_MODELS

    known, names = _tables()
    name = plain_id(model)
    facts = known.facts_of(name)
    if facts.lifecycle in {"deprecated", "retired"} or facts.retires_at is not None:
        if facts.retires_at is not None and facts.retires_at <= now:
            return "retired", f"{model} was retired on {format_date(facts.retires_at)}"
        until = f" and ends on {format_date(facts.retires_at)}" if facts.retires_at is not None else ""
        return "deprecated", f"{model} is deprecated{until}"
    if name in DEPRECATED_MODELS:
        return "deprecated", f"{model} is deprecated; it ends, or ended, on {DEPRECATED_MODELS[name]}"
    if known.knows(name) or name in names:
        return "active", ""
    return "unknown", f"no table knows the model {model}: a slip, or newer than this version"


@lru_cache(maxsize=1)
def _tables() -> tuple[KnownModels, frozenset[str]]:
    from anthropic.types import Model

    literal = get_args(Model)[0]
    return KnownModels.shipped(), frozenset({*get_args(literal), *PriceList.shipped().models()})
