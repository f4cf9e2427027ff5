"""The model as the settings want it asked: who serves it, how a question is put, what it costs.

The daemon and every command that asks go this way, so that a command tells of what the daemon will meet.
"""

from __future__ import annotations

import json
from contextlib import AbstractAsyncContextManager

from jada_orchestrator.adapters.claude.client import ClientSettings
from jada_orchestrator.adapters.claude.planner import ClaudePlanner, PlannerSettings, open_planner
from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.adapters.claude.providers import Provider
from jada_orchestrator.service.settings import Settings


class PriceListError(Exception):
    """The operator's own price list cannot be read, or is none.

    Raised at start by `prices_of`. The operator mends the file that `models.prices` names, or takes the
    setting out: then the shipped list holds.
    """


def open_model(settings: Settings, connections: int) -> AbstractAsyncContextManager[ClaudePlanner]:
    """Return the planner of the settings, to be opened inside the running loop.

    Raises: PriceListError; when opened, ModelConfigurationError.
    """
    return open_planner(
        ClientSettings(connections),
        PlannerSettings(
            deadline_ms=settings.planner_timeout,
            max_tokens=settings.defaults.max_tokens,
            effort=None if settings.effort == "none" else settings.effort,
        ),
        provider=Provider(settings.models.provider, settings.models.bedrock_prefix),
        prices=prices_of(settings),
    )


def prices_of(settings: Settings) -> PriceList:
    """Return the operator's price list, or the shipped one. Raises: PriceListError."""
    path = settings.models.prices
    if path is None:
        return PriceList.shipped()
    try:
        return PriceList.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise PriceListError(f"models.prices: {path} is no price list: {type(error).__name__}: {error}") from error
