"""Claude as the planner: one client, one stable prompt, one stable schema, one table of failures.

`open_planner` is the way in; everything else is its parts.
"""

from __future__ import annotations

from jada_orchestrator.adapters.claude.client import ClientSettings, ModelConfigurationError, create_client
from jada_orchestrator.adapters.claude.models import ModelFacts
from jada_orchestrator.adapters.claude.planner import ClaudePlanner, PlannerSettings, open_planner
from jada_orchestrator.adapters.claude.prices import PriceList
from jada_orchestrator.adapters.claude.providers import Provider

__all__ = [
    "ClaudePlanner",
    "ClientSettings",
    "ModelConfigurationError",
    "ModelFacts",
    "PlannerSettings",
    "PriceList",
    "Provider",
    "create_client",
    "open_planner",
]
