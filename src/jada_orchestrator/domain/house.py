"""The house's own actions: the agent `jada`, which every catalogue has without a file.

Nothing is sent to anybody for them. They read, as far as order and undoing go: they change nothing.
"""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.catalogue import Action, Catalogue, Effect, RetryPolicy
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import ActionName, AgentName
from jada_orchestrator.domain.limits import (
    APPROVAL_QUESTION_CHARS_MAX,
    APPROVAL_WAIT_MAX_MS,
    WAIT_MAX_MS,
)

HOUSE: Final = AgentName("jada")
"""The name that no other agent may have."""
WAIT: Final = ActionName("jada.wait")
APPROVE: Final = ActionName("jada.approve")
CHOOSE: Final = ActionName("jada.choose")

_INSTANT: Final[JsonObject] = {"type": "string", "format": "date-time"}
_MONEY: Final[JsonObject] = {
    "type": "object",
    "required": ["amount", "currency"],
    "properties": {
        "amount": {"type": "string", "pattern": "^[0-9]{1,9}(\\.[0-9]{1,2})?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "additionalProperties": False,
}


def _action(
    name: ActionName,
    description: str,
    given: JsonObject,
    output: JsonObject,
    sources: dict[str, tuple[str, ...]] | None = None,
) -> Action:
    return Action(
        name=name,
        agent=HOUSE,
        description=description,
        effect=Effect.READ,
        input_schema={"type": "object", "additionalProperties": False, **given},
        output_schema=output,
        timeout_ms=WAIT_MAX_MS,
        retry=RetryPolicy(1, 1, 1),
        sources=sources or {},
        codes=(),
    )


HOUSE_ACTIONS: Final[dict[ActionName, Action]] = {
    action.name: action
    for action in (
        _action(
            WAIT,
            "Waits until an instant, or for so many seconds; give one of both. Nothing else of the plan waits with it.",
            {
                "properties": {
                    "until": _INSTANT,
                    "seconds": {"type": "integer", "minimum": 1, "maximum": WAIT_MAX_MS // 1_000},
                },
                "oneOf": [{"required": ["until"]}, {"required": ["seconds"]}],
            },
            {"type": "object", "required": ["waited_until"], "properties": {"waited_until": _INSTANT}},
        ),
        _action(
            APPROVE,
            "Asks a person to approve something, and waits for the answer; fails APPROVAL_EXPIRED after expires_in "
            "seconds (a day unless told). When it is denied, tasks with a condition on `approved` see false; without "
            "any such task it fails APPROVAL_DENIED.",
            {
                "required": ["question"],
                "properties": {
                    "question": {"type": "string", "minLength": 1, "maxLength": APPROVAL_QUESTION_CHARS_MAX},
                    "amount": _MONEY,
                    "expires_in": {"type": "integer", "minimum": 1, "maximum": APPROVAL_WAIT_MAX_MS // 1_000},
                },
            },
            {
                "type": "object",
                "required": ["approved", "by"],
                "properties": {"approved": {"type": "boolean"}, "by": {"type": "string"}},
            },
        ),
        _action(
            CHOOSE,
            "Has one of the options chosen that a task returned, by criteria in plain words; where nobody can "
            "choose, the first is taken, so keep the order of the search. `option` is the chosen element of the list.",
            {
                "required": ["options", "criteria"],
                "properties": {
                    "options": {"type": "array", "minItems": 1},
                    "criteria": {"type": "string", "minLength": 1, "maxLength": APPROVAL_QUESTION_CHARS_MAX},
                },
            },
            {
                "type": "object",
                "required": ["index", "option", "by"],
                "properties": {
                    "index": {"type": "integer"},
                    "option": {},
                    "by": {"type": "string", "enum": ["model", "order"]},
                },
            },
            sources={"criteria": ("user", "const")},
        ),
    )
}


def action_named(catalogue: Catalogue, name: ActionName) -> Action | None:
    """Return an action of the catalogue or of the house; None when there is none of that name."""
    return catalogue.actions.get(name) or HOUSE_ACTIONS.get(name)
