"""Everything that can go wrong when Claude is asked, classified in one table.

What decides is whether the trouble passes by itself, whether it is this request's own, and whether it was billed:

* `wait`: passing trouble that cost nothing; asked again with backoff, for as long as planning may take.
* `stopped`: nobody's plans can be made until a person or the calendar acts; requests wait and none is lost.
* `bad_answer`: the answer had begun (its input is billed) and cannot be used; asked again a few times only.
* `permanent`: this request can never be planned so; it ends, and goes to the dead-letter queue with the reason.

================================== ====================== ====================== ==============================
what happened                      code                   before it had begun    after (input is billed)
================================== ====================== ====================== ==============================
401; credentials not to be had     MODEL_KEY_REFUSED      stopped                stopped
403; organization on hold          MODEL_NOT_PERMITTED    stopped                stopped
402; credit balance too low        MODEL_BILLING          stopped                stopped
spend stop (429, 402 or 400)       MODEL_SPEND_LIMIT      stopped                stopped
404; Bedrock's 400 about an id     MODEL_UNKNOWN          stopped                stopped
3xx, 405, 407; a stranger's 4xx    MODEL_ADDRESS_WRONG    stopped                stopped
400 about our own parameters       MODEL_SETTINGS_REFUSED stopped                stopped
413; 400 "prompt is too long"      MODEL_REQUEST_TOO_LARGE permanent             permanent
400 and every other 4xx            MODEL_BAD_REQUEST      permanent              permanent
429 `ramp_limit_exceeded`          MODEL_RAMP_LIMIT       wait                   wait
429; Bedrock's quota (400)         MODEL_RATE_LIMITED     wait                   wait
529                                MODEL_OVERLOADED       wait                   wait
408, 504                           MODEL_TIMEOUT          wait                   wait
409, 424, 425, 5xx                 MODEL_UNAVAILABLE      wait                   wait
refused, reset, no connection free MODEL_UNREACHABLE      wait                   bad_answer MODEL_STREAM_CUT
read or write timeout              MODEL_TIMEOUT          wait                   bad_answer
our deadline                       MODEL_DEADLINE         wait                   bad_answer
an end without `message_stop`      MODEL_NOT_AN_ANSWER    wait                   bad_answer MODEL_STREAM_CUT
broken JSON, events out of order   MODEL_UNREADABLE       wait                   bad_answer
stop reason `max_tokens`           MODEL_TRUNCATED        -                      bad_answer
larger than a proposal may be      MODEL_ANSWER_TOO_LARGE -                      bad_answer
stop reason `end_turn`, no text    MODEL_EMPTY_ANSWER     -                      bad_answer
another stop reason                MODEL_UNEXPECTED_STOP  -                      bad_answer
`model_context_window_exceeded`    MODEL_REQUEST_TOO_LARGE -                     permanent
stop reason `refusal`              MODEL_REFUSED          -                      permanent
================================== ====================== ====================== ==============================

An `error` event inside a stream (HTTP status 200) counts as the status that its type stands for: the service says
itself that it failed, so even after the first words it is `wait`. HTML with status 200 has no `message_start`, so it
is "an end without". "A stranger" is a server that answers without the API's error body and without an id of the
request, as Bedrock has it: a proxy, or a wrong address. What it says, and a 400 about our own parameters (the schema,
the effort), is `stopped`, not `permanent`: it is the same for every request, so one request after another would be
thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final, TypeAlias

from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.usage import PlannerSignal, Usage
from jada_orchestrator.ports.planner import PlannerError

if TYPE_CHECKING:
    import anthropic

RETRY_AFTER_MS_MAX: Final = 600_000
"""The longest wait that is taken over from the service: asking once in ten minutes is refused for free."""
MESSAGE_CHARS_MAX: Final = 500
"""How much of a foreign error text goes into records and logs."""

_STATUS_OF_TYPE: Final[Mapping[str, int]] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error inside a stream would have been outside of it; a type that is not known here counts as 500."""

_SPEND_CODES: Final = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "linked_organization_spend_limit_reached"}
)
_OWN_PARAMETERS: Final = (
    "output_config",
    "output_format",
    "effort",
    "schema is too complex",
    "grammar",
    "max_tokens:",
    "extra inputs are not permitted",
    "invalid api version",
    "anthropic-version",
    "anthropic_version",
)
"""What a 400 mentions when it is about what we send with every request, in lower case."""
_UNKNOWN_TO_BEDROCK: Final = ("model identifier is invalid", "on-demand throughput")
"""What Bedrock's 400 mentions when it does not serve a model under this id, in lower case."""
_REQUEST_IDS: Final = ("request-id", "x-amzn-requestid")
"""Headers with which the API, and AWS, name each request."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error answer of the service, whether it came as an HTTP status or inside a stream."""

    status: int
    type: str
    """The API's `error.type`; empty when the body is not the API's."""
    error_code: str
    message: str
    aws_error: str = ""
    """Bedrock's name of the error, which it puts into a header."""
    is_strangers: bool = False
    """Neither the API nor AWS said it."""

    def mentions(self, *phrases: str) -> bool:
        """Tell whether the message contains one of the phrases, which are in lower case."""
        text = self.message.lower()
        return any(phrase in text for phrase in phrases)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table for error answers: the first whose test holds decides."""

    code: str
    kind: PlannerFailureKind
    holds: Callable[[Refusal], bool]
    advice: str


def _status(*statuses: int) -> Callable[[Refusal], bool]:
    return lambda refusal: refusal.status in statuses


REFUSALS: Final[tuple[Row, ...]] = (
    Row(
        "MODEL_SPEND_LIMIT",
        "stopped",
        lambda r: r.error_code in _SPEND_CODES or (r.status == 400 and r.mentions("specified api usage limits")),
        "raise the spend limit in the Claude Console, or wait until it is reset",
    ),
    Row(
        "MODEL_BILLING",
        "stopped",
        lambda r: r.status == 402 or (r.status == 400 and r.mentions("credit balance is too low")),
        "mend the billing of the organization in the Claude Console",
    ),
    Row("MODEL_KEY_REFUSED", "stopped", _status(401), "set a valid ANTHROPIC_API_KEY"),
    Row(
        "MODEL_NOT_PERMITTED",
        "stopped",
        lambda r: r.status == 403 or r.error_code == "organization_on_hold",
        "give the key's workspace the permission, or use another key",
    ),
    Row("MODEL_RAMP_LIMIT", "wait", lambda r: r.error_code == "ramp_limit_exceeded", ""),
    Row(
        "MODEL_RATE_LIMITED",
        "wait",
        lambda r: r.status == 429 or r.aws_error == "ServiceQuotaExceededException",
        "",
    ),
    Row("MODEL_OVERLOADED", "wait", _status(529), ""),
    Row("MODEL_TIMEOUT", "wait", _status(408, 504), ""),
    Row("MODEL_UNAVAILABLE", "wait", lambda r: r.status in {409, 424, 425} or r.status >= 500, ""),
    Row(
        "MODEL_UNKNOWN",
        "stopped",
        lambda r: (r.status == 404 and not r.is_strangers) or (r.status == 400 and r.mentions(*_UNKNOWN_TO_BEDROCK)),
        "configure a model id that the service knows (see `jada models`; Bedrock may want models.bedrock_prefix)",
    ),
    Row(
        "MODEL_ADDRESS_WRONG",
        "stopped",
        lambda r: r.status in {405, 407} or 300 <= r.status < 400 or (r.is_strangers and r.status != 413),
        "check ANTHROPIC_BASE_URL and the proxy: who answered is not the Messages API",
    ),
    Row(
        "MODEL_REQUEST_TOO_LARGE",
        "permanent",
        lambda r: r.status == 413 or (r.status == 400 and r.mentions("prompt is too long")),
        "",
    ),
    Row(
        "MODEL_SETTINGS_REFUSED",
        "stopped",
        lambda r: r.status == 400 and r.mentions(*_OWN_PARAMETERS),
        "the model does not take what is sent with every request; configure another model or effort",
    ),
    Row("MODEL_BAD_REQUEST", "permanent", lambda _: True, ""),
)
"""Error answers. The last row holds for whatever is left (400, 422 and their like)."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One line of the table for calls that broke off: two codes and kinds, by whether the answer had begun."""

    code: str
    kind: PlannerFailureKind
    code_after: str
    kind_after: PlannerFailureKind = "bad_answer"


UNREACHABLE: Final = Trouble("MODEL_UNREACHABLE", "wait", "MODEL_STREAM_CUT")
TIMED_OUT: Final = Trouble("MODEL_TIMEOUT", "wait", "MODEL_TIMEOUT")
DEADLINE: Final = Trouble("MODEL_DEADLINE", "wait", "MODEL_DEADLINE")
NO_END: Final = Trouble("MODEL_NOT_AN_ANSWER", "wait", "MODEL_STREAM_CUT")
UNREADABLE: Final = Trouble("MODEL_UNREADABLE", "wait", "MODEL_UNREADABLE")
NO_CREDENTIALS: Final = Trouble("MODEL_KEY_REFUSED", "stopped", "MODEL_KEY_REFUSED", "stopped")

StopRow: TypeAlias = tuple[str, PlannerFailureKind, str]
STOPS: Final[Mapping[str, StopRow]] = {
    "max_tokens": ("MODEL_TRUNCATED", "bad_answer", "the answer was cut at max_tokens"),
    "refusal": ("MODEL_REFUSED", "permanent", "the model refused the request"),
    "model_context_window_exceeded": ("MODEL_REQUEST_TOO_LARGE", "permanent", "request and answer exceed the context"),
}
"""Stop reasons other than `end_turn` that have a meaning here; every other one is MODEL_UNEXPECTED_STOP."""


SIGNALS: Final[Mapping[str, PlannerSignal]] = {
    "MODEL_RATE_LIMITED": "slow_down",
    "MODEL_RAMP_LIMIT": "slow_down",
    "MODEL_SPEND_LIMIT": "spent",
    "MODEL_BILLING": "spent",
    "MODEL_KEY_REFUSED": "spent",
    "MODEL_NOT_PERMITTED": "spent",
    "MODEL_ADDRESS_WRONG": "spent",
    "MODEL_UNKNOWN": "model",
    "MODEL_SETTINGS_REFUSED": "model",
    "MODEL_OVERLOADED": "overloaded",
    "MODEL_TIMEOUT": "overloaded",
    "MODEL_DEADLINE": "overloaded",
    "MODEL_UNAVAILABLE": "overloaded",
    "MODEL_UNREACHABLE": "overloaded",
    "MODEL_NOT_AN_ANSWER": "overloaded",
    "MODEL_STREAM_CUT": "overloaded",
    "MODEL_UNREADABLE": "overloaded",
}
"""What a code says of the service, for the governor; every other code is the request's own matter."""


def signal_of(code: str) -> PlannerSignal:
    """Return what a code says of the service."""
    return SIGNALS.get(code, "none")


def classify(error: BaseException, *, begun: bool, usage: Usage) -> PlannerError:
    """Return the classification of whatever the SDK or the network raised.

    `begun` says whether `message_start` had come, from where on the input is billed; `usage` is what is known to be.
    """
    import anthropic
    import httpx2

    match error:
        case anthropic.APIStatusError():
            return _classify_refusal(error, usage)
        case anthropic.CredentialsError():
            trouble = NO_CREDENTIALS
        case TimeoutError():
            return broke_off(DEADLINE, "the deadline of the call passed", begun=begun, usage=usage)
        case anthropic.APITimeoutError() | httpx2.TimeoutException():
            # A full pool or a dead host is reported as a timeout too, but nothing was sent, so nothing was slow.
            never_sent = isinstance(_network_cause(error), httpx2.ConnectTimeout | httpx2.PoolTimeout)
            trouble = UNREACHABLE if never_sent else TIMED_OUT
        case httpx2.DecodingError():
            trouble = UNREADABLE
        case anthropic.APIConnectionError() | httpx2.TransportError() | OSError():
            trouble = UNREACHABLE
        case _:
            # Broken JSON (ValueError), events out of order (RuntimeError), fields that are not there
            # (AttributeError, TypeError, LookupError): the SDK checks little of what a server sends.
            trouble = UNREADABLE
    return broke_off(trouble, _describe(error), begun=begun, usage=usage)


def broke_off(trouble: Trouble, what: str, *, begun: bool, usage: Usage) -> PlannerError:
    """Return the error of a call that broke off."""
    code, kind = (trouble.code_after, trouble.kind_after) if begun else (trouble.code, trouble.kind)
    return PlannerError(kind, Failure(code, _shorten(what)), usage=usage, signal=signal_of(code))


def stopped_by(stop_reason: str, detail: str, usage: Usage) -> PlannerError:
    """Return the error of an answer that ended for another reason than `end_turn`; `detail` may be empty."""
    unexpected: StopRow = ("MODEL_UNEXPECTED_STOP", "bad_answer", f"the model stopped with {stop_reason!r}")
    code, kind, what = STOPS.get(stop_reason, unexpected)
    return PlannerError(kind, Failure(code, _shorten(f"{what}: {detail}" if detail else what)), usage=usage)


def unusable(code: str, what: str, usage: Usage) -> PlannerError:
    """Return the error of an answer that ended well and still is none."""
    return PlannerError("bad_answer", Failure(code, what), usage=usage)


def _classify_refusal(error: anthropic.APIStatusError, usage: Usage) -> PlannerError:
    refusal = refusal_of(error)
    row = next(row for row in REFUSALS if row.holds(refusal))
    origin = f" (request {error.request_id})" if error.request_id else ""
    advice = f"; {row.advice}" if row.advice else ""
    message = f"{_shorten(refusal.message)}{advice}{origin}"
    retry_after_ms = retry_after_ms_of(error.response.headers) if row.kind == "wait" else None
    failure = Failure(row.code, message)
    return PlannerError(row.kind, failure, retry_after_ms=retry_after_ms, usage=usage, signal=signal_of(row.code))


def headers_of(error: BaseException) -> Mapping[str, str]:
    """Return the headers of an error answer; none where nobody answered."""
    import anthropic

    return error.response.headers if isinstance(error, anthropic.APIStatusError) else {}


def refusal_of(error: anthropic.APIStatusError) -> Refusal:
    """Return what the table looks at; an error inside a stream gets the status that its type stands for."""
    kind = error.type if isinstance(error.type, str) else ""
    status = error.status_code
    if 200 <= status < 300:
        status = _STATUS_OF_TYPE.get(kind, 500)
    said = error.api_message if isinstance(error.api_message, str) and error.api_message else str(error.message)
    headers = error.response.headers
    return Refusal(
        status=status,
        type=kind,
        error_code=error.error_code or "",
        message=said,
        aws_error=headers.get("x-amzn-errortype", "").partition(":")[0],
        is_strangers=not kind and not any(name in headers for name in _REQUEST_IDS),
    )


def retry_after_ms_of(headers: Mapping[str, str]) -> int | None:
    """Return the wait that the service asked for, at most `RETRY_AFTER_MS_MAX`; None when it asked for none.

    Reads `retry-after-ms`, then `retry-after` as seconds or as an HTTP date (RFC 9110, section 10.2.3), which is
    compared with the answer's own `date`, so that this host's clock does not matter.
    """
    wait_ms = _number(headers.get("retry-after-ms"))
    if wait_ms is None:
        text = headers.get("retry-after")
        seconds = _number(text)
        if seconds is None:
            seconds = _seconds_until(text, headers.get("date"))
        wait_ms = None if seconds is None else seconds * 1_000
    if wait_ms is None or wait_ms < 0:
        return None
    return math.ceil(min(wait_ms, RETRY_AFTER_MS_MAX))


def _number(text: str | None) -> float | None:
    try:
        value = float(text) if text else math.nan
    except ValueError:
        return None
    return None if math.isnan(value) else value


def _seconds_until(text: str | None, date: str | None) -> float | None:
    try:
        if not text:
            return None
        until = parsedate_to_datetime(text)
        since = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0.0, (until - since).total_seconds())
    except (ValueError, TypeError):  # not a date, or one of the two has no zone
        return None


def _network_cause(error: BaseException) -> BaseException:
    import anthropic

    return error.__cause__ if isinstance(error, anthropic.APIConnectionError) and error.__cause__ else error


def _describe(error: BaseException) -> str:
    """Return a line about an error that is not the API's: its class and what it says, with the cause that says more."""
    cause = _network_cause(error)
    said = str(cause)
    return f"{type(cause).__name__}: {said}" if said else type(cause).__name__


def _shorten(text: str) -> str:
    """Return the text as one line of bounded length; foreign servers may send whole pages."""
    line = " ".join(text.split())
    return line if len(line) <= MESSAGE_CHARS_MAX else line[: MESSAGE_CHARS_MAX - 1] + "…"
