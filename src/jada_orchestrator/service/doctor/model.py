"""Checks of the model's API: key, reach, lifecycle, abilities. Nothing is spent: only the models' cards are read."""

from __future__ import annotations

import time

from jada_orchestrator.adapters.claude.client import ModelConfigurationError
from jada_orchestrator.adapters.claude.planner import ClaudePlanner
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.ladder import all_models
from jada_orchestrator.service.model_access import PriceListError, open_model
from jada_orchestrator.service.settings import Settings

AREA = "model"
_REMEDIES = {
    "MODEL_UNKNOWN": "Set {key} to one that the service has.",
    "MODEL_RETIRED": "Set {key} to one that the service has.",
    "MODEL_WITHOUT_STRUCTURED_OUTPUTS": "Set {key} to one with structured outputs.",
    "MODEL_NOT_ASKED": "Check the key, ANTHROPIC_BASE_URL and the way out (proxy, firewall); then try again.",
}
_KEY = "In a service: put the key into /etc/credstore/anthropic_api_key. In a shell: ANTHROPIC_API_KEY."
_BEDROCK = "Do what the message says; models.provider says who serves the models."


async def check_model(settings: Settings, catalogue: Catalogue | None) -> list[Finding]:
    """Ask the service about every model that the settings may have asked."""
    try:
        async with open_model(settings, connections=1) as planner:
            found = []
            for model in all_models(settings):
                found += await _check(settings, planner, model, catalogue)
            return found
    except ModelConfigurationError as error:
        return [failure(AREA, "MODEL_KEY", str(error), _BEDROCK if _is_bedrock(settings) else _KEY)]
    except PriceListError as error:
        return [failure(AREA, "MODEL_PRICES", str(error), "Mend the file, or take models.prices out.")]


async def _check(settings: Settings, planner: ClaudePlanner, model: str, catalogue: Catalogue | None) -> list[Finding]:
    began = time.monotonic()
    faults = await planner.learn(model, UtcMs(int(time.time() * 1_000)), catalogue)
    took_ms = (time.monotonic() - began) * 1_000
    key = "`model`" if model == settings.model and not settings.models.plan else f"`models.*` ({model})"
    found = [
        failure(AREA, fault.code, fault.message, _REMEDIES[fault.code].format(key=key))
        if fault.code in _REMEDIES
        else warning(
            AREA, fault.code, fault.message, "See `jada models`, and rehearse another model before it is needed."
        )
        for fault in faults
    ]
    if not any(each.verdict == "failure" for each in found):
        told = f"answers for itself, in {took_ms:.0f} ms"
        if _is_bedrock(settings):
            told = "is left to Bedrock, which tells nothing of a model before it is used"
        found.insert(0, ok(AREA, "MODEL", f"{model} {told}"))
    return found


def _is_bedrock(settings: Settings) -> bool:
    return settings.models.provider == "bedrock"
