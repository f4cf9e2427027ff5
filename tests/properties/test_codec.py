"""The codec of records, for every record that there can be."""

from __future__ import annotations

import types
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, NewType, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.adapters.journal.codec import KINDS, Encoded, RecordCodec
from jada_orchestrator.domain.documents import Packed, canonical_json, packed
from jada_orchestrator.domain.records import Record
from jada_orchestrator.ports.journal import JournalCorruptError, JournalVersionError
from tests.golden.samples import fields_of

TEXTS: Final = st.text(max_size=20) | st.text(st.characters(), max_size=5)
"""The second kind has lone surrogates too."""
INTEGERS: Final = st.integers(-(2**70), 2**70)
JSON: Final = st.recursive(
    st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PLAIN: Final[dict[Any, st.SearchStrategy[Any]]] = {
    Any: JSON,
    bool: st.booleans(),
    int: INTEGERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    str: TEXTS,
    Decimal: st.decimals(-(10**15), 10**15, places=4),
    Packed: st.dictionaries(TEXTS, JSON, max_size=3).map(packed),
    types.NoneType: st.none(),
}


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    """Every value of a type that records use."""
    if isinstance(hint, NewType):
        return values_of(hint.__supertype__)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, types.UnionType}:
        return st.one_of(*map(values_of, arguments))
    if origin is tuple:
        return st.lists(values_of(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(values_of(arguments[0]), values_of(arguments[1]), max_size=2)
    if (names := fields_of(hint)) is not None:
        hints = get_type_hints(hint)
        return st.builds(hint, **{name: values_of(hints[name]) for name in names})
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return PLAIN[hint]


RECORDS: Final = {kind: st.deferred(lambda cls=cls: values_of(cls)) for kind, cls in KINDS.items()}  # type: ignore[misc]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_what_is_stored_comes_back(kind: str, data: st.DataObject) -> None:
    """Every record decodes to an equal one, of the same kind, from one line of UTF-8 without line breaks."""
    record: Record = data.draw(RECORDS[kind])
    codec = RecordCodec()
    encoded = codec.encode(record)
    assert encoded.kind == kind
    assert b"\n" not in encoded.payload
    assert codec.decode(kind, encoded.version, encoded.payload) == record
    assert codec.decode(kind, encoded.version, encoded.payload.decode()) == record


@given(JSON)
def test_json_comes_back_type_for_type(value: Any) -> None:
    """JSON inside a record keeps its types: 1 does not become 1.0, nor True 1."""
    codec = RecordCodec()
    encoded = codec.encode(KINDS["workflow_ended"](status="completed", failure=None, result=value))
    decoded: Any = codec.decode(encoded.kind, encoded.version, encoded.payload)
    assert canonical_json(decoded.result) == canonical_json(value)


@given(kind=st.sampled_from(sorted(KINDS)) | TEXTS, version=st.integers(-1, 3), payload=st.binary(max_size=40) | TEXTS)
def test_damage_is_named(kind: str, version: int, payload: bytes | str) -> None:
    """Whatever is in the store, decoding gives a record, or says that it is damaged or newer; nothing else."""
    try:
        record = RecordCodec().decode(kind, version, payload)
    except (JournalCorruptError, JournalVersionError):
        return
    assert isinstance(record, KINDS[kind])


def test_every_record_has_one_kind() -> None:
    """Every class of the union is registered under exactly one name."""
    assert sorted(map(repr, KINDS.values())) == sorted(map(repr, get_args(Record)))


@pytest.mark.parametrize(("kind", "version"), [("a_kind_of_next_year", 1), ("call_due", 2), ("call_due", 0)])
def test_a_newer_record_is_refused(kind: str, version: int) -> None:
    """An unknown kind or version asks for the newer program, whatever the payload is."""
    with pytest.raises(JournalVersionError, match="newer version"):
        RecordCodec().decode(kind, version, b"not json")


def test_an_older_version_is_brought_up() -> None:
    """A record of an older version goes through every upcaster in turn."""
    codec = RecordCodec(
        versions={"call_due": 3},
        upcasters={
            ("call_due", 1): lambda old: {"task": old["id"], "side": "do"},
            ("call_due", 2): lambda old: {"task_id": old["task"], "side": old["side"]},
        },
    )
    due = KINDS["call_due"](task_id="hold", side="do")
    assert codec.decode("call_due", 1, b'{"id": "hold"}') == due
    assert codec.decode("call_due", 2, b'{"task": "hold", "side": "do"}') == due
    assert codec.encode(due) == Encoded("call_due", 3, b'{"task_id":"hold","side":"do"}')


def test_what_json_cannot_say_is_refused() -> None:
    """A record that holds no JSON is refused before anything is written."""
    endless: list[Any] = []
    endless.append(endless)
    for value in ({"a": object()}, endless):
        with pytest.raises(JournalCorruptError, match="workflow_ended"):
            RecordCodec().encode(KINDS["workflow_ended"](status="completed", failure=None, result=value))
