"""Messages on the request queue: booking requests and control messages, or every reason why they are neither."""

from __future__ import annotations

import re
from typing import Final, TypeAlias, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from jada_orchestrator.domain.documents import Json, JsonObject, digest_of
from jada_orchestrator.domain.events import ControlArrived, RequestArrived, RequestRefused
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import REQUEST_ID_PATTERN, RequestId, TaskId, Tenant
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.limits import REQUEST_BODY_BYTES_MAX
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.request import BookingRequest, Constraints, Message
from jada_orchestrator.wire.models import (
    CONTROL_SCHEMA,
    REQUEST_SCHEMA,
    ConstraintsModel,
    ControlModel,
    MoneyModel,
    RequestModel,
)
from jada_orchestrator.wire.strict_json import kind_of, mended, read_json, shown

_Model = TypeVar("_Model", bound=BaseModel)
Parsed: TypeAlias = RequestArrived | RequestRefused | tuple[RequestId, ControlArrived]

FAULTS_MAX: Final = 50
"""Faults that are named in one outcome; a message with more is not mended field by field."""
UNNAMED: Final = "a control message"
"""Who wants something when the message does not say."""
TRACEPARENT: Final = "traceparent"

_TRACEPARENT: Final = re.compile(r"\A([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.{0,200})?\Z")
_QUEUE_NAME: Final = re.compile(r"\A[A-Za-z0-9_-]{1,75}(\.fifo)?\Z|\A[A-Za-z0-9_-]{76,80}\Z")
_LABEL: Final = re.compile(r"\A[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{1,128}\Z")


def parse(message: Message, *, model: str) -> Parsed:
    """Return what a message on the request queue is. Total: whatever arrives, nothing is raised.

    `model` is the one that a workflow begun now would plan with. A refusal names every fault at once and keeps what
    could be read of `request_id`, `tenant` and `reply_to`, so that the outcome finds its way. The refusal of a control
    message keeps no request id: its outcome must not be taken for one of the booking that it spoke of.
    """
    read = read_json(message.body)
    faults = list(read.faults)
    size = len(message.body.encode("utf-8", "surrogatepass"))
    if size > REQUEST_BODY_BYTES_MAX:
        faults.append(
            Fault("TOO_LARGE", "", f"the message has {size:,} bytes, more than {REQUEST_BODY_BYTES_MAX:,}; shorten it")
        )
    body = read.value
    if not isinstance(body, dict):
        if not faults:
            faults.append(Fault("NOT_JSON", "", f"the message is {kind_of(body)}; send one JSON object"))
        return _refused(message, {}, faults, "INVALID_REQUEST")
    schema = body.get("schema", REQUEST_SCHEMA)
    if schema == CONTROL_SCHEMA:
        return _control(message, body, faults)
    if schema != REQUEST_SCHEMA:
        said = shown(schema) if isinstance(schema, str) else kind_of(schema)
        faults.append(Fault("BAD_SCHEMA", "schema", f"is {said}; send {REQUEST_SCHEMA!r} or {CONTROL_SCHEMA!r}"))
        return _refused(message, body, faults, "INVALID_REQUEST")
    return _request(message, body, faults, model)


def digest(request: BookingRequest) -> str:
    """Return the SHA-256 of what a request says: everything that we understand, with defaults applied, and metadata.

    So two messages are the same request however their JSON is spaced or ordered, whether a default is written out or
    left out, and whatever fields they carry that we do not know (a later version of a frontend may add some between
    two tries). The trace context is no part of it: every try has its own.
    """
    constraints = request.constraints
    return digest_of(
        {
            "request_id": request.request_id,
            "tenant": request.tenant,
            "text": request.text,
            "booking": request.booking,
            "constraints": {
                "max_total": constraints.max_total.to_json() if constraints.max_total else None,
                "approve_above": constraints.approve_above.to_json() if constraints.approve_above else None,
                "deadline": constraints.deadline,
                "on_failure": constraints.on_failure,
            },
            "ordering_key": request.ordering_key,
            "priority": request.priority,
            "reply_to": request.reply_to,
            "metadata": request.metadata,
        }
    )


def trace_context(attributes: dict[str, str]) -> str | None:
    """Return the W3C trace context that a message carries, or None where it carries none that is valid.

    https://www.w3.org/TR/trace-context/#traceparent-header
    """
    match = _TRACEPARENT.match(attributes.get(TRACEPARENT, ""))
    if match is None:
        return None
    version, trace, parent, more = match.groups()
    if version == "ff" or (version == "00" and more) or not trace.strip("0") or not parent.strip("0"):
        return None
    return match.group()


# ------------------------------------------------------------------------------------------------------------- parts


def _request(message: Message, body: JsonObject, faults: list[Fault], model: str) -> RequestArrived | RequestRefused:
    checked = _checked(RequestModel, body, faults)
    if checked is None:
        return _refused(message, body, faults, "INVALID_REQUEST")
    request = BookingRequest(
        request_id=RequestId(checked.request_id),
        tenant=Tenant(checked.tenant),
        text=checked.text or "",
        booking=checked.booking,
        constraints=_constraints(checked.constraints or ConstraintsModel()),
        ordering_key=checked.ordering_key,
        priority=checked.priority,
        reply_to=checked.reply_to,
        metadata=checked.metadata or {},
        traceparent=trace_context(message.attributes),
    )
    return RequestArrived(request, digest(request), message, model)


def _control(message: Message, body: JsonObject, faults: list[Fault]) -> Parsed:
    checked = _checked(ControlModel, body, faults)
    if checked is None:
        nameless = {name: value for name, value in body.items() if name != "request_id"}
        return _refused(message, nameless, faults, "INVALID_CONTROL")
    about = TaskId(checked.task_id) if checked.task_id is not None else None
    wanted = ControlArrived(checked.command, checked.by or UNNAMED, checked.text or "", about)
    return RequestId(checked.request_id), wanted


def _constraints(model: ConstraintsModel) -> Constraints:
    return Constraints(
        max_total=_money(model.max_total),
        approve_above=_money(model.approve_above),
        deadline=None if model.deadline is None else parse_instant(model.deadline),
        on_failure=model.on_failure,
    )


def _money(model: MoneyModel | None) -> Money | None:
    return None if model is None else Money.parse({"amount": model.amount, "currency": model.currency})


def _refused(message: Message, body: JsonObject, faults: list[Fault], code: str) -> RequestRefused:
    """Return a refusal; its code is the faults' own where they agree."""
    codes = {fault.code for fault in faults}
    request_id, tenant, reply_to = body.get("request_id"), body.get("tenant"), body.get("reply_to")
    if len(faults) > FAULTS_MAX:
        more = Fault("MORE_FAULTS", "", f"and {len(faults) - FAULTS_MAX + 1} more; mend these first")
        faults = [*faults[: FAULTS_MAX - 1], more]
    return RequestRefused(
        request_id=RequestId(request_id) if _fits(request_id, REQUEST_ID_PATTERN) else None,
        tenant=Tenant(tenant) if _fits(tenant, _LABEL) else Tenant("default"),
        reply_to=reply_to if _fits(reply_to, _QUEUE_NAME) else None,
        code=codes.pop() if len(codes) == 1 else code,
        faults=tuple(faults),
        message=message,
    )


def _fits(value: Json, pattern: re.Pattern[str]) -> TypeGuard[str]:
    return isinstance(value, str) and pattern.match(value) is not None


# ------------------------------------------------------------------------------------------------------------ faults


def _checked(model: type[_Model], body: JsonObject, faults: list[Fault]) -> _Model | None:
    """Return the message as its model, or None with all faults added."""
    faults.extend(_across_fields(model, body))
    try:
        checked = model.model_validate(mended(body))  # lone surrogates are faults already, and pydantic knows no paths
    except ValidationError as error:
        faults.extend(map(_fault_of, error.errors(include_url=False, include_context=True)))
        return None
    return None if faults else checked


def _across_fields(model: type[BaseModel], body: JsonObject) -> list[Fault]:
    """Return what is wrong between fields, whatever else is wrong with each of them."""
    text = body.get("text")
    says_nothing = text is None or (isinstance(text, str) and not text.strip())
    found = []
    if model is RequestModel:
        if says_nothing and body.get("booking") is None:
            found.append(Fault("MISSING", "", "one of text (not blank) and booking (an object) must be there"))
        constraints = body.get("constraints")
        if isinstance(constraints, dict):
            bounds = [constraints.get(name) for name in ("max_total", "approve_above")]
            currencies = [bound.get("currency") for bound in bounds if isinstance(bound, dict)]
            if len(currencies) == 2 and currencies[0] != currencies[1]:
                message = "is in another currency than max_total; use one for both"
                found.append(Fault("BAD_VALUE", "constraints.approve_above", message))
    elif says_nothing and (needed := _NEEDED_TEXTS.get(str(body.get("command")))):
        found.append(Fault("MISSING", "text", f"the command {body['command']} needs {needed} here"))
    return found


_NEEDED_TEXTS: Final = {"answer": "the answer", "settle": "what was done by hand"}
"""What a control message has to say, by its command."""

_EXPECTED: Final = {
    "string_type": "must be a text",
    "int_type": "must be a whole number",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "bool_type": "must be true or false",
}
_FORMS: Final = {
    "request_id": "must be 1 to 128 characters of A-Z a-z 0-9 . _ : -",
    "tenant": "must be 1 to 128 characters without control characters",
    "ordering_key": "must be 1 to 128 characters without control characters",
    "by": "must be 1 to 128 characters without control characters",
    "reply_to": "must be the name of a queue (A-Z a-z 0-9 _ -, at most 80 characters), not an address",
    "amount": 'must be a decimal string such as "1234.50", not negative, with at most 4 decimals',
    "currency": "must be a code of three capital letters (ISO 4217)",
}


def _fault_of(error: ErrorDetails) -> Fault:
    """Return one of pydantic's errors as a fault. Values are not quoted, for they may be private."""
    where = ".".join(map(str, error["loc"]))
    kind, context = error["type"], error.get("ctx", {})
    match kind:
        case "missing":
            return Fault("MISSING", where, "is missing")
        case "too_large":
            return Fault("TOO_LARGE", where, error["msg"])
        case "too_long":
            return Fault("TOO_LARGE", where, f"has {context['actual_length']} entries, {context['max_length']} at most")
        case "literal_error":
            return Fault("BAD_VALUE", where, f"is {_said(error['input'])}, must be {context['expected']}")
        case "greater_than_equal" | "less_than_equal":
            return Fault("BAD_VALUE", where, f"is {_said(error['input'])}; {error['msg']}")
        case "string_pattern_mismatch":
            return Fault("BAD_VALUE", where, _FORMS.get(str(error["loc"][-1]), error["msg"]))
        case _:
            expected = _EXPECTED.get(kind)
            return Fault("BAD_VALUE", where, f"is {kind_of(error['input'])}, {expected}" if expected else error["msg"])


def _said(value: Json) -> str:
    return shown(value) if isinstance(value, str) else (str(value) if isinstance(value, int) else kind_of(value))
