"""Templates: what a plan that completed teaches, what it is good for, and what never gets into one."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.template import Template
from jada_orchestrator.planning import Adopted, compile_proposal, fitting, resolve_input, template_of
from jada_orchestrator.testing.catalogues import Ref, as_text, proposal, request, task, travel_catalogue

CATALOGUE: Final = travel_catalogue()
NOW: Final = UtcMs(1_800_000_000_000)
BOOKING: Final[JsonObject] = {"city": "Lisbon", "guests": 2, "stay": {"day": "2027-05-03"}, "kind": "room"}


def told(booking: JsonObject | None, **more: Any) -> BookingRequest:
    """A request of a frontend that writes no text."""
    return request("", booking=booking, **more)


def stay(**search: Any) -> JsonObject:
    """Search and hold, as a model plans it for `BOOKING`."""
    args = {"city": "Lisbon", "guests": 2, "day": "2027-05-03", **search}
    given_ = {name: value for name, value in args.items() if value is not None}
    return proposal(
        task("rooms_in_lisbon", "trips.search", **given_),
        task("hold_lisbon", "rooms.hold", offer_id=Ref("rooms_in_lisbon.offers[0].offer_id"), guests=2),
        result={"hold_id": "hold_lisbon.hold_id", "lisbon": "hold_lisbon.total"},
    )


def plan_of(plan: JsonObject, asked: BookingRequest) -> Plan:
    """The plan that a proposal compiles to."""
    compiled = compile_proposal(as_text(plan), CATALOGUE, asked)
    assert isinstance(compiled, Adopted), compiled
    return compiled.plan


def learnt(plan: JsonObject, asked: BookingRequest) -> Template | None:
    """What the plan teaches once it completed."""
    return template_of(plan_of(plan, asked), asked, CATALOGUE, NOW)


def test_a_template_is_the_same_plan_for_another_request() -> None:
    """What the first request gave is read from the next one, and nothing else has changed."""
    template = learnt(stay(), told(BOOKING))
    assert template is not None
    other = told({"city": "Porto", "guests": 3, "stay": {"day": "2027-06-09"}, "kind": "room"}, request_id="web-2")
    found = fitting([template], other, CATALOGUE)
    assert found == template
    plan = plan_of(json.loads(found.proposal), other)
    assert [task.action for task in plan.tasks] == ["trips.search", "rooms.hold"]
    search, hold = plan.tasks
    assert resolve_input(search, {}, other) == {"city": "Porto", "guests": 3, "day": "2027-06-09"}
    assert hold.needs == (search.id,)
    assert plan.result["hold_id"].expression == f"{hold.id}.hold_id"


@pytest.mark.parametrize(
    "booking",
    [
        pytest.param({**BOOKING, "kind": "seat"}, id="a field that the plan does not read is another"),
        pytest.param({**BOOKING, "breakfast": True}, id="a field more"),
        pytest.param({name: value for name, value in BOOKING.items() if name != "guests"}, id="a field less"),
        pytest.param({**BOOKING, "guests": "two"}, id="a field of another kind"),
        pytest.param({**BOOKING, "stay": {"day": "in May"}}, id="no date where a date was"),
        pytest.param({**BOOKING, "guests": 12}, id="it does not compile: more guests than the catalogue allows"),
    ],
)
def test_a_template_is_for_its_own_shape_only(booking: JsonObject) -> None:
    """Whatever may have decided what was planned must be the same, and what is planned must compile."""
    template = learnt(stay(), told(BOOKING))
    assert template is not None
    assert fitting([template], told(booking), CATALOGUE) is None


def test_a_text_is_for_a_model() -> None:
    """Nobody here understands a text: no template is learnt from a request with one, and none is used for one."""
    template = learnt(stay(), told(BOOKING))
    assert template is not None
    with_text = replace(told(BOOKING), text="A room in Lisbon, and mind the stairs.")
    assert fitting([template], with_text, CATALOGUE) is None
    assert learnt(stay(), with_text) is None


def test_another_catalogue_is_another_world() -> None:
    """A template belongs to the catalogue version that it was compiled with."""
    template = learnt(stay(), told(BOOKING))
    assert template is not None
    later = replace(CATALOGUE, version=CatalogueVersion("ffffffffffffffff"))
    assert fitting([template], told(BOOKING), later) is None


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(stay(city="Faro"), id="a value that the request does not give"),
        pytest.param(stay(city=Ref("request.booking.city || 'Lisbon'")), id="a value beside a path"),
        pytest.param(
            proposal(task("a", "trips.search", city="Lisbon", when="request.booking.guests > `1`")), id="a condition"
        ),
    ],
)
def test_what_was_worked_out_has_no_template(plan: JsonObject) -> None:
    """A value that neither the request's fields nor the catalogue gives makes a plan unusable as a template."""
    assert learnt(plan, told(BOOKING)) is None


def test_what_the_house_does_itself_has_a_template_where_its_values_do() -> None:
    """A plan that waits is no accident: how long it waits must come from the request, like any value."""
    wait = task("pause", "jada.wait", seconds=Ref("request.booking.pause"))
    template = learnt(proposal(task("a", "trips.search", city="Lisbon"), wait), told({"city": "Lisbon", "pause": 60}))
    assert template is not None
    assert "jada_wait_1" in template.proposal
    fixed = task("pause", "jada.wait", seconds=61)
    assert learnt(proposal(task("a", "trips.search", city="Lisbon"), fixed), told({"city": "Lisbon"})) is None


@pytest.mark.parametrize("name", ["4111111111111111", "a.b", "x@y.org", "[0]"])
def test_a_field_whose_name_may_be_a_value_is_in_no_template(name: str) -> None:
    """Names are kept for good: a card's number may be one."""
    assert learnt(stay(), told({**BOOKING, "more": {name: "x"}})) is None
    assert learnt(stay(), told({**BOOKING, "more": [{name: "x"}]})) is None


def test_two_places_are_no_place() -> None:
    """Where a value occurs twice under other names, nobody knows which of them was meant."""
    booking = {"from": "Lisbon", "to": "Lisbon", "guests": 2, "stay": {"day": "2027-05-03"}}
    assert learnt(stay(), told(booking)) is None
    named = {**booking, "city": "Lisbon"}
    template = learnt(stay(), told(named))
    assert template is not None
    assert "request.booking.city" in template.proposal


def test_what_the_catalogue_lists_may_stay() -> None:
    """A constant of the catalogue's own short list is nobody's value; where the request gives it, it is read there."""
    template = learnt(stay(cabin="economy", flexible=True), told(BOOKING))
    assert template is not None
    assert '"economy"' in template.proposal
    given_ = learnt(stay(cabin="business"), told({**BOOKING, "cabin": "business"}))
    assert given_ is not None
    assert '"business"' not in given_.proposal


def test_a_pinned_template_comes_first() -> None:
    """Of several for one request, the operator's choice is used, and then the newest."""
    older = learnt(stay(), told(BOOKING))
    assert older is not None
    newer = learnt(stay(cabin="economy"), told(BOOKING))
    assert newer is not None
    assert older.key == newer.key, "the shape and what is read are the same: the newer one replaces it in the store"
    newer = replace(newer, learnt_at=UtcMs(NOW + 1))
    assert fitting([older, newer], told(BOOKING), CATALOGUE) == newer
    assert fitting([replace(older, pinned=True), newer], told(BOOKING), CATALOGUE) == replace(older, pinned=True)


_WORD: Final = st.text("bcdfghjkmpqvwxz", min_size=6, max_size=12)


@given(
    city=_WORD, id_of_task=_WORD, name=_WORD, kind=_WORD, guests=st.integers(1, 9), extra=st.dictionaries(_WORD, _WORD)
)
def test_no_value_of_a_request_is_ever_in_a_template(
    city: str, id_of_task: str, name: str, kind: str, guests: int, extra: dict[str, str]
) -> None:
    """Not in the skeleton, not in the shape: whatever the request says, and whatever the model called its tasks by."""
    booking = {
        "city": city,
        "guests": guests,
        "kind": kind,
        "more": {f"field_{n}": v for n, v in enumerate(extra.values())},
    }
    asked = told(booking)
    plan = proposal(
        task(f"{id_of_task}_{city}", "trips.search", city=city, guests=guests),
        task(city, "rooms.hold", offer_id=Ref(f"{id_of_task}_{city}.offers[0].offer_id")),
        result={f"hold_{name}": f"{city}.hold_id"},
    )
    template = learnt(plan, asked)
    assert template is not None
    kept = json.dumps([template.shape, template.reads, template.proposal])
    for value in (city, id_of_task, name, kind, *extra.values()):
        assert value not in kept
