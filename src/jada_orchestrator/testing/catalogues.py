"""Small catalogues, proposals and requests for tests: every effect, with and without lookup, undoing and amount.

A stand-in for real catalogues: names and schemas are as small as the behaviour under test allows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from jada_orchestrator.domain.catalogue import (
    Action,
    Agent,
    AgentLimits,
    Binding,
    Catalogue,
    Compensation,
    Effect,
    LambdaTransport,
    ModelSource,
    RetryPolicy,
    SqsTransport,
    Transport,
)
from jada_orchestrator.domain.documents import Json, JsonObject, digest_of_text
from jada_orchestrator.domain.ids import ActionName, AgentName, CatalogueVersion, RequestId, Tenant
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.request import BookingRequest, Constraints

STRING: Final[JsonObject] = {"type": "string", "minLength": 1}
INTEGER: Final[JsonObject] = {"type": "integer", "minimum": 0}
MONEY: Final[JsonObject] = {
    "type": "object",
    "required": ["amount", "currency"],
    "properties": {
        "amount": {"type": "string", "pattern": "^[0-9]{1,9}(\\.[0-9]{1,2})?$"},
        "currency": {"type": "string", "pattern": "^[A-Z]{3}$"},
    },
    "additionalProperties": False,
}
RETRY: Final = RetryPolicy(attempts=4, first_ms=200, max_ms=10_000)


def record(
    required: Mapping[str, JsonObject] | None = None, optional: Mapping[str, JsonObject] | None = None
) -> JsonObject:
    """Return the schema of a closed object with these required and optional properties."""
    needed, extra = dict(required or {}), dict(optional or {})
    return {
        "type": "object",
        "required": list(needed),
        "properties": {**needed, **extra},
        "additionalProperties": False,
    }


def array(items: JsonObject, **keywords: Json) -> JsonObject:
    """Return the schema of an array."""
    return {"type": "array", "items": items, **keywords}


def action(
    name: str,
    effect: Effect | Literal["read", "reserve", "commit"] = Effect.READ,
    *,
    input: JsonObject | None = None,  # noqa: A002 - the catalogue's own word
    output: JsonObject | None = None,
    undo: str | None = None,
    undo_input: Mapping[str, str] | None = None,
    **more: Json,
) -> Action:
    """Return an action of the agent that its name begins with.

    `undo` names its compensation, `undo_input` maps that one's fields to expressions over input, output and key;
    `more` are fields of `Action`: `irreversible`, `idempotent`, `lookup`, `amount` (an expression), `timeout_ms` ...
    """
    amount, lookup = more.pop("amount", None), more.pop("lookup", None)
    bindings = {field: Binding(expression) for field, expression in (undo_input or {}).items()}
    return Action(
        name=ActionName(name),
        agent=AgentName(name.partition(".")[0]),
        description=f"Does {name}.",
        effect=Effect(effect),
        input_schema=input if input is not None else record(),
        output_schema=output if output is not None else {"type": "object"},
        timeout_ms=more.pop("timeout_ms", 20_000),
        retry=more.pop("retry", RETRY),
        compensate=Compensation(ActionName(undo), bindings) if undo is not None else None,
        amount=Binding(amount) if amount is not None else None,
        lookup=ActionName(lookup) if lookup is not None else None,
        **more,
    )


def lookup_action(name: str) -> Action:
    """Return an action that answers what became of a call, as the lookup protocol has it."""
    state = {"type": "string", "enum": ["succeeded", "failed", "absent", "pending"]}
    error = {"type": "object", "required": ["code", "message"], "properties": {"code": STRING, "message": STRING}}
    output = {
        "type": "object",
        "required": ["state"],
        "properties": {"state": state, "output": {"type": "object"}, "error": error},
    }
    return action(name, input=record({"idempotency_key": STRING}), output=output)


def catalogue(
    *actions: Action, transports: Mapping[str, Transport] | None = None, version: str | None = None
) -> Catalogue:
    """Return a catalogue of these actions; agents without a transport of their own are functions ``jada-<agent>``."""
    own = dict(transports or {})
    # As in production, the version follows from the content: what is remembered of one catalogue is no other's.
    version = version or digest_of_text(repr((actions, sorted(own.items()))))[:16]
    agents = {
        name: Agent(
            name=name,
            description=f"Is {name}.",
            transport=own.get(name, LambdaTransport(function=f"jada-{name}")),
            model=ModelSource("inherit"),
            limits=AgentLimits(concurrency=50),
        )
        for name in sorted({one.agent for one in actions})
    }
    return Catalogue(CatalogueVersion(version), agents, {one.name: one for one in actions})


def travel_catalogue() -> Catalogue:
    """Return the catalogue that most tests use.

    ========================  =======  ==========================================================================
    trips.search              read     city -> offers [{offer_id, price, stars?}], note?
    checks.policy             read     total money -> allowed; an SQS worker, like everything of ``checks``
    quotes.add                read     totals [money] -> total money
    rooms.hold, seats.hold    reserve  offer_id, guests? -> hold_id, total, expires_at; rooms with lookup, seats without
    cards.authorize           reserve  amount -> authorization_id, amount; undone by cards.void; with lookup
    rooms.book, seats.book    commit   hold_id, authorization_id -> booking_id, total; undone by cancel
    cards.capture             commit   authorization_id, amount -> capture_id; its amount is input.amount
    tickets.print             commit   booking_id -> ticket_id; not idempotent, with lookup; undone by tickets.tear
    orders.create             commit   total, booking_ids? -> order_id; not idempotent, without lookup
    mail.send                 commit   text, order_id? -> message_id; irreversible; an SQS worker
    *.release, cancel, ...    commit   what undoes the others; irreversible
    ========================  =======  ==========================================================================
    """
    return catalogue(
        *_reads(),
        *_stays("rooms", lookup="rooms.lookup"),
        *_stays("seats", lookup=None),
        lookup_action("rooms.lookup"),
        *_cards(),
        *_records(),
        transports={"checks": SqsTransport("jada-checks"), "mail": SqsTransport("jada-mail")},
    )


def _reads() -> Iterable[Action]:
    offer = {
        "type": "object",
        "required": ["offer_id", "price"],
        "properties": {
            "offer_id": STRING,
            "price": MONEY,
            "stars": INTEGER,
            "day": {"type": "string", "format": "date"},
        },
    }
    offers = {
        "type": "object",
        "required": ["offers"],
        "properties": {"offers": array(offer, minItems=1), "note": STRING},
    }
    query = record(
        {"city": STRING},
        {
            "day": {"type": "string", "format": "date"},
            "guests": {"type": "integer", "minimum": 1, "maximum": 9},
            "cabin": {"type": "string", "enum": ["economy", "business"]},
            "max_price": MONEY,
            "flexible": {"type": "boolean"},
        },
    )
    yield action("trips.search", input=query, output=offers)
    yield action("checks.policy", input=record({"total": MONEY}), output=record({"allowed": {"type": "boolean"}}))
    yield action("checks.request", input=record({}, {"day": STRING}), output=record({"valid": {"type": "boolean"}}))
    totals = record({"totals": array(MONEY, minItems=1, maxItems=20)}, {"max_total": MONEY})
    yield action("quotes.add", input=totals, output=record({"total": MONEY, "count": INTEGER}))


def _stays(agent: str, *, lookup: str | None) -> Iterable[Action]:
    hold = record(
        {"hold_id": STRING, "total": MONEY, "expires_at": {"type": "string", "format": "date-time"}}, {"note": STRING}
    )
    yield action(
        f"{agent}.hold",
        "reserve",
        input=record({"offer_id": STRING}, {"guests": INTEGER}),
        output=hold,
        undo=f"{agent}.release",
        undo_input={"hold_id": "output.hold_id"},
        lookup=lookup,
    )
    yield action(
        f"{agent}.book",
        "commit",
        input=record({"hold_id": STRING, "authorization_id": STRING}),
        output=record({"booking_id": STRING, "total": MONEY}),
        undo=f"{agent}.cancel",
        undo_input={"booking_ids": "output.[booking_id]"},
        lookup=lookup,
    )
    yield action(f"{agent}.release", "commit", input=record({"hold_id": STRING}), irreversible=True, lookup=lookup)
    yield action(
        f"{agent}.cancel",
        "commit",
        input=record({"booking_ids": array(STRING)}),
        output=record({"refund": MONEY}),
        irreversible=True,
        lookup=lookup,
    )


def _cards() -> Iterable[Action]:
    yield action(
        "cards.authorize",
        "reserve",
        input=record({"amount": MONEY}),
        output=record({"authorization_id": STRING, "amount": MONEY}),
        undo="cards.void",
        undo_input={"authorization_id": "output.authorization_id"},
        lookup="cards.lookup",
    )
    yield action(
        "cards.capture",
        "commit",
        input=record({"authorization_id": STRING, "amount": MONEY}),
        output=record({"capture_id": STRING, "amount": MONEY}),
        undo="cards.refund",
        undo_input={"capture_ids": "output.[capture_id]"},
        lookup="cards.lookup",
        amount="input.amount",
    )
    yield action(
        "cards.void", "commit", input=record({"authorization_id": STRING}), irreversible=True, lookup="cards.lookup"
    )
    refund = record({"capture_ids": array(STRING)}, {"amount": MONEY})
    yield action("cards.refund", "commit", input=refund, irreversible=True, lookup="cards.lookup")
    yield lookup_action("cards.lookup")


def _records() -> Iterable[Action]:
    yield action(
        "tickets.print",
        "commit",
        input=record({"booking_id": STRING}),
        output=record({"ticket_id": STRING}),
        undo="tickets.tear",
        undo_input={"ticket_id": "output.ticket_id"},
        idempotent=False,
        lookup="tickets.lookup",
    )
    yield action("tickets.tear", "commit", input=record({"ticket_id": STRING}), irreversible=True)
    yield lookup_action("tickets.lookup")
    yield action(
        "orders.create",
        "commit",
        input=record({"total": MONEY}, {"booking_ids": array(STRING)}),
        output=record({"order_id": STRING}),
        undo="orders.cancel",
        undo_input={"order_id": "output.order_id"},
        idempotent=False,
    )
    yield action("orders.cancel", "commit", input=record({"order_id": STRING}), irreversible=True)
    mail = record({"text": STRING}, {"order_id": STRING})
    yield action("mail.send", "commit", input=mail, output=record({"message_id": STRING}), irreversible=True)


def request(
    text: str = "A room and a seat in Lisbon.",
    *,
    booking: JsonObject | None = None,
    max_total: str | None = None,
    approve_above: str | None = None,
    request_id: str = "web-1",
) -> BookingRequest:
    """Return a request; amounts are written ``"100.00 USD"``."""
    return BookingRequest(
        request_id=RequestId(request_id),
        tenant=Tenant("default"),
        text=text,
        booking=booking,
        constraints=Constraints(max_total=money(max_total), approve_above=money(approve_above)),
        ordering_key=None,
        priority=5,
        reply_to=None,
    )


def money(text: str | None) -> Money | None:
    """Return the money that ``"100.00 USD"`` stands for."""
    if text is None:
        return None
    amount, currency = text.split()
    return Money.parse({"amount": amount, "currency": currency})


@dataclass(frozen=True, slots=True)
class Ref:
    """Marks an argument of `task` as a reference."""

    expression: str


def task(
    id: str,  # noqa: A002 - the proposal's own word
    action: str,
    *,
    after: Iterable[str] = (),
    optional: bool = False,
    when: str = "",
    for_each: str = "",
    instead_of: str = "",
    on_codes: Iterable[str] = (),
    **args: Json,
) -> JsonObject:
    """Return a proposed task; a `Ref` becomes a reference, everything else a constant (a text, or JSON text)."""
    written = [
        {"name": name, "kind": "ref", "value": value.expression}
        if isinstance(value, Ref)
        else {"name": name, "kind": "const", "value": value if isinstance(value, str) else json.dumps(value)}
        for name, value in args.items()
    ]
    said = {"when": when, "for_each": for_each, "instead_of": instead_of}
    return {
        "id": id,
        "action": action,
        "after": list(after),
        "optional": optional,
        "control": [
            *({"kind": kind, "value": value} for kind, value in said.items() if value),
            *({"kind": "on_code", "value": code} for code in on_codes),
        ],
        "args": written,
    }


def proposal(*tasks: JsonObject, result: Mapping[str, str] | None = None, **changed: Json) -> JsonObject:
    """Return a proposal as the model would write it; `changed` replaces fields of it."""
    return {
        "outcome": "plan",
        "reason": "",
        "questions": [],
        "tasks": list(tasks),
        "result": [{"name": name, "value": value} for name, value in (result or {}).items()],
        **changed,
    }


def travel_proposal() -> JsonObject:
    """Return the natural plan over `travel_catalogue`: room and seat, one payment, an order, a message."""
    paid = Ref("authorize.authorization_id")
    both = Ref("[hold_room.total, hold_seat.total]")
    return proposal(
        task("check", "checks.request"),
        task("rooms", "trips.search", city="Lisbon"),
        task("seats", "trips.search", city="Lisbon", flexible=True),
        task("hold_room", "rooms.hold", after=["check"], offer_id=Ref("rooms.offers[0].offer_id"), guests=2),
        task("hold_seat", "seats.hold", after=["check"], offer_id=Ref("seats.offers[0].offer_id")),
        task("quote", "quotes.add", totals=both),
        task("policy", "checks.policy", total=Ref("quote.total")),
        task("authorize", "cards.authorize", after=["policy"], amount=Ref("quote.total")),
        task("book_room", "rooms.book", hold_id=Ref("hold_room.hold_id"), authorization_id=paid),
        task("book_seat", "seats.book", hold_id=Ref("hold_seat.hold_id"), authorization_id=paid),
        task(
            "capture",
            "cards.capture",
            after=["book_room", "book_seat"],
            authorization_id=paid,
            amount=Ref("authorize.amount"),
        ),
        task(
            "order",
            "orders.create",
            after=["capture"],
            total=Ref("quote.total"),
            booking_ids=Ref("[book_room.booking_id, book_seat.booking_id]"),
        ),
        task("mail", "mail.send", text="Booked.", order_id=Ref("order.order_id")),
        result={"order_id": "order.order_id", "total": "quote.total"},
    )


def as_text(value: JsonObject) -> str:
    """Return a proposal as the text that a model would answer."""
    return json.dumps(value)
