"""Where values come from, and what counts as told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.planning.provenance import Told, is_allowed, origins, sources_of

ACTIONS = {"find": "trips.search", "hold": "rooms.hold", "pay": "cards.authorize"}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("hold.hold_id", ["rooms.hold.hold_id"]),
        ("find.offers[0].price", ["trips.search.offers.price"]),
        ("find.offers[-1:].price | [0]", ["trips.search.offers.price"]),
        ("min_by(find.offers, &to_number(price.amount)).offer_id", ["trips.search.offers.offer_id"]),
        ("find.offers[?stars >= `4`].offer_id | [0]", ["trips.search.offers.offer_id"]),
        ("find.offers[?offer_id == hold.hold_id] | [0].price", ["trips.search.offers.price"]),
        ("sort_by(find.offers, &stars)[0].price.amount", ["trips.search.offers.price.amount"]),
        ("map(&offer_id, find.offers)", ["trips.search.offers.offer_id"]),
        ("[hold.total, pay.amount]", ["cards.authorize.amount", "rooms.hold.total"]),
        ("hold.note || pay.note", ["cards.authorize.note", "rooms.hold.note"]),
        ("not_null(hold.note, 'x')", ["const", "rooms.hold.note"]),
        ("{amount: hold.total.amount, currency: 'USD'}", ["const", "rooms.hold.total.amount"]),
        ("{a: hold.total, b: 'x'}.a.amount", ["rooms.hold.total.amount"]),
        ("join('-', [hold.hold_id, request.booking.n])", ["const", "rooms.hold.hold_id", "user"]),
        ("request.booking.customer_id", ["user"]),
        ("find.*.price", ["trips.search.*.price"]),
        ("values(find.fees)[0].price", ["trips.search.fees.*.price"]),
        ("{x: {y: 'mine'}, z: find.q}.*.y | [0]", ["const", "trips.search.q.y"]),
        ("values({x: {y: 'mine'}, z: find.q})[0].y", ["const", "trips.search.q.y"]),
        ("[{y: find.a.b}, {y: find.c}][1].y", ["trips.search.a.b", "trips.search.c"]),
        ("keys({mine: find.offers})[0]", ["const", "trips.search.offers"]),
        ("keys(merge({mine: find.offers}, hold))[0]", ["const", "rooms.hold", "trips.search.offers"]),
        ("to_string({mine: find.note})", ["const", "trips.search.note"]),
        ("[{mine: find.note}] | to_string(@)", ["const", "trips.search.note"]),
        ("to_string(find.note)", ["trips.search.note"]),
        ("type(find.note)", ["const"]),
        ("find.offers[].legs[].id", ["trips.search.offers.legs.id"]),
        ("nobody.x", ["nobody.x"]),
    ],
)
def test_a_reference_is_traced_to_the_fields_of_its_value(expression: str, expected: list[str]) -> None:
    """Every field that goes into the value is found; what only chooses among values is not."""
    assert sources_of("ref", expression, ACTIONS) == tuple(expected)


@pytest.mark.parametrize("kind", ["user", "const"])
def test_what_is_no_reference_is_its_kind(kind: str) -> None:
    """A constant's source is what the planner said it to be."""
    assert sources_of(kind, "", ACTIONS) == (kind,)


def test_a_part_of_what_is_allowed_is_allowed() -> None:
    """Everything below an allowed output is allowed, and nothing beside it whose name begins alike."""
    assert is_allowed("rooms.hold.total.amount", ["rooms.hold.total"])
    assert not is_allowed("rooms.hold.total_with_tax", ["rooms.hold.total"])
    assert not is_allowed("rooms.hold", ["rooms.hold.total"])


TOLD = Told(
    ["Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama at 18:00, under $3,000 all in. Mail to a.b@c.org."],
    {"customer_id": "c-118", "seats": [8], "deep": {"code": "LIS-22", "vip": True}},
)


@pytest.mark.parametrize(
    "value",
    [
        *(
            2,
            "2",
            8,
            True,
            None,
            "Lisbon",
            "lisbon",
            "boston",
            "Alfama",
            "c-118",
            "LIS-22",
            "a.b@c.org",
            "hotel Alfama",
        ),
        *("2027-05-03", "2027-05-10", "18:00", "3000.00", 3000.0, {"amount": "3000.00", "currency": "USD"}, ""),
        ["Boston", "Lisbon"],
    ],
)
def test_what_was_told_is_found_in_any_usual_form(value: Json) -> None:
    """Numbers as digits, words or with separators, dates by day and month, codes and names in any case."""
    assert TOLD.has(value)


@pytest.mark.parametrize(
    "value",
    [
        *(5, "Porto", "c-11", "c-1", "LIS", "b@c.org", "a.b@c.org.example", "us-a.b@c.org", "Boston Porto"),
        *("2027-05-04", "2027-06-03", "2027-13-03", "07:00", "3000.01", {"amount": "3000.00", "currency": "EUR"}),
        ["Lisbon", "Porto"],
    ],
)
def test_what_was_not_told_is_not_found(value: Json) -> None:
    """A part of a code, a longer address, another day and another currency are something else."""
    assert not TOLD.has(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Am 3. Mai, zwei Personen", "2027-05-03"),
        ("le 3 mai pour deux", 2),
        ("3 de mayo, dos personas", "2027-05-03"),
        ("3/5 please", "2027-05-03"),
        ("tomorrow", "2026-11-24"),
        ("three nights from 3 May", "2027-05-06"),
        ("on the 3rd of May", "2027-05-03"),
        ("1.234,50 EUR", {"amount": "1234.50", "currency": "EUR"}),
        ("at 6 in the evening", "18:00"),
    ],
)
def test_other_tongues_and_relative_words(text: str, value: Json) -> None:
    """Months and small numbers in six languages, ordinals, continental amounts, and days told by others."""
    assert Told([text]).has(value)


@given(
    st.text(max_size=40), st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5)
)
def test_nothing_is_too_strange_to_be_asked_for(text: str, value: Json) -> None:
    """Whatever was told and whatever is asked for, the answer is yes or no; a text tells itself."""
    assert Told([text]).has(value) in {True, False}
    assert Told([text]).has(text)


@given(st.lists(st.sampled_from(["find", ".offers", "[0]", "[*]", ".price", " | [0]", "[?a=='b']", ".{a: x, b: y}"])))
def test_every_reference_that_parses_has_origins(parts: list[str]) -> None:
    """Tracing follows whatever can be parsed, and every origin begins at a root."""
    expression = "find" + "".join(parts)
    try:
        found = origins(expression)
    except ValueError:
        return
    assert all(
        origin.root in {"find", "", *(part for part in parts)} or origin.root.startswith("find") for origin in found
    )
