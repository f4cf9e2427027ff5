"""The canonical text of JSON, and its digest."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain.documents import canonical_json, digest_of, digest_of_text


def test_one_value_has_one_text() -> None:
    """Order of keys and white space do not matter; other letters are kept as they are."""
    assert canonical_json({"b": [1, True, None], "a": "ã"}) == '{"a":"ã","b":[1,true,null]}'
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1})


def test_digests_never_change() -> None:
    """Digests are in journals: duplicates are told from conflicts by them."""
    assert digest_of({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"
    assert digest_of_text("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_lone_surrogates_have_a_digest() -> None:
    """A text that is no valid Unicode is anybody's to send; it has a digest like any other."""
    assert digest_of_text("\ud800") != digest_of_text("\udc00")
    assert len(digest_of({"text": "\ud800"})) == 64


def test_what_is_no_json_number_is_refused() -> None:
    """NaN has no JSON text."""
    with pytest.raises(ValueError, match=r".+"):
        canonical_json(float("nan"))
