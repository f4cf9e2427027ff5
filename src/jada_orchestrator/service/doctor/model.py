"""Checks of the model's API: key, reach, lifecycle, abilities. Nothing is spent: only the model's card is read."""

from __future__ import annotations

import time

from jada_orchestrator.adapters.claude.client import ClientSettings, ModelConfigurationError
from jada_orchestrator.adapters.claude.planner import PlannerSettings, open_planner
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.settings import Settings

AREA = "model"
_REMEDIES = {
    "MODEL_UNKNOWN": "Set `model` to one that the service has.",
    "MODEL_RETIRED": "Set `model` to one that the service has.",
    "MODEL_WITHOUT_STRUCTURED_OUTPUTS": "Set `model` to one with structured outputs.",
    "MODEL_NOT_ASKED": "Check the key, ANTHROPIC_BASE_URL and the way out (proxy, firewall); then try again.",
}
_FAILURES = frozenset(_REMEDIES)


async def check_model(settings: Settings, catalogue: Catalogue | None) -> list[Finding]:
    """Ask the service about the model of the settings."""
    try:
        async with open_planner(
            ClientSettings(connections=1),
            PlannerSettings(
                deadline_ms=settings.planner_timeout,
                max_tokens=settings.defaults.max_tokens,
                effort=None if settings.effort == "none" else settings.effort,
            ),
        ) as planner:
            began = time.monotonic()
            faults = await planner.learn(settings.model, UtcMs(int(time.time() * 1_000)), catalogue)
            took_ms = (time.monotonic() - began) * 1_000
    except ModelConfigurationError as error:
        remedy = "In a service: put the key into /etc/credstore/anthropic_api_key. In a shell: ANTHROPIC_API_KEY."
        return [failure(AREA, "MODEL_KEY", str(error), remedy)]
    found = [
        failure(AREA, fault.code, fault.message, _REMEDIES[fault.code])
        if fault.code in _FAILURES
        else warning(
            AREA, fault.code, fault.message, "See `jada models`, and rehearse another model before it is needed."
        )
        for fault in faults
    ]
    if not any(each.verdict == "failure" for each in found):
        found.insert(0, ok(AREA, "MODEL", f"{settings.model} answers for itself, in {took_ms:.0f} ms"))
    return found
