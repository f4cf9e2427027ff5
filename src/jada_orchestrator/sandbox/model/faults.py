"""The faults that a test or a rehearsal can order, and the queue in which they wait for calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any

from jada_orchestrator.sandbox.model.api_errors import ApiError


class FaultKind(StrEnum):
    """What can go wrong, by name; the comment says what the client meets."""

    # An HTTP error instead of an answer.
    RATE_LIMIT = "rate_limit"  # 429; `retry_after` seconds, or no such header
    RAMP_LIMIT = "ramp_limit"  # 429, error_code ramp_limit_exceeded
    SPEND_LIMIT = "spend_limit"  # 429, error_code enforced_spend_limit_reached, never a retry-after
    USAGE_LIMIT = "usage_limit"  # 400 "You have reached your specified API usage limits"
    PAYMENT_REQUIRED = "payment_required"  # 402
    UNAUTHORIZED = "unauthorized"  # 401
    FORBIDDEN = "forbidden"  # 403
    TOO_LARGE = "too_large"  # 413
    OVERLOADED = "overloaded"  # 529
    SERVER_ERROR = "server_error"  # `status`: 500, 502, 503 or 504
    BAD_REQUEST = "bad_request"  # 400 with `message`
    # A stream that goes wrong under status 200, after `after_bytes` of the answer's text.
    STREAM_ERROR = "stream_error"  # an `error` event; `error_type` overloaded_error, api_error or rate_limit_error
    CUT = "cut"  # the stream ends cleanly without message_stop
    RESET = "reset"  # the connection is reset
    PINGS = "pings"  # nothing but pings until the client leaves or somebody releases the call
    HOLD = "hold"  # nothing at all until released, then the rest of the normal answer, or of `text`
    # An answer that is formally fine and useless.
    MAX_TOKENS = "max_tokens"  # truncated after `after_bytes`, in the middle of a string; stop_reason max_tokens
    REFUSAL = "refusal"  # plain text, stop_reason refusal
    TEXT = "text"  # `text` as it is, stop_reason end_turn
    HTML = "html"  # status 200, a page of a proxy
    BROKEN_JSON = "broken_json"  # status 200, JSON that does not parse
    # A wrong proposal: the plan that would have been given, spoiled.
    CYCLE = "cycle"
    UNKNOWN_ACTION = "unknown_action"
    DANGLING_REFERENCE = "dangling_reference"
    DUPLICATE_ID = "duplicate_id"
    EMPTY_PLAN = "empty_plan"
    MISSING_ARGUMENT = "missing_argument"
    WRONG_CASE = "wrong_case"  # action names in capitals: a grammar does not guarantee the case


WRONG_PROPOSALS = frozenset(
    {
        FaultKind.CYCLE,
        FaultKind.UNKNOWN_ACTION,
        FaultKind.DANGLING_REFERENCE,
        FaultKind.DUPLICATE_ID,
        FaultKind.EMPTY_PLAN,
        FaultKind.MISSING_ARGUMENT,
        FaultKind.WRONG_CASE,
    }
)


class BadFaultOrder(ValueError):
    """An order of faults that cannot be carried out.

    Raised when the JSON of `POST /_scripted/faults` (or the Python call) names an unknown kind or field; whoever
    ordered it corrects the order.
    """


@dataclass(frozen=True, slots=True)
class Fault:
    """One order: the next `count` calls that match meet this fault.

    `match` is looked for in the booking request's JSON (its request_id, its text), in the model's id, and in
    `revision of REQUEST_ID` where a plan is to be revised; empty matches every call. `count` 0 means for ever.
    `after_bytes` counts UTF-8 bytes of the answer's text; 0 is before anything at all is sent.
    """

    kind: FaultKind
    count: int = 1
    match: str = ""
    retry_after: float | None = None
    after_bytes: int = 0
    status: int = 500
    error_type: str = "overloaded_error"
    message: str = ""
    text: str = ""

    @classmethod
    def from_json(cls, data: object) -> Fault:
        """Read one order from JSON. Raises BadFaultOrder."""
        if not isinstance(data, dict):
            raise BadFaultOrder('a fault is an object such as {"kind": "overloaded", "count": 2}')
        known = {field.name: field.type for field in fields(cls)}
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise BadFaultOrder(f"unknown field(s) {', '.join(unknown)}; known: {', '.join(known)}")
        try:
            kind = FaultKind(data.get("kind", ""))
        except ValueError:
            raise BadFaultOrder(f"unknown kind {data.get('kind')!r}; known: {', '.join(FaultKind)}") from None
        fault = cls(**{**data, "kind": kind})
        fault.check()
        return fault

    def check(self) -> None:
        """Raises BadFaultOrder when a number is out of range or a field has the wrong type."""
        for name in ("count", "after_bytes", "status"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise BadFaultOrder(f"{name} must be a whole number of 0 or more, not {value!r}")
        for name in ("match", "error_type", "message", "text"):
            if not isinstance(getattr(self, name), str):
                raise BadFaultOrder(f"{name} must be a string")
        if self.retry_after is not None and not isinstance(self.retry_after, int | float):
            raise BadFaultOrder("retry_after must be seconds or null")

    def as_json(self) -> dict[str, Any]:
        """Return the order as JSON, as `GET /_scripted/faults` lists it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


class FaultQueue:
    """Ordered faults, first come first served; each call takes at most one."""

    def __init__(self) -> None:
        """Start without any order: every call is answered."""
        self._orders: list[Fault] = []

    def order(self, *faults: Fault | FaultKind | str) -> None:
        """Append orders; a bare kind means one call with the defaults. Raises BadFaultOrder."""
        checked = [fault if isinstance(fault, Fault) else Fault.from_json({"kind": str(fault)}) for fault in faults]
        for fault in checked:
            fault.check()
        self._orders.extend(checked)

    def take(self, haystack: str) -> Fault | None:
        """Return the first order that matches this call and count it down."""
        for index, fault in enumerate(self._orders):
            if fault.match and fault.match not in haystack:
                continue
            if fault.count == 1:
                del self._orders[index]
            elif fault.count > 1:
                self._orders[index] = replace(fault, count=fault.count - 1)
            return fault
        return None

    def clear(self) -> None:
        """Forget every order."""
        self._orders.clear()

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The orders that still wait, with what is left of their counts."""
        return tuple(self._orders)


def orders_from_json(data: object) -> list[Fault]:
    """Read the body of `POST /_scripted/faults`: a list of orders, or one. Raises BadFaultOrder."""
    items: Iterable[object] = data if isinstance(data, list) else [data]
    return [Fault.from_json(item) for item in items]


_MARK = "stand-in: ordered fault"
_HTTP_ERRORS: dict[FaultKind, tuple[int, str, str, str | None]] = {
    FaultKind.RATE_LIMIT: (429, "rate_limit_error", "This request would exceed your organization's rate limit", None),
    FaultKind.RAMP_LIMIT: (429, "rate_limit_error", "Usage grew too fast; ramp up gradually", "ramp_limit_exceeded"),
    FaultKind.SPEND_LIMIT: (
        429,
        "rate_limit_error",
        "Your organization has crossed the monthly API usage threshold of its tier",
        "enforced_spend_limit_reached",
    ),
    FaultKind.USAGE_LIMIT: (
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 1 December at 00:00 UTC.",
        None,
    ),
    FaultKind.PAYMENT_REQUIRED: (402, "billing_error", "There is a problem with your billing or payment", None),
    FaultKind.UNAUTHORIZED: (401, "authentication_error", "invalid bearer token", None),
    FaultKind.FORBIDDEN: (403, "permission_error", "Your API key may not use this resource", None),
    FaultKind.TOO_LARGE: (413, "invalid_request_error", "Request exceeds the maximum size", None),
    FaultKind.OVERLOADED: (529, "overloaded_error", "Overloaded", None),
    FaultKind.BAD_REQUEST: (400, "invalid_request_error", "The request was refused", None),
}


def http_error(fault: Fault) -> ApiError | None:
    """Return the HTTP error that this fault is, or None when the fault is of another sort."""
    headers = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
    if fault.kind is FaultKind.SERVER_ERROR:
        return ApiError(fault.status, "api_error", f"{fault.message or 'Internal server error'} ({_MARK})")
    found = _HTTP_ERRORS.get(fault.kind)
    if found is None:
        return None
    status, kind, message, code = found
    if fault.kind is FaultKind.SPEND_LIMIT:
        headers = {}
    return ApiError(status, kind, f"{fault.message or message} ({_MARK})", error_code=code, headers=headers)
