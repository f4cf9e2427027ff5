"""JSON objects that are kept as their text."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.domain.documents import JsonObject, Packed, packed

EXACT = st.none() | st.booleans() | st.integers() | st.text()
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def values_of(leaves: st.SearchStrategy[object]) -> st.SearchStrategy[JsonObject]:
    """Objects with such leaves."""
    return st.dictionaries(
        st.text(),
        st.recursive(
            leaves,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=4,
    )


@given(values_of(EXACT | NUMBERS))
def test_what_was_packed_is_found_again(value: JsonObject) -> None:
    """An object that was packed is equal to what is opened of it, and to the packed one; its text is plain JSON."""
    kept = packed(value)
    assert kept.opened() == value
    assert kept == value
    assert kept == packed(value)
    assert json.loads(kept.text) == value
    assert kept.text == msgspec.json.format(kept.text, indent=-1), "no space is wasted"


@given(values_of(EXACT))
def test_its_text_is_the_shortest_there_is(value: JsonObject) -> None:
    """But for numbers with a point, which have several short forms, the text is the standard library's, to the byte."""
    assert packed(value).text == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def test_who_looks_gets_an_object_of_their_own() -> None:
    """What one reader does to an opened object, no other one sees."""
    kept = packed({"offers": [1]})
    kept.opened()["offers"].append(2)
    assert kept.opened() == {"offers": [1]}


def test_two_texts_of_one_object_are_equal() -> None:
    """Order and spelling do not count, another value does."""
    assert Packed(b'{"a":1.0,"b":"\\u00e9"}') == Packed('{"b":"é","a":1}'.encode())
    assert Packed(b'{"a":1}') != Packed(b'{"a":2}')
    assert Packed(b'{"a":1}') != {"a": 2}
    assert Packed(b"{}") != ()


def test_lone_surrogates_are_kept() -> None:
    """Text that is no text in UTF-8 comes back as it was, and the packed text is UTF-8 all the same."""
    kept = packed({"note": "a\ud800b"})
    assert kept.opened() == {"note": "a\ud800b"}
    assert kept.text.isascii()


def test_numbers_that_json_does_not_know_are_null() -> None:
    """A number without end, or none at all, is null, wherever it stands; the rest stays."""
    kept = packed({"a": [math.inf, 1.5], "b": {"c": math.nan}, "d": (1, "x")})
    assert kept == {"a": [None, 1.5], "b": {"c": None}, "d": [1, "x"]}


def test_a_value_that_is_no_json_is_refused() -> None:
    """What JSON cannot say is an error of whoever packs it."""
    with pytest.raises(TypeError):
        packed({"a": object()})


@pytest.mark.parametrize("text", [b'{"expires_at":"x"}', b'{"expires\\u005fat":"x"}', b'{"a":{"expires_at":1}}'])
def test_a_name_that_is_said_may_be_said(text: bytes) -> None:
    """A name that is in the object is never ruled out, however it is spelt."""
    assert Packed(text).may_say("expires_at")


def test_a_name_that_is_not_said_is_ruled_out() -> None:
    """Where a name cannot occur, nobody need look."""
    assert not Packed(b'{"hold_id":"h"}').may_say("expires_at")
