"""What is known of a model: asked of the service at start, else read from `config/models.json`."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from jada_orchestrator.adapters.claude.errors import classify
from jada_orchestrator.adapters.claude.shipped import read_shipped
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.instants import UtcMs, format_date, parse_instant
from jada_orchestrator.domain.usage import Usage

if TYPE_CHECKING:
    from anthropic.types import ModelCapabilities, ModelInfo

    from jada_orchestrator.adapters.claude.client import ModelClient

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]
Lifecycle: TypeAlias = Literal["active", "deprecated", "retired", "unknown"]

RETIREMENT_NOTICE_MS: Final = 60 * 86_400_000
"""The vendor promises sixty days' notice; so much before its end a model is warned of."""
ASKING_TIMEOUT_S: Final = 10.0
"""The start of the daemon does not wait longer for what it can do without."""
_DATE_SUFFIX: Final = re.compile(r"-\d{8}\Z")
_LEVELS: Final[tuple[Effort, ...]] = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """One model's lifecycle and abilities; None where nothing is known, and then the ability is not used."""

    model: str
    lifecycle: Lifecycle = "unknown"
    retires_at: UtcMs | None = None
    efforts: frozenset[str] = frozenset()
    """The levels of effort that may be asked for; empty where the parameter is refused, or nothing is known."""
    structured_outputs: bool | None = None
    max_tokens: int | None = None
    """The most output that may be asked for."""
    cache_minimum_tokens: int | None = None
    """A shorter prefix is silently not cached."""


class KnownModels:
    """The table of abilities for when the service cannot be asked."""

    def __init__(self, facts: Mapping[str, ModelFacts], token_factors: Mapping[str, float] | None = None) -> None:
        """Take the facts by id, and how many tokens models count for one of Claude 4.x."""
        self._facts = dict(facts)
        self._token_factors = dict(token_factors or {})

    @classmethod
    def shipped(cls) -> KnownModels:
        """Return the table that came with this version."""
        entries: dict[str, JsonObject] = read_shipped("models.json")["models"]
        factors = {model: float(entry.get("token_factor", 1)) for model, entry in entries.items()}
        return cls({model: _from_table(model, entry) for model, entry in entries.items()}, factors)

    def facts_of(self, model: str) -> ModelFacts:
        """Return what the table says; an id with a date at its end is also found without it, others are unknown."""
        found = self._facts.get(model) or self._facts.get(_DATE_SUFFIX.sub("", model))
        return ModelFacts(model) if found is None else replace(found, model=model)

    def knows(self, model: str) -> bool:
        """Tell whether the table has the model."""
        return model in self._facts or _DATE_SUFFIX.sub("", model) in self._facts

    def token_factor_of(self, model: str) -> float:
        """Return how many tokens a model counts for a text that has one token with Claude 4.x."""
        return self._token_factors.get(_DATE_SUFFIX.sub("", model), 1.0)


def _from_table(model: str, entry: JsonObject) -> ModelFacts:
    return ModelFacts(
        model=model,
        efforts=frozenset(_LEVELS) if entry["effort"] else frozenset(),
        structured_outputs=entry["structured_outputs"],
        max_tokens=entry["max_tokens"],
        cache_minimum_tokens=entry["cache_minimum_tokens"],
        lifecycle=entry.get("lifecycle", "unknown"),
        retires_at=parse_instant(f"{entry['retires']}T00:00:00Z") if "retires" in entry else None,
    )


async def learn(
    client_of: Callable[[], Awaitable[ModelClient]], model: str, known: KnownModels, now: UtcMs
) -> tuple[ModelFacts, tuple[Fault, ...]]:
    """Ask the service about a model; return what is known then, and what the operator should be warned of.

    `client_of` makes the client, or returns the one that is there.

    Never fails but by cancellation: a service that cannot be reached is a warning, and the table has to do.
    """
    table = known.facts_of(model)
    try:
        client = await client_of()
        import anthropic  # loaded by now, beside the loop: before, this would be the loop's seconds

        if not isinstance(client, anthropic.AsyncAnthropic):
            return table, ()  # Bedrock has no Models API
        async with asyncio.timeout(ASKING_TIMEOUT_S):
            info = await client.models.retrieve(model)
        facts = _merged(table, info)
    except Exception as error:  # noqa: BLE001 - whatever a foreign server makes the SDK raise, it is only a warning
        return table, (_not_learnt(model, error),)
    return facts, warnings_about(facts, now)


def warnings_about(facts: ModelFacts, now: UtcMs) -> tuple[Fault, ...]:
    """Return what the operator should know about a model before relying on it."""
    found = []
    if facts.lifecycle == "retired":
        found.append(Fault("MODEL_RETIRED", "model", f"{facts.model} is retired: calls fail; configure another model"))
    elif facts.lifecycle == "deprecated":
        end = f" and retires on {format_date(facts.retires_at)}" if facts.retires_at is not None else ""
        found.append(
            Fault("MODEL_DEPRECATED", "model", f"{facts.model} is deprecated{end}; rehearse and configure another one")
        )
    if facts.lifecycle != "retired" and facts.retires_at is not None and facts.retires_at - now <= RETIREMENT_NOTICE_MS:
        found.append(Fault("MODEL_RETIRES_SOON", "model", f"{facts.model} retires on {format_date(facts.retires_at)}"))
    if facts.structured_outputs is False:
        found.append(
            Fault(
                "MODEL_WITHOUT_STRUCTURED_OUTPUTS",
                "model",
                f"{facts.model} does not support structured outputs: every question will be refused",
            )
        )
    return tuple(found)


def _not_learnt(model: str, error: Exception) -> Fault:
    failure = classify(error, begun=False, usage=Usage()).failure
    if failure.code == "MODEL_UNKNOWN":
        return Fault("MODEL_UNKNOWN", "model", f"the service does not know {model}: {failure.message}")
    return Fault("MODEL_NOT_ASKED", "model", f"could not ask about {model}: {failure.message} [{failure.code}]")


def _merged(table: ModelFacts, info: ModelInfo) -> ModelFacts:
    """Return the service's word, with the table's where the service has none (other servers leave fields out)."""
    abilities = info.capabilities
    is_told = info.lifecycle in {"active", "deprecated", "retired"}
    told_end: datetime | None = info.retires_at
    end = UtcMs(int(told_end.timestamp() * 1_000)) if told_end is not None else None
    return ModelFacts(
        model=table.model,
        lifecycle=info.lifecycle if is_told else table.lifecycle,
        # Of a model whose life it tells, the service also knows the end; who tells of neither knows nothing.
        retires_at=end if is_told or end is not None else table.retires_at,
        efforts=table.efforts if abilities is None else _efforts(abilities),
        structured_outputs=table.structured_outputs if abilities is None else abilities.structured_outputs.supported,
        max_tokens=info.max_tokens or table.max_tokens,
        cache_minimum_tokens=table.cache_minimum_tokens,
    )


def _efforts(abilities: ModelCapabilities) -> frozenset[str]:
    effort = abilities.effort
    if not effort.supported:
        return frozenset()
    levels = {level: getattr(effort, level) for level in _LEVELS}
    return frozenset(level for level, support in levels.items() if support is not None and support.supported)
