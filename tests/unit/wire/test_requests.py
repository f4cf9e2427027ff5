"""Messages on the request queue: every row of the contract's table, and whatever strangers send."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.domain.events import ControlArrived, RequestArrived, RequestRefused
from jada_orchestrator.domain.ids import RequestId, Tenant
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.request import BookingRequest, Constraints, Message
from jada_orchestrator.wire import requests
from jada_orchestrator.wire.requests import FAULTS_MAX, Parsed

FULL: Final[dict[str, Any]] = {
    "schema": "jada.request/1",
    "request_id": "web-7f3c2a",
    "tenant": "acme",
    "text": "Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama, under $3,000 all in.",
    "booking": {"customer_id": "c-118", "travellers": 2},
    "constraints": {
        "max_total": {"amount": "3000.00", "currency": "USD"},
        "deadline": "2027-04-01T12:00:00Z",
        "approve_above": {"amount": "2000.00", "currency": "USD"},
    },
    "ordering_key": "customer:c-118",
    "priority": 5,
    "reply_to": "acme-outcomes",
    "metadata": {"channel": "web"},
}
TRACE: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def parsed(body: object, **attributes: str) -> Parsed:
    """What a message with this JSON body is."""
    text = body if isinstance(body, str) else json.dumps(body)
    return requests.parse(Message(text, attributes), model="claude-sonnet-4-6")


def arrived(body: object, **attributes: str) -> RequestArrived:
    """The same, where it must be a valid request."""
    result = parsed(body, **attributes)
    assert isinstance(result, RequestArrived), result
    return result


def refused(body: object) -> RequestRefused:
    """The same, where it must be refused; the message is kept whole."""
    result = parsed(body)
    assert isinstance(result, RequestRefused), result
    assert result.message.body == (body if isinstance(body, str) else json.dumps(body))
    return result


def faults(body: object) -> list[tuple[str, str]]:
    """Code and path of every fault."""
    return [(fault.code, fault.where) for fault in refused(body).faults]


def test_the_contracts_example() -> None:
    """The example of the contract is understood in full."""
    event = arrived(FULL, traceparent=TRACE)
    assert event.model == "claude-sonnet-4-6"
    assert event.request == BookingRequest(
        request_id=RequestId("web-7f3c2a"),
        tenant=Tenant("acme"),
        text=FULL["text"],
        booking={"customer_id": "c-118", "travellers": 2},
        constraints=Constraints(
            max_total=Money.parse({"amount": "3000.00", "currency": "USD"}),
            approve_above=Money.parse({"amount": "2000.00", "currency": "USD"}),
            deadline=parse_instant("2027-04-01T12:00:00Z"),
        ),
        ordering_key="customer:c-118",
        priority=5,
        reply_to="acme-outcomes",
        metadata={"channel": "web"},
        traceparent=TRACE,
    )


def test_defaults() -> None:
    """An id and a text are enough; everything else has the contract's default."""
    request = arrived({"request_id": "r", "text": "Paris"}).request
    assert (request.tenant, request.priority, request.booking, request.metadata) == ("default", 5, None, {})
    assert request.constraints == Constraints()
    assert arrived({"request_id": "r", "booking": {}}).request.text == ""


def test_null_is_absent() -> None:
    """A field that is null counts as left out, where it may be."""
    nulls = dict.fromkeys(("booking", "constraints", "ordering_key", "reply_to", "metadata"))
    assert arrived({"request_id": "r", "text": "x", **nulls}).digest == arrived({"request_id": "r", "text": "x"}).digest


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"request_id": "has space"}, ("BAD_VALUE", "request_id")),
        ({"request_id": "x" * 129}, ("BAD_VALUE", "request_id")),
        ({"request_id": "newline\n"}, ("BAD_VALUE", "request_id")),
        ({"request_id": 7}, ("BAD_VALUE", "request_id")),
        ({"request_id": None}, ("BAD_VALUE", "request_id")),
        ({"text": "ä" * 8_193}, ("TOO_LARGE", "text")),
        ({"text": ["a"]}, ("BAD_VALUE", "text")),
        ({"booking": "a text"}, ("BAD_VALUE", "booking")),
        ({"tenant": ""}, ("BAD_VALUE", "tenant")),
        ({"tenant": "a\tb"}, ("BAD_VALUE", "tenant")),
        ({"priority": 10}, ("BAD_VALUE", "priority")),
        ({"priority": -1}, ("BAD_VALUE", "priority")),
        ({"priority": "5"}, ("BAD_VALUE", "priority")),
        ({"priority": 5.0}, ("BAD_VALUE", "priority")),
        ({"priority": True}, ("BAD_VALUE", "priority")),
        ({"reply_to": "https://sqs.example/q"}, ("BAD_VALUE", "reply_to")),
        ({"ordering_key": ""}, ("BAD_VALUE", "ordering_key")),
        ({"metadata": {str(n): n for n in range(65)}}, ("TOO_LARGE", "metadata")),
        ({"constraints": []}, ("BAD_VALUE", "constraints")),
        ({"constraints": {"on_failure": "shrug"}}, ("BAD_VALUE", "constraints.on_failure")),
        ({"constraints": {"deadline": "tomorrow"}}, ("BAD_VALUE", "constraints.deadline")),
        ({"constraints": {"deadline": "2027-13-01T12:00:00Z"}}, ("BAD_VALUE", "constraints.deadline")),
        ({"constraints": {"deadline": "9999-12-31T23:59:59-10:00"}}, ("BAD_VALUE", "constraints.deadline")),
        ({"constraints": {"max_total": 3000}}, ("BAD_VALUE", "constraints.max_total")),
        ({"constraints": {"max_total": {"amount": "1"}}}, ("MISSING", "constraints.max_total.currency")),
        (
            {"constraints": {"max_total": {"amount": 3000.0, "currency": "USD"}}},
            ("BAD_VALUE", "constraints.max_total.amount"),
        ),
        (
            {"constraints": {"max_total": {"amount": "-1", "currency": "USD"}}},
            ("BAD_VALUE", "constraints.max_total.amount"),
        ),
        (
            {"constraints": {"max_total": {"amount": "١٢", "currency": "USD"}}},
            ("BAD_VALUE", "constraints.max_total.amount"),
        ),
        (
            {
                "constraints": {
                    "max_total": {"amount": "1", "currency": "USD"},
                    "approve_above": {"amount": "1", "currency": "EUR"},
                }
            },
            ("BAD_VALUE", "constraints.approve_above"),
        ),
        ({"text": "half \ud83d of a pair"}, ("BAD_TEXT", "text")),
        ({"booking": {"names": ["fine", "\udc00"]}}, ("BAD_TEXT", "booking.names[1]")),
    ],
)
def test_one_fault_is_named_with_its_path(change: dict[str, Any], expected: tuple[str, str]) -> None:
    """One wrong field gives one fault, whose code is the refusal's; what else could be read is kept for the outcome."""
    result = refused({**FULL, **change})
    assert [(fault.code, fault.where) for fault in result.faults] == [expected]
    assert result.code == expected[0]
    assert result.faults[0].message
    assert result.request_id == (None if "request_id" in change else "web-7f3c2a")
    assert result.tenant == ("default" if "tenant" in change else "acme")
    assert result.reply_to == (None if "reply_to" in change else "acme-outcomes")


def test_all_faults_are_named_at_once() -> None:
    """Every fault of a message is in the refusal, those across fields included; the code says that they differ."""
    wrong = {"priority": 99, "constraints": {"max_total": {"currency": "usd"}}, "text": "  "}
    assert sorted(faults(wrong)) == [
        ("BAD_VALUE", "constraints.max_total.currency"),
        ("BAD_VALUE", "priority"),
        ("MISSING", ""),
        ("MISSING", "constraints.max_total.amount"),
        ("MISSING", "request_id"),
    ]
    assert refused(wrong).code == "INVALID_REQUEST"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("", "NOT_JSON"),
        ("hello", "NOT_JSON"),
        ('{"request_id": "r", "text": "cut', "NOT_JSON"),
        ("[]", "NOT_JSON"),
        ("null", "NOT_JSON"),
        ('"text"', "NOT_JSON"),
        ("[" * 100_000, "TOO_DEEP"),
        ('{"request_id":"r","booking":' + '{"a":' * 70 + "1" + "}" * 71, "TOO_DEEP"),
        ('{"request_id":"r","text":"x","text":"y"}', "DUPLICATE_NAME"),
        ('{"request_id":"r","booking":{"n":NaN}}', "BAD_NUMBER"),
        ('{"request_id":"r","booking":{"n":-Infinity}}', "BAD_NUMBER"),
        ('{"request_id":"r","booking":{"n":1e999}}', "BAD_NUMBER"),
        ('{"request_id":"r","booking":{"n":' + "9" * 100_000 + "}}", "BAD_NUMBER"),
        ('{"request_id":"r","booking":{"n":9223372036854775808}}', "BAD_NUMBER"),
        ('{"request_id":"r","text":"x","priority":1e999}', "BAD_NUMBER"),
        ({**FULL, "schema": "jada.request/2"}, "BAD_SCHEMA"),
        ({**FULL, "schema": None}, "BAD_SCHEMA"),
        ({**FULL, "metadata": {"m": "x" * 270_000}}, "TOO_LARGE"),
    ],
    ids=range(18),
)
def test_what_is_no_request_is_refused(body: object, code: str) -> None:
    """What is not JSON, not this schema, too large or too odd is refused under a code of its own."""
    result = refused(body)
    assert code in {fault.code for fault in result.faults}
    assert all(fault.message and len(str(fault)) < 500 for fault in result.faults)


def test_a_hostile_message_gets_a_bounded_answer() -> None:
    """A message with thousands of faults is answered with a few dozen."""
    body = '{"request_id":"r","booking":{' + ",".join('"n":NaN' for _ in range(5_000)) + "}}"
    result = refused(body)
    assert len(result.faults) == FAULTS_MAX
    assert result.faults[-1].code == "MORE_FAULTS"


def test_private_values_are_not_quoted() -> None:
    """A fault says what a value is, not which one: numbers of cards end up in wrong fields."""
    secret = "4111 1111 1111 1111"
    result = refused({"request_id": secret, "text": "x", "constraints": {"max_total": secret}, "booking": secret})
    assert secret not in str(result.faults)


# ------------------------------------------------------------------------------------------ digest


def test_the_digest_is_of_the_content() -> None:
    """Order, spacing, defaults written out, unknown fields and the trace context do not change the digest."""
    digest = arrived(FULL).digest
    assert arrived(json.dumps(dict(reversed(FULL.items())), indent=3)).digest == digest
    assert arrived({**FULL, "unknown": 1, "constraints": {**FULL["constraints"], "later": []}}).digest == digest
    assert arrived({name: value for name, value in FULL.items() if name not in {"schema", "priority"}}).digest == digest
    assert arrived(FULL, traceparent=TRACE).digest == digest
    offset = {**FULL["constraints"], "deadline": "2027-04-01T14:00:00+02:00", "on_failure": "undo_all"}
    assert arrived({**FULL, "constraints": offset}).digest == digest


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Paris"},
        {"tenant": "zeta"},
        {"booking": {"customer_id": "c-118", "travellers": 3}},
        {"constraints": None},
        {"ordering_key": None},
        {"priority": 6},
        {"reply_to": None},
        {"metadata": {"channel": "app"}},
    ],
)
def test_other_content_has_another_digest(change: dict[str, Any]) -> None:
    """Whatever we understand, and the metadata, counts."""
    assert arrived({**FULL, **change}).digest != arrived(FULL).digest


# ------------------------------------------------------------------------------------------ control


@pytest.mark.parametrize("command", ["cancel", "approve", "deny", "answer", "retry", "release", "settle"])
def test_control_messages(command: str) -> None:
    """Each command is understood; who wants it is optional."""
    body = {"schema": "jada.control/1", "request_id": "web-1", "command": command, "text": "From Boston", "by": "ann"}
    assert parsed(body) == ("web-1", ControlArrived(command, "ann", "From Boston"))  # type: ignore[arg-type]
    del body["by"]
    assert parsed(body) == ("web-1", ControlArrived(command, "a control message", "From Boston"))  # type: ignore[arg-type]


def test_a_bad_control_message_is_refused_namelessly() -> None:
    """Its outcome must not be taken for one of the booking that it spoke of, so it carries no request id."""
    result = refused({"schema": "jada.control/1", "request_id": "web-1", "command": "explode", "reply_to": "q"})
    assert (result.request_id, result.reply_to, result.code) == (None, "q", "BAD_VALUE")
    assert "'cancel'" in result.faults[0].message


@pytest.mark.parametrize("command", ["answer", "settle"])
@pytest.mark.parametrize("text", [{}, {"text": None}, {"text": " "}])
def test_some_commands_need_a_text(command: str, text: dict[str, Any]) -> None:
    """`answer` without an answer, and `settle` without what was done, are refused."""
    body = {"schema": "jada.control/1", "request_id": "web-1", "command": command, **text}
    assert faults(body) == [("MISSING", "text")]
    assert faults({**body, "request_id": "?"}) == [("MISSING", "text"), ("BAD_VALUE", "request_id")]


# ------------------------------------------------------------------------------------------ trace


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (TRACE, True),
        ("01" + TRACE[2:] + "-what-comes-later", True),
        (TRACE + "-more", False),
        ("ff" + TRACE[2:], False),
        (TRACE.upper(), False),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", False),
        (TRACE + "\n", False),
        ("", False),
    ],
)
def test_trace_context(header: str, kept: bool) -> None:
    """A valid W3C trace context is kept, anything else ignored: it is no reason to refuse a booking."""
    assert arrived(FULL, traceparent=header).request.traceparent == (header if kept else None)


# ------------------------------------------------------------------------------------------ properties

TEXTS: Final = st.text(max_size=8) | st.text(st.characters(), max_size=4)
ANY_JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
FIELDS: Final = [*FULL, "command", "by"]


@given(st.text() | st.text(st.characters()) | ANY_JSON.map(json.dumps))
def test_nothing_is_ever_raised(body: str) -> None:
    """Whatever text arrives, it is a request, a control message, or refused with at least one fault."""
    result = parsed(body)
    assert not isinstance(result, RequestRefused) or result.faults


@given(
    st.dictionaries(st.sampled_from(FIELDS), ANY_JSON, max_size=5),
    st.sampled_from(["jada.request/1", "jada.control/1"]),
    st.dictionaries(TEXTS, TEXTS, max_size=2),
)
def test_nothing_is_ever_raised_near_the_mark(change: dict[str, Any], schema: str, attributes: dict[str, str]) -> None:
    """The same for messages that are nearly right; and what is refused can be stored and sent."""
    message = Message(json.dumps({**FULL, "schema": schema, **change}), attributes)
    match requests.parse(message, model="m"):
        case RequestRefused() as result:
            assert result.faults
            json.dumps([str(fault) for fault in result.faults], ensure_ascii=False).encode()
        case RequestArrived() as result:
            assert arrived(message.body).digest == result.digest
        case (request_id, ControlArrived()):
            assert request_id
