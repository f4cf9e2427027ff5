"""Where Claude is asked: the Anthropic API, or AWS Bedrock with the host's own credentials.

Bedrock has its own ids for models and an API version of its own: the SDK sends ``anthropic_version: 2026-10-21``, which
Bedrock takes for Claude 4.7 and later only. For older models the body says ``bedrock-2023-05-31`` instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from jada_orchestrator.domain.documents import JsonObject

ProviderKind: TypeAlias = Literal["anthropic", "bedrock"]

OLD_BEDROCK_VERSION: Final = "bedrock-2023-05-31"
_FIRST_WITH_NEW_VERSION: Final = (4, 7)
_VERSION: Final = re.compile(r"claude-[a-z]+-(\d+)(?:-(\d{1,2}))?(?![0-9])")
_BEDROCK_IDS: Final = {
    "claude-haiku-4-5": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "claude-haiku-4-5-20251001": "anthropic.claude-haiku-4-5-20251001-v1:0",
}
"""Where Bedrock's id is not `anthropic.` and the API's id."""


@dataclass(frozen=True, slots=True)
class Provider:
    """One of the two; `prefix` is Bedrock's inference profile (``us.``, ``eu.``, ``global.``), or empty."""

    kind: ProviderKind = "anthropic"
    prefix: str = ""
    region: str | None = None
    """Bedrock's region; None: the host's own."""

    def wire_model(self, model: str) -> str:
        """Return the id under which the provider knows a model; what is already one of its ids is left alone."""
        if self.kind == "anthropic" or "anthropic." in model or model.startswith("arn:"):
            return model
        return self.prefix + _BEDROCK_IDS.get(model, f"anthropic.{model}")

    def extra_body(self, model: str) -> JsonObject | None:
        """Return what is put into the body over the SDK's own fields."""
        if self.kind == "anthropic" or not _is_older(model):
            return None
        return {"anthropic_version": OLD_BEDROCK_VERSION}

    @property
    def knows_models(self) -> bool:
        """Whether the provider can be asked about models."""
        return self.kind == "anthropic"


def _is_older(model: str) -> bool:
    found = _VERSION.search(model)
    if found is None:
        return False
    return (int(found[1]), int(found[2] or 0)) < _FIRST_WITH_NEW_VERSION
