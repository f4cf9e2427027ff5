"""The models that the stand-in pretends to serve, with the facts that its checks need.

The figures for Sonnet 4.6 and Haiku 4.5 follow the published documentation (context, output, lifecycle, smallest
cacheable prefix). Those of the 5.x models are plausible stand-in values; do not plan capacity by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Lifecycle = Literal["active", "deprecated", "retired"]
EFFORTS = ("low", "medium", "high", "xhigh", "max")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model: what the Models API says of it, and what a request for it may contain.

    `cache_minimum_tokens` is the smallest prefix that prompt caching takes; shorter ones are silently uncached.
    `prefill` says whether the last message may be the assistant's (models of 4.6 and later refuse that).
    """

    id: str
    display_name: str
    line: str
    created_at: str
    max_input_tokens: int
    max_tokens: int
    cache_minimum_tokens: int
    effort: bool
    thinking: frozenset[str]
    prefill: bool = False
    forced_tool: bool = True
    lifecycle: Lifecycle = "active"
    deprecated_at: str | None = None
    retires_at: str | None = None
    aliases: tuple[str, ...] = ()


_ADAPTIVE = frozenset({"adaptive", "disabled", "enabled"})
_NEWEST = frozenset({"adaptive", "disabled", "between_tools"})

KNOWN_MODELS: tuple[KnownModel, ...] = (
    KnownModel(
        id="claude-sonnet-4-6",
        display_name="Claude Sonnet 4.6",
        line="sonnet",
        created_at="2026-02-17T00:00:00Z",
        max_input_tokens=1_000_000,
        max_tokens=128_000,
        cache_minimum_tokens=1_024,
        effort=True,
        thinking=_ADAPTIVE,
    ),
    KnownModel(
        id="claude-haiku-4-5-20251001",
        display_name="Claude Haiku 4.5",
        line="haiku",
        created_at="2025-10-01T00:00:00Z",
        max_input_tokens=200_000,
        max_tokens=64_000,
        cache_minimum_tokens=4_096,
        effort=False,
        thinking=frozenset({"enabled", "disabled"}),
        prefill=True,
        aliases=("claude-haiku-4-5",),
    ),
    KnownModel(
        id="claude-sonnet-4-5-20250929",
        display_name="Claude Sonnet 4.5",
        line="sonnet",
        created_at="2025-09-29T00:00:00Z",
        max_input_tokens=200_000,
        max_tokens=64_000,
        cache_minimum_tokens=1_024,
        effort=False,
        thinking=frozenset({"enabled", "disabled"}),
        prefill=True,
        lifecycle="deprecated",
        deprecated_at="2026-09-29T00:00:00Z",
        retires_at="2026-11-30T00:00:00Z",
        aliases=("claude-sonnet-4-5",),
    ),
    KnownModel(
        id="claude-3-7-sonnet-20250219",
        display_name="Claude Sonnet 3.7",
        line="sonnet",
        created_at="2025-02-19T00:00:00Z",
        max_input_tokens=200_000,
        max_tokens=64_000,
        cache_minimum_tokens=1_024,
        effort=False,
        thinking=frozenset({"enabled", "disabled"}),
        prefill=True,
        lifecycle="retired",
        deprecated_at="2025-10-28T00:00:00Z",
        retires_at="2026-02-19T00:00:00Z",
    ),
    KnownModel(
        id="claude-sonnet-5-5",
        display_name="Claude Sonnet 5.5",
        line="sonnet",
        created_at="2026-09-01T00:00:00Z",
        max_input_tokens=1_000_000,
        max_tokens=128_000,
        cache_minimum_tokens=1_024,
        effort=True,
        thinking=_NEWEST,
        forced_tool=False,
    ),
    KnownModel(
        id="claude-haiku-5-5",
        display_name="Claude Haiku 5.5",
        line="haiku",
        created_at="2026-10-07T00:00:00Z",
        max_input_tokens=400_000,
        max_tokens=64_000,
        cache_minimum_tokens=2_048,
        effort=True,
        thinking=_NEWEST,
    ),
    KnownModel(
        id="claude-opus-5-5",
        display_name="Claude Opus 5.5",
        line="opus",
        created_at="2026-09-01T00:00:00Z",
        max_input_tokens=1_000_000,
        max_tokens=128_000,
        cache_minimum_tokens=512,
        effort=True,
        thinking=_NEWEST,
    ),
)

_BY_ID = {name: model for model in KNOWN_MODELS for name in (model.id, *model.aliases)}


def find_model(name: str) -> KnownModel | None:
    """Return the model with this id or alias, or None when the stand-in does not know it."""
    return _BY_ID.get(name)


def model_info(model: KnownModel) -> dict[str, Any]:
    """Return what `GET /v1/models/{id}` answers: the fields of the SDK's `ModelInfo`."""
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.display_name,
        "line": model.line,
        "created_at": model.created_at,
        "lifecycle": model.lifecycle,
        "deprecated_at": model.deprecated_at,
        "retires_at": model.retires_at,
        "max_input_tokens": model.max_input_tokens,
        "max_tokens": model.max_tokens,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: KnownModel) -> dict[str, Any]:
    yes, no = {"supported": True}, {"supported": False}
    thinking = {
        kind: {"supported": kind in model.thinking} for kind in ("adaptive", "between_tools", "disabled", "enabled")
    }
    return {
        "batch": no,
        "citations": no,
        "code_execution": no,
        "context_management": no,
        "effort": {"supported": model.effort, **{level: {"supported": model.effort} for level in EFFORTS}},
        "image_input": no,
        "pdf_input": no,
        "server_tools": {"supported": False, "code_execution": no, "web_search": no},
        "structured_outputs": yes,
        "thinking": {"supported": True, "types": thinking},
    }
