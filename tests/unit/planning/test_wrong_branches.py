"""Wrong proposals with conditions, lists and alternatives, each with exactly the faults that it has."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.limits import ERROR_CODES_MAX
from jada_orchestrator.planning import Adopted, Faulted, compile_proposal
from jada_orchestrator.testing.catalogues import Ref, proposal, request, task
from tests.unit.planning.test_wrong_proposals import HOLD, PAY, SEARCH, TRAVEL, USD_10, codes, raw

Row = tuple[str, Any, list[tuple[str, str]]]
DEAR: Final = "to_number(find.offers[0].price.amount) > `100`"
SEATS: Final = task("seats", "trips.search", when=DEAR, city="Porto")
OTHER: Final = task("other", "seats.hold", instead_of="hold", on_codes=["SOLD_OUT"], offer_id="o-2")


def deciding(*entries: Any) -> dict[str, Any]:
    """A plan of one search with these raw entries of `control`."""
    return proposal(raw(SEARCH, control=list(entries)))


def when(condition: str) -> dict[str, Any]:
    """A plan in which a second search is only made under this condition."""
    return proposal(SEARCH, task("more", "trips.search", when=condition, city="Porto"))


def each(source: str, **args: Any) -> dict[str, Any]:
    """A plan that holds each of a list."""
    return proposal(SEARCH, task("hold", "rooms.hold", for_each=source, **(args or {"offer_id": Ref("item.offer_id")})))


def instead(**changed: Any) -> dict[str, Any]:
    """A plan with a stand-in, changed."""
    return proposal(SEARCH, HOLD, raw(OTHER, **changed))


def control(*pairs: tuple[str, str]) -> list[dict[str, str]]:
    """Entries of `control`."""
    return [{"kind": kind, "value": value} for kind, value in pairs]


SHAPES: list[Row] = [
    ("control as an object", proposal(raw(SEARCH, control={})), [("BAD_SHAPE", "tasks[0].control")]),
    ("an entry as text", deciding("when"), [("BAD_SHAPE", "tasks[0].control[0]")]),
    ("another kind", deciding({"kind": "while", "value": "x"}), [("BAD_SHAPE", "tasks[0].control[0].kind")]),
    ("a number for a value", deciding({"kind": "when", "value": 1}), [("BAD_SHAPE", "tasks[0].control[0].value")]),
    ("a foreign field", deciding(control(("when", DEAR))[0] | {"n": 1}), [("BAD_SHAPE", "tasks[0].control[0].n")]),
    ("two conditions", deciding(*control(("when", "a.b"), ("when", "c.d"))), [("BAD_SHAPE", "tasks[0].when")]),
    (
        "a condition in both places",
        proposal(raw(SEARCH, control=control(("when", "a.b")), when="a.b")),
        [("BAD_SHAPE", "tasks[0].when")],
    ),
    ("a condition that is no text", proposal(raw(SEARCH, when=True)), [("BAD_SHAPE", "tasks[0].when")]),
    (
        "too many codes",
        instead(control=control(("instead_of", "hold"), *(("on_code", f"C{n}") for n in range(ERROR_CODES_MAX + 1)))),
        [("BAD_SHAPE", "tasks[2].on_codes")],
    ),
]

CONDITIONS: list[Row] = [
    ("no expression", when("find.offers["), [("BAD_CONDITION", "tasks.more.when")]),
    ("an unknown task", when("found.offers == `[]`"), [("BAD_CONDITION", "tasks.more.when")]),
    ("a field that is not there", when("find.price > `1`"), [("BAD_CONDITION", "tasks.more.when")]),
    ("a list", when("find.offers"), [("BAD_CONDITION", "tasks.more.when")]),
    ("a number", when("length(find.offers)"), [("BAD_CONDITION", "tasks.more.when")]),
    ("a text as a number", when("find.offers[0].price.amount > `1`"), [("BAD_CONDITION", "tasks.more.when")]),
    ("text that an agent is free to choose", when("find.note == 'go'"), [("BAD_CONDITION", "tasks.more.when")]),
    ("such a text inside", when("!(contains(find.note, 'go'))"), [("BAD_CONDITION", "tasks.more.when")]),
    (
        "such texts of a list",
        when("length(find.offers[?offer_id == 'x']) > `0`"),
        [("BAD_CONDITION", "tasks.more.when")],
    ),
    *(
        (f"such a text within {wrapped}", when(wrapped), [("BAD_CONDITION", "tasks.more.when")])
        for wrapped in (
            "contains([find.note], 'go')",
            "contains(find.offers[*].offer_id, 'go')",
            "[find.note] == ['go']",
            "{a: find.note} == {a: 'go'}",
            "find.offers[*].offer_id != ['go']",
        )
    ),
    ("a constant", when("`true`"), [("BAD_CONDITION", "tasks.more.when")]),
    ("not of a part of a name", when("!find.offers.x"), [("BAD_CONDITION", "tasks.more.when")]),
    ("its own output", when("more.note == `null`"), [("CYCLE", "tasks.more")]),
    (
        "each other's outputs",
        proposal(
            task("one", "trips.search", when="two.offers == `[]`", city="a"),
            task("two", "trips.search", when="one.offers == `[]`", city="b"),
        ),
        [("CYCLE", "tasks.one")],
    ),
    (
        "needed outside of the branch",
        proposal(SEARCH, SEATS, task("hold", "rooms.hold", offer_id=Ref("seats.offers[0].offer_id"))),
        [("CONDITIONAL_REQUIRED", "tasks.hold.args.offer_id")],
    ),
    (
        "needed in another branch",
        proposal(
            SEARCH, SEATS, task("hold", "rooms.hold", when=f"!({DEAR})", offer_id=Ref("seats.offers[0].offer_id"))
        ),
        [("CONDITIONAL_REQUIRED", "tasks.hold.args.offer_id")],
    ),
    (
        "a sum with what may be missing",
        proposal(
            SEARCH,
            HOLD,
            task("seat", "seats.hold", when=DEAR, offer_id="o"),
            task("quote", "quotes.add", totals=Ref("[hold.total, seat.total]")),
        ),
        [("CONDITIONAL_REQUIRED", "tasks.quote.args.totals")],
    ),
    (
        "a commit on a hold that may be skipped",
        proposal(
            SEARCH,
            PAY,
            task("hold", "rooms.hold", when=DEAR, offer_id=Ref("find.offers[0].offer_id")),
            task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("pay.authorization_id")),
        ),
        [("CONDITIONAL_REQUIRED", "tasks.book.args.hold_id")],
    ),
    (
        "required, with two optional branches to take it from, of which both may come to nothing",
        proposal(
            SEARCH,
            task("yes", "trips.search", when="find.note == `null`", city="a", optional=True),
            task("no", "trips.search", when="!(find.note == `null`)", city="b", optional=True),
            task("hold", "rooms.hold", offer_id=Ref("not_null(yes.offers[0].offer_id, no.offers[0].offer_id)")),
        ),
        [("CONDITIONAL_REQUIRED", "tasks.hold.args.offer_id")],
    ),
    (
        "a commit before a check in its own branch",
        proposal(
            SEARCH,
            task("hold", "rooms.hold", when=DEAR, offer_id="o"),
            task("mail", "mail.send", when=DEAR, text="x", after=["find"]),
        ),
        [("UNSAFE_ORDER", "tasks.mail.after")],
    ),
    (
        "the same twice under conditions that may both hold",
        proposal(SEARCH, SEATS, raw(SEATS, id="again", control=control(("when", "find.note == `null`")))),
        [("DUPLICATE_WORK", "tasks.again")],
    ),
]

LISTS: list[Row] = [
    ("no list", each("find.note"), [("BAD_LIST", "tasks.hold.for_each")]),
    ("an object", each("find"), [("BAD_LIST", "tasks.hold.for_each")]),
    ("an unknown task", each("found.offers"), [("BAD_LIST", "tasks.hold.for_each")]),
    ("what is not in the request", each("request.booking.offers"), [("BAD_LIST", "tasks.hold.for_each")]),
    (
        "a field that items have not",
        each("find.offers", offer_id=Ref("item.id")),
        [("BAD_REFERENCE", "tasks.hold.args.offer_id")],
    ),
    (
        "an item that does not fit",
        each("find.offers", offer_id=Ref("item.price")),
        [("BAD_REFERENCE", "tasks.hold.args.offer_id")],
    ),
    ("a place for a text", each("find.offers", offer_id=Ref("index")), [("BAD_REFERENCE", "tasks.hold.args.offer_id")]),
    (
        "an item without a list",
        proposal(SEARCH, task("hold", "rooms.hold", offer_id=Ref("item.offer_id"))),
        [("BAD_REFERENCE", "tasks.hold.args.offer_id")],
    ),
    (
        "the list read as if it were one",
        proposal(*each("find.offers")["tasks"], task("quote", "quotes.add", totals=Ref("[hold.total]"))),
        [("BAD_REFERENCE", "tasks.quote.args.totals")],
    ),
    ("a task called item", proposal(task("item", "checks.request")), [("BAD_ID", "tasks[0].id")]),
    ("a task called index", proposal(task("index", "checks.request")), [("BAD_ID", "tasks[0].id")]),
    (
        "a list under a condition, needed outside",
        proposal(
            SEARCH,
            task("hold", "rooms.hold", when=DEAR, for_each="find.offers", offer_id=Ref("item.offer_id")),
            task("quote", "quotes.add", totals=Ref("hold[*].total")),
        ),
        [("CONDITIONAL_REQUIRED", "tasks.quote.args.totals")],
    ),
    (
        "a list that may be missing",
        proposal(SEARCH, SEATS, task("hold", "rooms.hold", for_each="seats.offers", offer_id=Ref("item.offer_id"))),
        [("CONDITIONAL_REQUIRED", "tasks.hold.for_each")],
    ),
    (
        "a list that the constraints do not have",
        proposal(
            task("pay", "cards.capture", for_each="request.constraints.list", authorization_id="a", amount=USD_10)
        ),
        [("BAD_LIST", "tasks.pay.for_each")],
    ),
]

ALTERNATIVES: list[Row] = [
    (
        "an unknown task",
        instead(control=control(("instead_of", "held"), ("on_code", "X"))),
        [("UNKNOWN_TASK", "tasks.other.instead_of")],
    ),
    (
        "itself",
        instead(control=control(("instead_of", "other"), ("on_code", "X"))),
        [("BAD_ALTERNATIVE", "tasks.other.instead_of")],
    ),
    (
        "without a code",
        instead(control=control(("instead_of", "hold"))),
        [("BAD_ALTERNATIVE", "tasks.other.instead_of")],
    ),
    (
        "with a sentence for a code",
        instead(control=control(("instead_of", "hold"), ("on_code", "sold out"))),
        [("BAD_ALTERNATIVE", "tasks.other.instead_of")],
    ),
    ("codes of nobody", instead(control=control(("on_code", "X"))), [("BAD_ALTERNATIVE", "tasks.other.on_codes")]),
    (
        "with a condition of its own",
        instead(control=control(("instead_of", "hold"), ("on_code", "X"), ("when", DEAR))),
        [("BAD_ALTERNATIVE", "tasks.other.instead_of")],
    ),
    (
        "for a list",
        proposal(*each("find.offers")["tasks"], OTHER),
        [("BAD_ALTERNATIVE", "tasks.other.instead_of")],
    ),
    (
        "two on one code",
        proposal(SEARCH, HOLD, OTHER, raw(OTHER, id="another", action="rooms.hold")),
        [("BAD_ALTERNATIVE", "tasks.another.on_codes")],
    ),
    (
        "reading what has failed",
        instead(args=[{"name": "offer_id", "kind": "ref", "value": "hold.hold_id"}]),
        [("BAD_ALTERNATIVE", "tasks.other")],
    ),
    (
        "read under its own name",
        proposal(
            SEARCH,
            HOLD,
            OTHER,
            task("late", "rooms.hold", offer_id=Ref("other.hold_id")),
        ),
        [("CONDITIONAL_REQUIRED", "tasks.late.args.offer_id")],
    ),
    (
        "with another output than is read",
        proposal(
            SEARCH,
            HOLD,
            task("other", "cards.authorize", instead_of="hold", on_codes=["SOLD_OUT"], amount=USD_10),
            task("late", "rooms.hold", offer_id=Ref("hold.hold_id")),
        ),
        [("BAD_REFERENCE", "tasks.late.args.offer_id")],
    ),
    (
        "with another output than the result names",
        proposal(
            SEARCH,
            HOLD,
            task("other", "cards.authorize", instead_of="hold", on_codes=["SOLD_OUT"], amount=USD_10),
            result={"id": "hold.hold_id"},
        ),
        [("BAD_RESULT", "result.id")],
    ),
    (
        "the very same again",
        proposal(SEARCH, HOLD, raw(HOLD, id="again", control=control(("instead_of", "hold"), ("on_code", "BUSY")))),
        [("DUPLICATE_WORK", "tasks.again")],
    ),
    (
        "the very same again, written down first",
        proposal(SEARCH, raw(HOLD, id="again", control=control(("instead_of", "hold"), ("on_code", "BUSY"))), HOLD),
        [("DUPLICATE_WORK", "tasks.hold")],
    ),
    (
        "for each other",
        proposal(
            task("one", "trips.search", instead_of="two", on_codes=["X"], city="a"),
            task("two", "trips.search", instead_of="one", on_codes=["X"], city="b"),
        ),
        [("CYCLE", "tasks.one")],
    ),
]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(document, expected, id=name)
        for name, document, expected in SHAPES + CONDITIONS + LISTS + ALTERNATIVES
    ],
)
def test_a_wrong_branch_has_exactly_these_faults(document: Any, expected: list[tuple[str, str]]) -> None:
    """Every mistake is found, at its place, and no mistake is told that is not there."""
    found = codes(document)
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("named", ["SOLD_OUT", "HOLD_EXPIRED"])
def test_a_stand_in_on_a_code_that_may_come_is_sound(named: str) -> None:
    """A code of the action's own is as good as one that the house gives."""
    text = json.dumps(proposal(SEARCH, HOLD, raw(OTHER, control=control(("instead_of", "hold"), ("on_code", named)))))
    assert isinstance(compile_proposal(text, naming("SOLD_OUT"), request()), Adopted)


def test_a_stand_in_on_a_code_that_never_comes_is_a_fault() -> None:
    """Where the catalogue says with what an action fails, another code is named with those that there are."""
    text = json.dumps(proposal(SEARCH, HOLD, OTHER))
    compiled = compile_proposal(text, naming("GONE"), request())
    assert isinstance(compiled, Faulted)
    [fault] = compiled.faults
    assert (fault.code, fault.where) == ("BAD_ALTERNATIVE", "tasks.other.instead_of")
    assert fault.message == "`hold` (rooms.hold) does not fail with 'SOLD_OUT'. There is GONE."


def naming(*named: str) -> Catalogue:
    """The usual catalogue, in which holding a room fails with these codes."""
    hold = TRAVEL.actions[ActionName("rooms.hold")]
    return replace(TRAVEL, actions={**TRAVEL.actions, hold.name: replace(hold, codes=named)})
