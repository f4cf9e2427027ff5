"""JSON from strangers: what is read the short way is what the long way reads, without a flaw."""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.wire.strict_json import INTEGER_MAX, read_json, read_with_hooks, vouched_for

_TEXTS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=4) | st.sampled_from([":", 'a":', "\\", "é"])
_JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(INTEGER_MAX - 1, INTEGER_MAX + 2)
    | st.floats(allow_nan=False)
    | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS, inner, max_size=3),
    max_leaves=8,
)


def _written(value: Any, random: Random) -> str:
    """Write a value as some stranger would: with space or without, escaped or not, a name now and then twice."""
    if isinstance(value, dict):
        pairs = list(value.items())
        if pairs and random.random() < 0.2:
            pairs.append(random.choice(pairs))
        space = random.choice(["", "", " ", "\n"])
        within = (
            f"{json.dumps(name, ensure_ascii=False)}{space}:{space}{_written(each, random)}" for name, each in pairs
        )
        return "{" + ",".join(within) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(each, random) for each in value) + "]"
    return json.dumps(value, ensure_ascii=random.random() < 0.1)


@given(st.dictionaries(_TEXTS, _JSON, max_size=3), st.randoms(use_true_random=False))
def test_both_ways_read_alike(value: dict[str, Any], random: Random) -> None:
    """Whatever an object holds and however it is written: values, their types and faults do not depend on the way."""
    text = _written(value, random)
    assert repr(read_json(text)) == repr(read_with_hooks(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":":"}',
        '{"a" :1,"a":":"}',
        '{"a":{"b":1,"b":1}}',
        '{"a":"::","a":1,"b":"\\u003a"}',
        '{"a":9223372036854775808}',
        '{"a":[-9223372036854775808]}',
        '{"a":1e999}',
        '{"a":NaN}',
        '{"a":' * 65 + "1" + "}" * 65,
        '{"a":"\ud800"}',
    ],
)
def test_a_flaw_is_found_whichever_way_it_tries_to_go(text: str) -> None:
    """Names that stand twice, also beside colons within texts; numbers that do not fit; nesting; half a character."""
    found = read_json(text)
    assert found.faults
    assert repr(found) == repr(read_with_hooks(text))


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"b":{"c":[1.5,null,true,{"d":-0}]}}',
        '{"at":"2026-05-03T10:00:00Z","a:b":["::", {"x": ":"}], "url": "https://a.example/"}',
        '{"a":9223372036854775807,"é":"\\n\\"\\\\"}',
        '{"a":' * 64 + "1" + "}" * 64,
        "{}",
    ],
)
def test_what_has_no_flaw_goes_the_short_way(text: str) -> None:
    """Ordinary answers, with instants and addresses in them, need no hooks of Python's reader."""
    assert vouched_for(text) == json.loads(text)
