"""Schema checks: the same verdict as the library, and every fault by its path."""

from __future__ import annotations

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.agent import AgentSetupError, JsonObject
from jada_orchestrator.agent.checks import Checker

TRIP: JsonObject = {
    "type": "object",
    "required": ["legs", "when"],
    "properties": {
        "legs": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "required": ["to"], "properties": {"to": {"$ref": "#/$defs/airport"}}},
        },
        "when": {"type": "string", "format": "date-time"},
        "class": {"enum": ["economy", "business"]},
        "never": False,
        "note": True,
    },
    "additionalProperties": False,
    "$defs": {"airport": {"type": "string", "pattern": "^[A-Z]{3}$"}},
}


def test_a_fitting_value_has_no_faults() -> None:
    """Nothing is said about a value that fits."""
    trip = {"legs": [{"to": "LIS"}], "when": "2027-05-03T10:00:00Z", "class": "economy", "note": 1}
    assert Checker(TRIP).faults(trip) == ()


def test_every_fault_has_its_path() -> None:
    """Faults deep inside are named beside those at the top, each once."""
    trip = {"legs": [{"to": "lis"}, {}, 3], "class": "first", "never": 1, "extra": 2}
    faults = Checker(TRIP).faults(trip)
    assert [fault.split(":")[0] for fault in faults] == [
        "when", "legs[0].to", "legs[1].to", "legs[2]", "class", "never", "extra",
    ]  # fmt: skip


def test_keywords_that_need_the_whole_object_still_count() -> None:
    """A fault that belongs to no single field is named as the library names it."""
    schema: JsonObject = {
        "type": "object",
        "properties": {"a": {}},
        "additionalProperties": {"type": "string"},
        "maxProperties": 2,
    }
    assert Checker(schema).faults({"a": 1, "b": "x"}) == ()
    assert len(Checker(schema).faults({"a": 1, "b": 2})) == 1
    assert len(Checker(schema).faults({"a": 1, "b": "x", "c": "y"})) == 1
    assert Checker({"anyOf": [{"required": ["a"]}, {"required": ["b"]}]}).faults({}) != ()


def test_many_faults_are_cut_off() -> None:
    """A hopeless value does not make an endless message."""
    faults = Checker({"type": "array", "items": {"type": "string"}}).faults(list(range(1000)))
    assert len(faults) == 51
    assert faults[-1] == "and more"


def test_defaults_are_not_filled_in() -> None:
    """The agent sees the input as it was journalled."""
    value: JsonObject = {}
    assert Checker({"type": "object", "properties": {"a": {"default": 1}}}).faults(value) == ()
    assert value == {}


def test_a_wrong_schema_is_the_authors_mistake() -> None:
    """A schema that is none is named as such."""
    with pytest.raises(AgentSetupError, match="schema"):
        Checker({"type": "objekt"}).faults({})


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=3)
    | st.sampled_from(["LIS", "economy", "2027-05-03T10:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["legs", "to", "when", "class", "never", "note", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)
library = fastjsonschema.compile(TRIP, use_default=False)


@given(json_values)
def test_the_verdict_is_the_librarys(value: object) -> None:
    """Taking the schema apart never changes whether a value fits."""
    try:
        library(value)
        fits = True
    except fastjsonschema.JsonSchemaValueException:
        fits = False
    assert (Checker(TRIP).faults(value) == ()) == fits
