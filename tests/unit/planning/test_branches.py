"""Conditions, lists and alternatives in proposals: what is compiled, and what is read of whom."""

from __future__ import annotations

from typing import Final

import pytest

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.planning import Adopted, Faulted, compile_proposal
from jada_orchestrator.planning.conditions import are_opposite, demands, exclusive
from jada_orchestrator.planning.presence import Presence, presence
from jada_orchestrator.testing.catalogues import Ref, action, as_text, proposal, record, request, task, travel_catalogue
from jada_orchestrator.testing.catalogues import catalogue as catalogue_of

CATALOGUE: Final = travel_catalogue()
PRICE: Final = {"amount": "40.00", "currency": "USD"}


def plan_of(document: JsonObject, **bounds: str) -> Plan:
    """The plan of a proposal that must have no fault."""
    compiled = compile_proposal(as_text(document), CATALOGUE, request(booking={"n": 2, "cities": ["a", "b"]}, **bounds))
    assert isinstance(compiled, Adopted), compiled
    return compiled.plan


def tasks_of(document: JsonObject) -> dict[str, PlannedTask]:
    """The tasks of a plan by id."""
    return {one.id: one for one in plan_of(document).tasks}


def faults_of(document: JsonObject, **bounds: str) -> list[tuple[str, str]]:
    """Codes and places of all faults; empty for a plan."""
    compiled = compile_proposal(as_text(document), CATALOGUE, request(booking={"n": 2, "cities": ["a", "b"]}, **bounds))
    return [(fault.code, fault.where) for fault in compiled.faults] if isinstance(compiled, Faulted) else []


SEARCH: Final = task("find", "trips.search", city="Lisbon")
HOLD: Final = task("hold", "rooms.hold", offer_id=Ref("find.offers[0].offer_id"))
DEAR: Final = "to_number(find.offers[0].price.amount) > `100`"


# --- Conditions -------------------------------------------------------------------------------------------------------


def test_a_condition_waits_for_what_it_looks_at_and_needs_nothing_of_it() -> None:
    """What it looks at comes before; nobody is skipped because of it."""
    found = tasks_of(proposal(SEARCH, task("more", "trips.search", when=DEAR, city="Porto")))["more"]
    assert (found.after, found.needs, found.reads, found.when) == (("find",), (), (), DEAR)


def test_a_condition_is_read_with_ids_in_lower_case() -> None:
    """Harmless slips are mended in conditions and lists as in any reference."""
    found = tasks_of(proposal(SEARCH, task("more", "trips.search", when="Find.offers == `[]`", city="Porto")))["more"]
    assert found.when == "find.offers == `[]`"


def test_what_belongs_to_a_branch_carries_its_condition() -> None:
    """Then it needs what it reads there, like anything."""
    branch = task("hold", "rooms.hold", when=DEAR, offer_id=Ref("more.offers[0].offer_id"))
    found = tasks_of(proposal(SEARCH, task("more", "trips.search", when=DEAR, city="Porto"), branch))["hold"]
    assert (found.needs, found.after) == (("more",), ("find", "more"))


def test_a_stronger_condition_belongs_to_a_branch_too() -> None:
    """Who demands more than the branch does is only called when the branch is."""
    more = task("more", "trips.search", when=DEAR, city="Porto")
    hold = task(
        "hold", "rooms.hold", when=f"{DEAR} && request.booking.n > `1`", offer_id=Ref("more.offers[0].offer_id")
    )
    assert faults_of(proposal(SEARCH, more, hold)) == []


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        ("not_null(more.offers[0].offer_id, find.offers[0].offer_id)", True),
        ("more.offers[0].offer_id || find.offers[0].offer_id", True),
        ("[more.offers[0].offer_id, find.offers[0].offer_id][?@] | [0]", True),
        ("more.offers[0].offer_id", False),
        ("find.offers[0].offer_id && more.offers[0].offer_id", False),
        ("join('', [more.offers[0].offer_id, find.offers[0].offer_id])", False),
    ],
)
def test_what_is_outside_of_a_branch_says_what_else_to_take(reference: str, wanted: bool) -> None:
    """A reference that may come to nothing is no source of a required field."""
    more = task("more", "trips.search", when=DEAR, city="Porto")
    document = proposal(SEARCH, more, task("hold", "rooms.hold", offer_id=Ref(reference)))
    assert faults_of(document) == ([] if wanted else [("CONDITIONAL_REQUIRED", "tasks.hold.args.offer_id")])
    if wanted:
        hold = tasks_of(document)["hold"]
        assert ("more" in hold.reads, "more" in hold.needs) == (True, False)


def test_a_field_that_need_not_be_given_may_be_missing() -> None:
    """It is left out when what it is read from was not called."""
    more = task("more", "trips.search", when=DEAR, city="Porto")
    late = task("late", "trips.search", city="Lisbon", day=Ref("more.offers[0].day"))
    found = tasks_of(proposal(SEARCH, more, late))["late"]
    assert (found.reads, found.needs) == (("more",), ())


def test_of_opposite_branches_one_is_always_there() -> None:
    """`if` and `else` may be joined without a third."""
    document = proposal(
        SEARCH,
        task("yes", "trips.search", when="find.note == `null`", city="a"),
        task("no", "trips.search", when="!(find.note == `null`)", city="b"),
        task("hold", "rooms.hold", offer_id=Ref("not_null(yes.offers[0].offer_id, no.offers[0].offer_id)")),
    )
    assert faults_of(document) == []


def test_what_is_optional_takes_either_branch_too() -> None:
    """It is left out with what it reads, but not where its reference names what else to take."""
    document = proposal(
        SEARCH,
        task("yes", "trips.search", when="find.note == `null`", city="a"),
        task("no", "trips.search", when="!(find.note == `null`)", city="b"),
        task("one", "trips.search", optional=True, city=Ref("yes.offers[0].offer_id")),
        task("both", "trips.search", optional=True, city=Ref("not_null(yes.offers, no.offers) | [0].offer_id")),
    )
    found = tasks_of(document)
    assert (found["one"].needs, found["one"].reads) == (("yes",), ())
    assert (found["both"].needs, found["both"].reads) == ((), ("yes", "no"))


def test_a_condition_may_ask_whether_a_list_is_empty_and_what_numbers_hold() -> None:
    """Only texts that an agent is free to choose decide nothing."""
    for condition in ("find.offers == `[]`", "contains(find.offers[*].stars, `5`)", "[find.offers[0].stars] == [`5`]"):
        assert faults_of(proposal(SEARCH, task("more", "trips.search", when=condition, city="Porto"))) == [], condition


def test_what_excludes_each_other_need_not_be_in_order_nor_differ() -> None:
    """Between two branches of which one is called there is no order, and the same action is not done twice."""
    document = proposal(
        SEARCH,
        task("dear", "mail.send", when=DEAR, after=["find"], text="x"),
        task("cheap", "mail.send", when=f"!({DEAR})", after=["find"], text="x"),
    )
    assert faults_of(document) == []


def test_of_branches_that_exclude_each_other_the_dearer_one_counts() -> None:
    """The most that a plan can commit is the maximum over what can be, where that can be shown, else the sum."""

    def paid(first: str, second: str) -> JsonObject:
        return proposal(
            SEARCH,
            task("one", "cards.capture", when=first, after=["find"], authorization_id="a", amount=PRICE),
            task("two", "cards.capture", when=second, after=["find"], authorization_id="b", amount=PRICE),
        )

    assert faults_of(paid(DEAR, f"!({DEAR})"), max_total="50.00 USD") == []
    assert faults_of(paid(DEAR, "find.offers == `[]`"), max_total="50.00 USD") == [("OVER_BUDGET", "tasks")]


def test_a_stand_in_and_its_primary_count_once() -> None:
    """Only one of them commits in the end."""
    document = proposal(
        task("one", "cards.capture", authorization_id="a", amount=PRICE),
        task("two", "cards.capture", instead_of="one", on_codes=["DECLINED"], authorization_id="b", amount=PRICE),
    )
    assert faults_of(document, max_total="50.00 USD") == []


@pytest.mark.parametrize(
    ("one", "other", "never_both", "always_one"),
    [
        ("a.b", "!(a.b)", True, True),
        ("a.b == `1`", "a.b != `1`", True, True),
        ("a.b > `1`", "a.b <= `1`", True, False),
        ("a.b > `1`", "!(a.b > `1`)", True, True),
        ("a.b > `1` && c.d", "!(c.d)", True, False),
        ("a.b", "c.d", False, False),
        ("a.b > `1`", "a.b > `2`", False, False),
        ("", "a.b", False, False),
    ],
)
def test_conditions_are_compared_without_running_anything(
    one: str, other: str, never_both: bool, always_one: bool
) -> None:
    """What certainly excludes what, and of which two one certainly holds; where nobody can know, neither."""
    first, second = demands(one), demands(other)
    assert exclusive(first, second) is exclusive(second, first) is never_both
    assert are_opposite(first, second) is are_opposite(second, first) is always_one


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("a.b", Presence.ABSENT),
        ("b.c", Presence.WHOLE),
        ("a.b[0].c", Presence.ABSENT),
        ("a.b[*].c", Presence.ABSENT),
        ("[a.x, b.x]", Presence.HOLED),
        ("[a.x, b.x][?@]", Presence.WHOLE),
        ("[a.x, b.x][]", Presence.WHOLE),
        ("{x: a.x}", Presence.HOLED),
        ("a.x || b.x", Presence.WHOLE),
        ("b.x || a.x", Presence.WHOLE),
        ("a.x && b.x", Presence.ABSENT),
        ("not_null(a.x, b.x)", Presence.WHOLE),
        ("not_null(a.x)", Presence.ABSENT),
        ("not_null([a.x], b.y)", Presence.HOLED),
        ("not_null(b.y, [a.x])", Presence.WHOLE),
        ("length(a.x)", Presence.BROKEN),
        ("sum([a.x, b.x])", Presence.BROKEN),
        ("a.x == `1`", Presence.WHOLE),
        ("!(a.x)", Presence.WHOLE),
        ("a.x | [0]", Presence.ABSENT),
        ("type(a.x)", Presence.WHOLE),
    ],
)
def test_what_is_left_of_a_reference_when_a_task_was_not_called(reference: str, expected: Presence) -> None:
    """Null goes through fields, is left out of projections, and breaks functions."""
    assert presence(reference, frozenset({"a"})) is expected


# --- Lists ------------------------------------------------------------------------------------------------------------


def test_a_list_is_read_as_the_list_of_the_outputs() -> None:
    """Its readers see an array of what its action yields; its own references see an item and its place."""
    document = proposal(
        SEARCH,
        task("hold", "rooms.hold", for_each="find.offers", offer_id=Ref("item.offer_id"), guests=Ref("index")),
        task("quote", "quotes.add", totals=Ref("hold[*].total")),
        task("book", "rooms.book", for_each="hold", hold_id=Ref("item.hold_id"), authorization_id="x", after=["quote"]),
        result={"ids": "book[*].booking_id"},
    )
    found = tasks_of(document)
    assert (found["hold"].for_each, found["hold"].needs) == ("find.offers", ("find",))
    assert found["book"].needs == ("hold",)


def test_a_list_names_what_else_to_take() -> None:
    """It is not skipped with a branch that it can do without."""
    more = task("more", "trips.search", when=DEAR, city="Porto")
    hold = task("hold", "rooms.hold", for_each="not_null(more.offers, find.offers)", offer_id=Ref("item.offer_id"))
    found = tasks_of(proposal(SEARCH, more, hold))["hold"]
    assert (found.needs, found.reads) == (("find",), ("more",))


def test_a_list_of_the_request_has_a_known_length() -> None:
    """What it commits is known beforehand: so many times as much."""
    document = proposal(
        task("pay", "cards.capture", for_each="request.booking.cities", authorization_id=Ref("item"), amount=PRICE)
    )
    assert faults_of(document, max_total="80.00 USD") == []
    assert faults_of(document, max_total="79.00 USD") == [("OVER_BUDGET", "tasks")]


def test_an_item_comes_from_where_its_list_comes_from() -> None:
    """A field with named sources takes items only of lists that come from them."""
    pay = action("cards.pay", "commit", input=record({"to": {"type": "string"}}), irreversible=True)
    payees = action("payees.list", output=record({"ids": {"type": "array", "items": {"type": "string"}}}))
    chosen = {"to": ("payees.list.ids",)}
    catalogue = catalogue_of(
        payees,
        action("others.list", output=payees.output_schema),
        action("cards.pay", "commit", input=pay.input_schema, irreversible=True, sources=chosen),
    )

    def paid(action_name: str) -> list[str]:
        document = proposal(
            task("find", action_name), task("pay", "cards.pay", for_each="find.ids", to=Ref("item"), after=["find"])
        )
        compiled = compile_proposal(as_text(document), catalogue, request())
        return [fault.code for fault in compiled.faults] if isinstance(compiled, Faulted) else []

    assert paid("payees.list") == []
    assert paid("others.list") == ["FORBIDDEN_SOURCE"]


# --- Alternatives -----------------------------------------------------------------------------------------------------


def test_whoever_waits_for_a_task_waits_for_its_stand_ins() -> None:
    """By data and by order alike; and it needs the name, behind which either may be."""
    document = proposal(
        SEARCH,
        HOLD,
        task("other", "seats.hold", instead_of="hold", on_codes=["SOLD_OUT"], offer_id=Ref("find.offers[0].offer_id")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id="x"),
        task("mail", "mail.send", text="x", after=["book"]),
    )
    found = tasks_of(document)
    assert (found["other"].after, found["other"].needs) == (("find", "hold"), ("find",))
    assert (found["book"].needs, found["book"].reads) == (("hold",), ("other",))
    assert set(found["book"].after) == {"hold", "other"}


def test_a_stand_in_is_as_optional_as_its_primary() -> None:
    """A booking is still what was asked for without one exactly when it is without the other."""
    first = task("first", "trips.search", city="a", optional=True)
    plan = plan_of(proposal(first, task("second", "trips.search", instead_of="first", on_codes=["AWAY"], city="b")))
    assert [one.optional for one in plan.tasks] == [True, True]
    assert any("stands in for" in note for note in plan.notes)


def test_a_plan_without_any_of_it_is_as_it_was() -> None:
    """Neutral fields, missing fields and no fields at all are the same."""
    with_it = plan_of(proposal(SEARCH, HOLD))
    bare = [{key: value for key, value in each.items() if key != "control"} for each in (SEARCH, HOLD)]
    assert plan_of(proposal(*bare)) == with_it
    assert plan_of(proposal(*({**each, "when": "", "for_each": "", "on_codes": []} for each in bare))) == with_it


def test_what_a_person_writes_stands_in_the_task_itself() -> None:
    """Both ways to write it are the same plan."""
    model = task("more", "trips.search", when=DEAR, city="Porto")
    person = {**task("more", "trips.search", city="Porto"), "when": DEAR}
    assert plan_of(proposal(SEARCH, model)) == plan_of(proposal(SEARCH, person))
