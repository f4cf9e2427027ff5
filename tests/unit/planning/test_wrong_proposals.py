"""A table of wrong proposals, each with exactly the faults that it has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from jada_orchestrator.domain.catalogue import AgentLimits, Catalogue, Effect
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.limits import PLAN_TASKS_MAX, PROPOSAL_BYTES_MAX
from jada_orchestrator.planning import Adopted, Faulted, compile_proposal
from jada_orchestrator.testing.catalogues import (
    INTEGER,
    MONEY,
    STRING,
    Ref,
    action,
    array,
    catalogue,
    proposal,
    record,
    request,
    task,
    travel_catalogue,
    travel_proposal,
)

TRAVEL = travel_catalogue()
SEARCH = task("find", "trips.search", city="Lisbon")
HOLD = task("hold", "rooms.hold", offer_id=Ref("find.offers[0].offer_id"))
PAY = task("pay", "cards.authorize", amount={"amount": "10.00", "currency": "USD"})
BOOK = task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("pay.authorization_id"))
USD_10 = {"amount": "10.00", "currency": "USD"}


def codes(document: Any, *, of: Catalogue = TRAVEL, **asked: Any) -> list[tuple[str, str]]:
    """The faults of a proposal as (code, place)."""
    text = document if isinstance(document, str) else json.dumps(document)
    compiled = compile_proposal(text, of, request(**asked))
    assert isinstance(compiled, Faulted), compiled
    return [(fault.code, fault.where) for fault in compiled.faults]


def search(**args: Any) -> dict[str, Any]:
    """A plan of one search with these arguments besides the city."""
    return proposal(task("find", "trips.search", city="Lisbon", **args))


def reading(reference: str, name: str = "offer_id", by: str = "rooms.hold") -> dict[str, Any]:
    """A plan in which one task reads another's output by this reference."""
    bound: Any = {name: Ref(reference)}
    return proposal(SEARCH, task("hold", by, **bound))


def raw(document: dict[str, Any], **changed: Any) -> dict[str, Any]:
    """A document with changed fields."""
    return {**document, **changed}


def arguments(*args: Any) -> dict[str, Any]:
    """A plan of one search with these raw arguments."""
    return proposal(raw(SEARCH, args=list(args)))


CITY = {"name": "city", "kind": "user", "value": "Lisbon"}

SHAPES: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("no JSON", "I would book a room.", [("NOT_JSON", "")]),
    ("nothing", "", [("NOT_JSON", "")]),
    ("a list", "[]", [("NOT_JSON", "")]),
    ("two objects", "{} {}", [("NOT_JSON", "")]),
    ("a key twice", '{"outcome": "plan", "outcome": "refuse"}', [("NOT_JSON", "")]),
    ("a number that is none", '{"outcome": NaN}', [("NOT_JSON", "")]),
    ("half a character", '{"outcome": "refuse", "reason": "\\ud800"}', [("NOT_JSON", "")]),
    ("nested without end", "[" * 100_000, [("NOT_JSON", "")]),
    ("too large", " " * (PROPOSAL_BYTES_MAX + 1), [("TOO_LARGE", "")]),
    ("no outcome", {}, [("BAD_SHAPE", "outcome")]),
    ("another outcome", {"outcome": "book"}, [("BAD_SHAPE", "outcome")]),
    ("a foreign field", raw(proposal(SEARCH), when="now"), [("BAD_SHAPE", "when")]),
    ("tasks as an object", raw(proposal(), tasks={}), [("BAD_SHAPE", "tasks")]),
    ("a task as text", raw(proposal(), tasks=["find"]), [("BAD_SHAPE", "tasks[0]")]),
    (
        "everything wrong in a task",
        raw(proposal(), tasks=[{"id": 1, "action": None, "after": "x", "optional": "no", "args": [7], "where_to": ""}]),
        [
            ("BAD_SHAPE", "tasks[0].where_to"),
            ("BAD_SHAPE", "tasks[0].id"),
            ("BAD_SHAPE", "tasks[0].action"),
            ("BAD_SHAPE", "tasks[0].args[0]"),
            ("BAD_SHAPE", "tasks[0].optional"),
            ("BAD_SHAPE", "tasks[0].after"),
        ],
    ),
    ("an argument's kind", arguments(raw(CITY, kind="guess")), [("BAD_SHAPE", "tasks[0].args[0].kind")]),
    ("an argument's value", arguments(raw(CITY, value=2)), [("BAD_SHAPE", "tasks[0].args[0].value")]),
    ("an empty question", proposal(outcome="clarify", questions=[" "]), [("BAD_SHAPE", "questions[0]")]),
    ("too many questions", proposal(outcome="clarify", questions=["?"] * 11), [("BAD_SHAPE", "questions")]),
    ("no questions", proposal(outcome="clarify", reason="unclear"), [("NO_QUESTIONS", "questions")]),
    ("a refusal without a reason", proposal(outcome="refuse"), [("NO_REASON", "reason")]),
    ("a plan that asks", proposal(SEARCH, questions=["When?"]), [("CONTRADICTION", "questions")]),
    ("a question with tasks", proposal(SEARCH, outcome="clarify", questions=["?"]), [("CONTRADICTION", "tasks")]),
    ("no tasks", proposal(), [("EMPTY_PLAN", "tasks")]),
    (
        "too many tasks",
        proposal(*(task(f"t{number}", "checks.request") for number in range(PLAN_TASKS_MAX + 1))),
        [("TOO_MANY_TASKS", "tasks")],
    ),
]

NAMES: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("an id with a hyphen", proposal(raw(SEARCH, id="find-it")), [("BAD_ID", "tasks[0].id")]),
    ("an empty id", proposal(raw(SEARCH, id="")), [("BAD_ID", "tasks[0].id")]),
    ("a reserved id", proposal(raw(SEARCH, id="request")), [("BAD_ID", "tasks[0].id")]),
    (
        "an id twice, but for case",
        proposal(SEARCH, raw(task("Find", "trips.search", city="Porto"))),
        [("DUPLICATE_ID", "tasks[0].id"), ("DUPLICATE_ID", "tasks[1].id")],
    ),
    ("an unknown action", proposal(task("find", "trips.serch")), [("UNKNOWN_ACTION", "tasks.find.action")]),
    (
        "the orchestrator's own action",
        proposal(task("ask", "rooms.lookup", idempotency_key="jk-1")),
        [("LOOKUP_PROPOSED", "tasks.ask.action")],
    ),
    (
        "after nobody",
        proposal(task("find", "trips.search", after=["chek"], city="x")),
        [("UNKNOWN_TASK", "tasks.find.after")],
    ),
    ("after itself", proposal(raw(SEARCH, after=["find"])), [("CYCLE", "tasks.find")]),
    (
        "a ring",
        proposal(
            task("a", "checks.request", after=["c"]),
            task("b", "checks.request", after=["a"], day="1"),
            task("c", "checks.request", after=["b"], day="2"),
        ),
        [("CYCLE", "tasks.a")],
    ),
    (
        "a ring through a reference",
        proposal(task("a", "trips.search", city=Ref("b.note")), task("b", "trips.search", city=Ref("a.note"))),
        [("CYCLE", "tasks.a")],
    ),
    (
        "too deep",
        proposal(*(task(f"t{n}", "checks.request", day=str(n), after=[f"t{n - 1}"] if n else []) for n in range(26))),
        [("TOO_DEEP", "tasks")],
    ),
]

ARGUMENTS: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("a missing input", proposal(task("find", "trips.search")), [("MISSING_INPUT", "tasks.find.args.city")]),
    ("an unknown input", search(town="x"), [("UNKNOWN_INPUT", "tasks.find.args.town")]),
    ("an input twice", arguments(CITY, CITY), [("DUPLICATE_INPUT", "tasks.find.args.city")]),
    ("too short a text", proposal(task("find", "trips.search", city="")), [("BAD_INPUT", "tasks.find.args.city")]),
    ("text for a number", search(guests="two"), [("BAD_INPUT", "tasks.find.args.guests")]),
    ("too large a number", search(guests=10), [("BAD_INPUT", "tasks.find.args.guests")]),
    ("a fraction for a whole", search(guests=1.5), [("BAD_INPUT", "tasks.find.args.guests")]),
    ("more than 64 bits", search(guests="1" + "0" * 30), [("BAD_INPUT", "tasks.find.args.guests")]),
    ("no date", search(day="tomorrow"), [("BAD_INPUT", "tasks.find.args.day")]),
    ("not in the enum", search(cabin="Economy"), [("BAD_INPUT", "tasks.find.args.cabin")]),
    ("money as a number", search(max_price=100), [("BAD_INPUT", "tasks.find.args.max_price")]),
    (
        "money without a currency",
        search(max_price={"amount": "1.00"}),
        [("BAD_INPUT", "tasks.find.args.max_price")],
    ),
    (
        "a float in money",
        search(max_price={"amount": 1.5, "currency": "USD"}),
        [("BAD_INPUT", "tasks.find.args.max_price.amount")],
    ),
    ("a reference that is none", reading("find..x"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("an empty reference", reading(""), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("a reference to nobody", reading("fnd.offers[0].offer_id"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("a reference to everything", reading("@"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("a constant as a reference", reading("'abc'"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("a field that is not there", reading("find.offers[0].id"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("a field of a list", reading("find.offers.offer_id"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("an object for a text", reading("find.offers[0].price"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("a list for a text", reading("find.offers[].offer_id"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    ("an unknown function", reading("first(find.offers)"), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    (
        "texts compared as numbers",
        reading("find.offers[?price.amount < `100`].offer_id | [0]"),
        [("BAD_REFERENCE", "tasks.hold.args.offer_id")],
    ),
    (
        "a sum of texts",
        reading("sum(find.offers[].price.amount)"),
        [("BAD_REFERENCE", "tasks.hold.args.offer_id")],
    ),
    ("another format", reading("find.offers[0].day", "expires", "x.y"), [("UNKNOWN_ACTION", "tasks.hold.action")]),
    (
        "a field that the request lacks",
        reading("request.booking.offer_id"),
        [("BAD_REFERENCE", "tasks.hold.args.offer_id")],
    ),
    (
        "a wrong line of the result",
        proposal(SEARCH, result={"price": "find.offers[0].prize"}),
        [("BAD_RESULT", "result.price")],
    ),
    ("a result of nobody", proposal(SEARCH, result={"price": "search.offers"}), [("BAD_RESULT", "result.price")]),
]

LAWS: list[tuple[str, Any, list[tuple[str, str]]]] = [
    (
        "a commit beside a check",
        proposal(SEARCH, HOLD, PAY, BOOK, task("check", "checks.request")),
        [("UNSAFE_ORDER", "tasks.book.after")],
    ),
    (
        "a commit beside a reservation",
        proposal(SEARCH, HOLD, PAY, BOOK, task("seat", "seats.hold", offer_id=Ref("find.offers[0].offer_id"))),
        [("UNSAFE_ORDER", "tasks.book.after")],
    ),
    (
        "a check after the commit",
        proposal(SEARCH, HOLD, PAY, BOOK, task("check", "checks.request", after=["book"])),
        [("UNSAFE_ORDER", "tasks.book.after")],
    ),
    (
        "a message before the booking",
        proposal(SEARCH, HOLD, PAY, BOOK, task("tell", "mail.send", text="Booked.", after=["hold", "pay"])),
        [("UNSAFE_ORDER", "tasks.tell.after")],
    ),
    (
        "required reads optional",
        proposal(raw(SEARCH, optional=True), HOLD),
        [("OPTIONAL_REQUIRED", "tasks.hold")],
    ),
    (
        "an optional commit reads optional",
        proposal(SEARCH, raw(HOLD, optional=True), PAY, raw(BOOK, optional=True)),
        [("COMMIT_ON_OPTIONAL", "tasks.book")],
    ),
    (
        "the same twice",
        proposal(SEARCH, HOLD, raw(HOLD, id="hold_again")),
        [("DUPLICATE_WORK", "tasks.hold_again")],
    ),
    (
        "faults in several tasks at once",
        proposal(
            task("find", "trips.search"),
            task("hold", "rooms.hold", offer_id=Ref("find.offers[0].id"), after=["nobody"]),
            task("tell", "mail.sent"),
            result={"x": "find.y"},
        ),
        [
            ("MISSING_INPUT", "tasks.find.args.city"),
            ("BAD_REFERENCE", "tasks.hold.args.offer_id"),
            ("UNKNOWN_ACTION", "tasks.tell.action"),
            ("UNKNOWN_TASK", "tasks.hold.after"),
            ("BAD_RESULT", "result.x"),
        ],
    ),
]


OFFER = record({"offer_id": STRING, "price": MONEY}, {"room": STRING, "code": STRING})
OWN = catalogue(
    action(
        "desk.find",
        input=record({}, {"city": STRING}),
        output=record(
            {
                "offers": array(OFFER, minItems=1),
                "day": {"type": "string", "format": "date"},
                "at": {"type": "string", "format": "date-time"},
                "cabin": {"type": "string", "enum": ["economy", "business"]},
                "pair": {"type": "array", "items": STRING, "maxItems": 2},
                "ratio": {"type": "number"},
                "ok": {"type": "boolean"},
                "owner": record({"customer_id": STRING}),
            },
            {"note": STRING, "later": OFFER},
        ),
    ),
    action(
        "desk.check",
        input=record(
            {},
            {
                "days": array({"type": "string", "format": "date"}),
                "codes": array({"type": "string", "enum": ["A", "B"]}),
                "prices": array(MONEY, maxItems=1),
                "class": {"type": "string", "enum": ["first", "second"]},
                "whole": {"type": "integer"},
                "yes": {"type": "boolean"},
                "both": record({"price": MONEY, "offer_id": STRING}),
                "many": array(array(STRING)),
            },
        ),
        output=record({"valid": {"type": "boolean"}}),
    ),
    action(
        "desk.keep",
        "reserve",
        input=record({"offer_id": STRING}),
        output=record({"hold_id": STRING}),
        undo="desk.drop",
        undo_input={"hold_id": "output.hold_id"},
    ),
    action("desk.drop", "commit", input=record({"hold_id": STRING}), irreversible=True),
    action("desk.sell", "commit", input=record({"hold_id": STRING}, {"remark": STRING}), irreversible=True),
    replace(
        action(
            "desk.pay",
            "commit",
            input=record({"payee": STRING, "amount": MONEY}, {"send_to": STRING, "reason": STRING, "day": STRING}),
            irreversible=True,
            amount="input.amount",
        ),
        sources={
            "payee": ("user",),
            "amount": ("desk.find.offers.price",),
            "send_to": ("user", "desk.find.owner"),
            "reason": ("const",),
            "day": ("user", "const"),
        },
    ),
)  # fmt: skip
FIND = task("find", "desk.find")


def told(name: str, value: str, kind: str = "user") -> dict[str, str]:
    """One argument as the model writes it."""
    return {"name": name, "kind": kind, "value": value}


def checking(**args: Any) -> dict[str, Any]:
    """A plan whose check takes these arguments from the search's output."""
    return proposal(
        FIND, task("check", "desk.check", **{name.replace("class_", "class"): one for name, one in args.items()})
    )


def paying(*changed: dict[str, str], price: str = "find.offers[0].price") -> dict[str, Any]:
    """A plan that pays, with these arguments instead of the right ones."""
    right = [told("payee", "c-118"), told("amount", price, "ref")]
    names = {one["name"] for one in changed}
    args = [one for one in right if one["name"] not in names] + list(changed)
    return proposal(FIND, raw(task("pay", "desk.pay"), args=args))


def at_check(name: str) -> list[tuple[str, str]]:
    """The fault of a reference that does not fit a field of the check."""
    return [("BAD_REFERENCE", f"tasks.check.args.{name}")]


def at_pay(name: str, code: str) -> list[tuple[str, str]]:
    """The fault of a source that is not allowed, or not there."""
    return [(code, f"tasks.pay.args.{name}")]


TYPES: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("instants in a list of dates", checking(days=Ref("[find.at]")), at_check("days")),
    ("a date in place of a list", checking(days=Ref("find.day")), at_check("days")),
    ("an enum in a list of another enum", checking(codes=Ref("[find.cabin]")), at_check("codes")),
    ("an enum that shares nothing", checking(class_=Ref("find.cabin")), at_check("class")),
    (
        "two prices where one is taken",
        checking(prices=Ref("[find.offers[0].price, find.offers[1].price]")),
        at_check("prices"),
    ),
    ("objects in place of money", checking(prices=Ref("find.offers[]")), at_check("prices")),
    ("texts in place of money, through a list", checking(prices=Ref("find.offers[].offer_id")), at_check("prices")),
    ("a truth for a number", checking(whole=Ref("find.ok")), at_check("whole")),
    ("a number for a truth", checking(yes=Ref("find.ratio")), at_check("yes")),
    ("a list for a truth", checking(yes=Ref("find.pair")), at_check("yes")),
    (
        "an object without a field that is required",
        checking(both=Ref("{price: find.offers[0].price}")),
        at_check("both"),
    ),
    (
        "an object with a field of another type",
        checking(both=Ref("{price: find.day, offer_id: find.offers[0].offer_id}")),
        at_check("both"),
    ),
    (
        "an object with a field too many",
        checking(both=Ref("{price: find.offers[0].price, offer_id: find.offers[0].offer_id, x: find.day}")),
        at_check("both"),
    ),
    ("a list where lists are taken", checking(many=Ref("find.pair")), at_check("many")),
    ("beyond the end of a list", checking(many=Ref("[[find.pair[2]]]")), at_check("many")),
    ("a field of an item's field that is none", checking(prices=Ref("[find.offers[0].price.net]")), at_check("prices")),
    ("a field of a text", checking(days=Ref("[find.day.year]")), at_check("days")),
    ("an item of an object", checking(prices=Ref("[find.offers[0].price[0]]")), at_check("prices")),
    ("a wrong key to sort by", checking(prices=Ref("[min_by(find.offers, &price).price]")), at_check("prices")),
    ("a filter over what is no list", checking(prices=Ref("find.owner[?customer_id].price")), at_check("prices")),
    (
        "a commit that needs what may not be there",
        proposal(FIND, task("sell", "desk.sell", hold_id=Ref("find.note"))),
        [("BAD_REFERENCE", "tasks.sell.args.hold_id")],
    ),
    (
        "a commit that needs a part of what may not be there",
        proposal(FIND, task("sell", "desk.sell", hold_id=Ref("find.later.offer_id"))),
        [("BAD_REFERENCE", "tasks.sell.args.hold_id")],
    ),
    (
        "a commit that needs what an item may lack",
        proposal(FIND, task("sell", "desk.sell", hold_id=Ref("find.offers[0].room || find.note"))),
        [("BAD_REFERENCE", "tasks.sell.args.hold_id")],
    ),
    *(
        (
            f"a commit that needs what may not be there, as {hidden}",
            proposal(FIND, task("sell", "desk.sell", hold_id=Ref(hidden))),
            [("BAD_REFERENCE", "tasks.sell.args.hold_id")],
        )
        for hidden in (
            "to_string(find.note)",
            "join('', [find.note])",
            "find.later[*].offer_id | [0]",
            "find.later[].offer_id | [0]",
            "find.later[:1].offer_id | [0]",
            "find.later[?offer_id].offer_id | [0]",
            "{a: find.note}.a",
            "find.offers[0].offer_id && find.note",
            "not_null(find.offers[0].room, find.note)",
        )
    ),
]

PROVENANCE: list[tuple[str, Any, list[tuple[str, str]]]] = [
    ("a payee that the planner chose", paying(told("payee", "c-118", "const")), at_pay("payee", "FORBIDDEN_SOURCE")),
    ("a payee from an agent", paying(told("payee", "find.owner.customer_id", "ref")),
     at_pay("payee", "FORBIDDEN_SOURCE")),
    ("a payee whom nobody named", paying(told("payee", "c-999")), at_pay("payee", "UNFOUNDED_VALUE")),
    ("a payee of whom only a part was named", paying(told("payee", "c-11")), at_pay("payee", "UNFOUNDED_VALUE")),
    (
        "a payee either from the request or from an agent",
        paying(told("payee", "request.booking.customer_id || find.owner.customer_id", "ref")),
        at_pay("payee", "FORBIDDEN_SOURCE"),
    ),
    (
        "a payee put together",
        paying(told("payee", "join('-', [request.booking.customer_id, find.owner.customer_id])", "ref")),
        at_pay("payee", "FORBIDDEN_SOURCE"),
    ),
    (
        "a payee hidden behind a literal",
        paying(told("payee", "not_null(`null`, 'c-999', request.booking.customer_id)", "ref")),
        at_pay("payee", "FORBIDDEN_SOURCE"),
    ),
    (
        "an amount that was told",
        paying(told("amount", '{"amount": "9.00", "currency": "USD"}')),
        at_pay("amount", "FORBIDDEN_SOURCE"),
    ),
    ("an amount from another field", paying(price="find.later.price"), [
        ("BAD_REFERENCE", "tasks.pay.args.amount"), ("FORBIDDEN_SOURCE", "tasks.pay.args.amount"),
    ]),
    (
        "an amount made of the right price and a literal",
        paying(price="{amount: find.offers[0].price.amount, currency: 'EUR'}"),
        at_pay("amount", "FORBIDDEN_SOURCE"),
    ),
    ("an address from a note", paying(told("send_to", "find.note", "ref")), at_pay("send_to", "FORBIDDEN_SOURCE")),
    ("an address that nobody told", paying(told("send_to", "x@evil.example")), at_pay("send_to", "UNFOUNDED_VALUE")),
    ("an address with more to it", paying(told("send_to", "a@b.org.example")), at_pay("send_to", "UNFOUNDED_VALUE")),
    ("a reason from an agent", paying(told("reason", "find.note", "ref")), at_pay("reason", "FORBIDDEN_SOURCE")),
    ("a reason that is the traveller's", paying(told("reason", "holiday")), at_pay("reason", "FORBIDDEN_SOURCE")),
    ("a day that nobody told", paying(told("day", "2027-06-04")), at_pay("day", "UNFOUNDED_VALUE")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "expected"),
    [pytest.param(document, expected, id=name) for name, document, expected in TYPES + PROVENANCE],
)
def test_what_does_not_fit_or_comes_from_elsewhere(document: Any, expected: list[tuple[str, str]]) -> None:
    """References are held against both schemas, and fields with named sources against these and what was told."""
    found = codes(document, of=OWN, text="Pay for it on 3 May, mail to a@b.org.", booking={"customer_id": "c-118"})
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    "changed",
    [
        (),
        (told("payee", "request.booking.customer_id", "ref"),),
        (told("amount", "min_by(find.offers, &to_number(price.amount)).price", "ref"),),
        (told("amount", "{amount: find.offers[0].price.amount, currency: find.offers[0].price.currency}", "ref"),),
        (told("send_to", "A@b.org"), told("reason", "as agreed", "const")),
        (told("send_to", "find.owner.customer_id", "ref"),),
        (told("day", "2027-05-03"),),
        (told("day", "2027-06-04", "const"),),
    ],
)
def test_what_comes_from_where_it_may_is_adopted(changed: tuple[dict[str, str], ...]) -> None:
    """Values that were told, read from the request, or taken from the named output, however chosen, are no fault."""
    text = json.dumps(paying(*changed))
    asked = request("Pay for it on 3 May, mail to a@b.org.", booking={"customer_id": "c-118"})
    assert isinstance(compile_proposal(text, OWN, asked), Adopted)


def test_what_was_answered_was_told() -> None:
    """An answer to a question counts as the request does."""
    text, asked = json.dumps(paying(told("payee", "c-7"))), request("Pay for it.")
    assert isinstance(compile_proposal(text, OWN, asked), Faulted)
    assert isinstance(compile_proposal(text, OWN, asked, answers=["For c-7, please."]), Adopted)


def crowd(count: int, *, after: int | None = None) -> dict[str, Any]:
    """A plan of many checks, side by side, the later ones `after` the one so many before."""
    tasks = [task("keep0", "desk.keep", offer_id="o0")]
    for number in range(1, count):
        before = [f"keep{number - after}"] if after is not None and number >= after else []
        tasks.append(task(f"keep{number}", "desk.keep", offer_id=f"o{number}", after=before))
    return proposal(*tasks)


@pytest.mark.parametrize(("count", "after", "wide"), [(4, None, True), (3, None, False), (9, 3, False), (9, 4, True)])
def test_no_more_side_by_side_than_an_agent_takes(count: int, after: int | None, wide: bool) -> None:
    """More tasks of one agent at once than its limit are a fault; the same tasks partly in a row are none."""
    agents = {name: replace(agent, limits=AgentLimits(3)) for name, agent in OWN.agents.items()}
    narrow = replace(OWN, agents=agents)
    text = json.dumps(crowd(count, after=after))
    compiled = compile_proposal(text, narrow, request())
    found = [(one.code, one.where) for one in compiled.faults] if isinstance(compiled, Faulted) else []
    assert found == ([("FAN_OUT", "tasks")] if wide else [])


@pytest.mark.parametrize(
    ("document", "expected"),
    [pytest.param(document, expected, id=name) for name, document, expected in SHAPES + NAMES + ARGUMENTS + LAWS],
)
def test_a_wrong_proposal_has_exactly_these_faults(document: Any, expected: list[tuple[str, str]]) -> None:
    """Every mistake is found, at its place, and no mistake is told that is not there."""
    found = codes(document)
    assert sorted(found) == sorted(expected)


def capture(identifier: str, amount: dict[str, str], hold: str = "pay") -> dict[str, Any]:
    """A capture of a known amount."""
    return task(identifier, "cards.capture", authorization_id=Ref(f"{hold}.authorization_id"), amount=amount)


@pytest.mark.parametrize(
    ("amounts", "expected"),
    [
        (["20.01 USD"], [("OVER_BUDGET", "tasks.take0")]),
        (["15.00 USD", "5.01 USD"], [("OVER_BUDGET", "tasks")]),
        (["15.00 EUR"], [("CURRENCY_MISMATCH", "tasks.take0")]),
        (["5.00 USD", "5.00 EUR"], [("CURRENCY_MISMATCH", "tasks.take1")]),
    ],
)
def test_money_that_is_known_is_bounded(amounts: list[str], expected: list[tuple[str, str]]) -> None:
    """Constant amounts above the request's bound, alone or together, or in another currency, are faults."""
    known = [dict(zip(("amount", "currency"), amount.split(), strict=True)) for amount in amounts]
    plan = proposal(PAY, *(capture(f"take{place}", amount) for place, amount in enumerate(known)))
    assert codes(plan, max_total="20.00 USD") == expected


def test_an_amount_below_zero_is_a_fault() -> None:
    """A commit of a negative amount is refused even where the schema lets it pass."""
    take = action(
        "cards.take", "commit", input=record({"amount": {"type": "object"}}), irreversible=True, amount="input.amount"
    )
    plan = proposal(task("take", "cards.take", amount={"amount": "-5.00", "currency": "USD"}))
    assert codes(plan, of=catalogue(take)) == [("AMOUNT_NEGATIVE", "tasks.take")]


@pytest.mark.parametrize("effect", [Effect.RESERVE, Effect.COMMIT])
def test_what_nothing_undoes_and_is_not_declared_so_is_refused(effect: Effect) -> None:
    """A catalogue that says neither how an action is undone nor that it cannot be is not believed."""
    hold = replace(TRAVEL.actions[ActionName("rooms.hold")], effect=effect, compensate=None)
    other = replace(TRAVEL, actions={**TRAVEL.actions, hold.name: hold})
    assert codes(proposal(SEARCH, HOLD), of=other) == [("NO_COMPENSATION", "tasks.hold.action")]


def test_formats_that_differ_are_a_fault() -> None:
    """A date-time does not go into a field for dates, a list not into a shorter one, an enum not into another."""
    wanted = record(
        {}, {"day": {"type": "string", "format": "date"}, "few": array(MONEY, maxItems=1), "class": {"enum": ["first"]}}
    )
    given = record({"at": {"type": "string", "format": "date-time"}, "paid": MONEY, "cabin": {"enum": ["economy"]}})
    own = catalogue(action("a.make", output=given), action("a.take", input=wanted))
    references: Any = {"day": Ref("made.at"), "few": Ref("[made.paid, made.paid]"), "class": Ref("made.cabin")}
    plan = proposal(task("made", "a.make"), task("taken", "a.take", **references))
    assert codes(plan, of=own) == [("BAD_REFERENCE", f"tasks.taken.args.{name}") for name in ("day", "few", "class")]


def test_an_object_that_lacks_what_is_required_is_a_fault() -> None:
    """An output without a field that the input's object requires, or with a wrong one inside, does not fit."""
    own = catalogue(
        action(
            "a.make",
            output=record(
                {"half": record({"amount": INTEGER}), "wrong": record({"amount": INTEGER, "currency": INTEGER})}
            ),
        ),
        action("a.take", input=record({}, {"one": MONEY, "two": MONEY})),
    )
    plan = proposal(task("made", "a.make"), task("taken", "a.take", one=Ref("made.half"), two=Ref("made.wrong")))
    assert codes(plan, of=own) == [("BAD_REFERENCE", "tasks.taken.args.one"), ("BAD_REFERENCE", "tasks.taken.args.two")]


def test_every_removal_of_an_order_makes_the_natural_plan_unsafe_or_leaves_it_safe() -> None:
    """Taking the order-only edges away one by one, a fault appears exactly where a check no longer precedes commits."""
    unsafe: dict[str, bool] = {}
    for place, one in enumerate(travel_proposal()["tasks"]):
        for first in one["after"]:
            changed = travel_proposal()
            changed["tasks"][place] = raw(one, after=[name for name in one["after"] if name != first])
            unsafe[f"{first}->{one['id']}"] = isinstance(
                compile_proposal(json.dumps(changed), TRAVEL, request()), Faulted
            )
    assert unsafe == {
        "check->hold_room": False,  # still before the other hold, and so before everything that is committed
        "check->hold_seat": False,
        "policy->authorize": True,
        "book_room->capture": False,  # a capture can be undone: two bookings and a payment may be made side by side
        "book_seat->capture": False,
        "capture->order": True,  # the message would come before the payment
    }


def test_messages_say_what_to_write_instead() -> None:
    """The model learns the near match, the fields that are there, and the edges to add."""
    plan = proposal(
        task("find", "trips.serch", city="x"),
        task("also", "trips.search", cty="x"),
        task("hold", "rooms.hold", offer_id=Ref("also.offers[0].id")),
    )
    compiled = compile_proposal(json.dumps(plan), TRAVEL, request())
    assert isinstance(compiled, Faulted)
    told = "\n".join(map(str, compiled.faults))
    assert "Did you mean trips.search" in told
    assert "Did you mean city" in told
    assert "there is offer_id, price, stars, day" in told


def test_no_fault_repeats_a_value() -> None:
    """Faults are recorded and logged, so the traveller's own words and numbers stay out of them."""
    plan = json.dumps(search(day="P1234567", guests="4111111111111111"))
    compiled = compile_proposal(plan, TRAVEL, request())
    assert isinstance(compiled, Faulted)
    assert not [fault for fault in compiled.faults if "P1234567" in str(fault) or "4111" in str(fault)]


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "document",
    [
        proposal(raw(SEARCH, after=[f"Task{number}" for number in range(30_000)])),
        proposal(*(task(f"t{number}", "x" * 4_000) for number in range(100))),
        proposal(*(raw(SEARCH, id=f"t{n}", args=[raw(CITY, name=f"n{m}") for m in range(64)]) for n in range(100))),
        proposal(raw(SEARCH, args=[{"name": "city", "kind": "ref", "value": "find" + "[*]" * 100}] * 60)),
        '{"a":1,' + ",".join(f'"k{number}":1' for number in range(30_000)) + ',"a":1}',
        '{"outcome":' + "[" * 30_000 + "]" * 30_000 + "}",
    ],
    ids=["edges", "actions", "arguments", "references", "keys", "nesting"],
)
def test_a_hostile_size_costs_little(document: Any) -> None:
    """Whatever fits into the bound is answered in seconds, with a bounded number of faults."""
    assert 1 <= len(codes(document)) <= 100


@pytest.mark.timeout(20)
@pytest.mark.parametrize("step", [" | [@, @]", " | [@, @][]", " | join('', [@, @])", " | {a: @, b: @}", " | [@, @][*]"])
def test_a_reference_does_not_multiply_what_it_reads(step: str) -> None:
    """Thirty doublings in three hundred characters would fill any memory: they are refused before anything is read."""
    doubled = "request.text" + step * 24
    assert codes(proposal(task("find", "trips.search", city=Ref(doubled)))) == [
        ("BAD_REFERENCE", "tasks.find.args.city")
    ]


def test_a_deep_request_is_read_as_far_as_it_is_known() -> None:
    """A frontend may nest its booking as deep as JSON goes; references into it are still compiled."""
    deep: Any = "Lisbon"
    for _ in range(400):
        deep = {"x": deep}
    plan = proposal(task("find", "trips.search", city=Ref("request.booking" + ".x" * 50)))
    assert codes(plan, booking=deep) == [("BAD_INPUT", "tasks.find.args")]
