"""The codes with which a call can fail whatever its agent declares: those of the house, of the wire and of the kit.

A catalogue names the codes of an action's own in `codes`; what is expected of a failure (`replan_on`, and `on_codes` in
a plan) is then one of those or one of these, so that a code that nobody ever gives is a mistake and not a silence.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

_OF_THE_ENGINE: Final = frozenset(
    {
        "ABSENT",
        "AMOUNT_NEGATIVE",
        "AMOUNT_UNKNOWN",
        "APPROVAL_DENIED",
        "APPROVAL_EXPIRED",
        "BAD_CHOICE",
        "BAD_INPUT",
        "BAD_LOOKUP",
        "BAD_OUTPUT",
        "BAD_REFERENCE",
        "CURRENCY_MISMATCH",
        "DEADLINE_PASSED",
        "FAILED",
        "HOLD_CHANGED",
        "HOLD_EXPIRED",
        "INPUT_UNRESOLVED",
        "INTERRUPTED",
        "LIST_TOO_LONG",
        "MISSING_AT_RUNTIME",
        "OVER_BUDGET",
        "PENDING",
        "TIMEOUT",
        "UNRESOLVED",
        "WAIT_TOO_LONG",
    }
)
_OF_THE_KIT: Final = frozenset(
    {"BAD_INPUT", "BAD_OUTPUT", "BAD_REPLY", "DEADLINE_PASSED", "IN_PROGRESS", "KEY_REUSED", "UNKNOWN_ACTION"}
)
_OF_THE_WAY: Final = frozenset(
    {
        "ACCESS_DENIED",
        "ADAPTER_FAULT",
        "ANSWER_TOO_LARGE",
        "BAD_CALL",
        "BAD_CREDENTIALS",
        "CALL_TIMEOUT",
        "CANNOT_CONNECT",
        "CONNECTION_CUT",
        "FUNCTION_ERROR",
        "FUNCTION_NOT_READY",
        "FUNCTION_NOT_STARTED",
        "KMS_KEY_UNUSABLE",
        "NOT_FOUND",
        "NO_DESCRIPTORS",
        "NO_TIME_TO_SEND",
        "QUEUE_REFUSED",
        "SERVICE_ERROR",
        "THROTTLED",
        "TLS_FAILED",
        "TOO_LARGE",
        "UNREADABLE_ANSWER",
    }
)
_OF_THE_BUCKET: Final = frozenset(
    {
        "OUTPUT_ALTERED",
        "OUTPUT_MISSING",
        "OUTPUT_REFUSED",
        "OUTPUT_UNREACHABLE",
        "PAYLOAD_ALTERED",
        "PAYLOAD_MISSING",
        "PAYLOAD_REFUSED",
        "PAYLOAD_TOO_LARGE",
        "PAYLOAD_UNREACHABLE",
        "PAYLOAD_UNREAD",
        "PAYLOAD_UNWRITTEN",
    }
)
HOUSE_CODES: Final = _OF_THE_ENGINE | _OF_THE_KIT | _OF_THE_WAY | _OF_THE_BUCKET
"""Codes of failures that no agent has to declare."""


def can_fail_with(code: str, declared: Collection[str] | None) -> bool:
    """Tell whether a call may fail with a code, `declared` being its action's own codes; None: anything may come."""
    return declared is None or code in declared or code in HOUSE_CODES
