"""Inputs, compensations, amounts and results from what is there at run time."""

from __future__ import annotations

import json
from typing import Any

from jada_orchestrator.domain.catalogue import Binding, Compensation
from jada_orchestrator.domain.ids import ActionName, CatalogueVersion, IdempotencyKey, TaskId
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.planning import (
    Adopted,
    check_input,
    compile_proposal,
    resolve_amount,
    resolve_compensation,
    resolve_input,
    resolve_result,
    roots_of_result,
)
from jada_orchestrator.testing.catalogues import Ref, money, proposal, request, task, travel_catalogue

TRAVEL = travel_catalogue()
HOLD = TRAVEL.actions[ActionName("rooms.hold")]
KEY = IdempotencyKey("jk-1")


def planned(**bindings: Binding) -> PlannedTask:
    """A hold with these bindings."""
    return PlannedTask(TaskId("hold"), HOLD.name, bindings)


def outputs(**found: Any) -> dict[TaskId, Any]:
    """Outputs by task."""
    return {TaskId(name): output for name, output in found.items()}


def test_an_input_is_made_of_constants_references_and_the_request() -> None:
    """Each field comes from where its binding says."""
    asked = request(booking={"n": 2})
    one = planned(offer_id=Binding("find.offers[0].id"), guests=Binding("request.booking.n"), x=Binding(constant=None))
    assert resolve_input(one, outputs(find={"offers": [{"id": "o-1"}]}), asked) == {
        "offer_id": "o-1",
        "guests": 2,
        "x": None,
    }


def test_a_null_is_left_out_unless_it_is_required() -> None:
    """What a reference does not find is left out; with the action at hand a required field is told to be missing."""
    one = planned(offer_id=Binding("find.id"), guests=Binding("find.n"))
    assert resolve_input(one, outputs(find={"id": "o-1"}), request(), HOLD) == {"offer_id": "o-1"}
    assert resolve_input(one, outputs(find={}), request()) == {}
    faults = resolve_input(one, outputs(find={}), request(), HOLD)
    assert isinstance(faults, tuple)
    assert [(fault.code, fault.where) for fault in faults] == [("MISSING_AT_RUNTIME", "tasks.hold.args.offer_id")]


def test_what_does_not_fit_is_told_without_its_value() -> None:
    """An agent's output of the wrong type is a fault that does not repeat it."""
    faults = resolve_input(
        planned(offer_id=Binding("find.id")), outputs(find={"id": {"card": "4111"}}), request(), HOLD
    )
    assert isinstance(faults, tuple)
    assert [fault.code for fault in faults] == ["BAD_INPUT"]
    assert "4111" not in str(faults[0])
    assert [fault.code for fault in check_input(HOLD, {})] == ["BAD_INPUT"]


def test_a_function_over_what_it_does_not_take_is_a_fault() -> None:
    """An evaluation that fails is a fault, never an exception."""
    for expression in ("sum(find.x)", "find.x < `1`", "find.y[::0]", "to_number(find.z)"):
        faults = resolve_input(
            planned(offer_id=Binding(expression)), outputs(find={"x": "a", "y": [1], "z": "1e999"}), request()
        )
        assert isinstance(faults, tuple), expression
        assert [fault.code for fault in faults] == ["BAD_REFERENCE"]


def test_a_compensation_is_made_of_input_output_and_key() -> None:
    """Bindings read all three, and constants."""
    bindings = {
        "ids": Binding("output.[hold_id]"),
        "offer": Binding("input.offer_id"),
        "key": Binding("key"),
        "why": Binding(constant="undo"),
        "note": Binding("output.note"),
    }
    undo = Compensation(ActionName("rooms.release"), bindings)
    made = resolve_compensation(undo, input={"offer_id": "o-1"}, output={"hold_id": "h-1"}, key=KEY)
    assert made == {"ids": ["h-1"], "offer": "o-1", "key": "jk-1", "why": "undo"}


def test_undoing_without_an_answer_is_a_fault_where_the_answer_is_needed() -> None:
    """A compensation that reads the output is not aimed at nothing; one that reads input and key needs no answer."""
    needing = Compensation(ActionName("rooms.release"), {"hold_id": Binding("output.hold_id")})
    faults = resolve_compensation(needing, input={}, output=None, key=KEY)
    assert isinstance(faults, tuple)
    assert [fault.code for fault in faults] == ["MISSING_AT_RUNTIME"]
    free = Compensation(ActionName("rooms.release"), {"key": Binding("key")})
    assert resolve_compensation(free, input={}, output=None, key=KEY) == {"key": "jk-1"}


def test_an_amount_is_money_or_a_fault() -> None:
    """What is no money is told, not guessed."""
    paid = {"amount": {"amount": "10.00", "currency": "USD"}}
    assert resolve_amount(Binding("input.amount"), input=paid, output=None) == money("10.00 USD")
    assert isinstance(resolve_amount(Binding(constant=paid["amount"]), input={}, output=None), Money)
    for binding in (Binding("input.amount"), Binding("output.total"), Binding("sum(input.x)"), Binding()):
        faults = resolve_amount(binding, input={"amount": 10.0, "x": "y"}, output=None)
        assert isinstance(faults, tuple)
        assert [fault.code for fault in faults] == ["BAD_AMOUNT"]


def test_a_result_has_every_line_even_where_nothing_is_there() -> None:
    """What an optional task did not make, or what cannot be computed, is null in the result."""
    document = proposal(
        task("find", "trips.search", city="x"),
        task("more", "trips.search", city="y", optional=True),
        result={"id": "find.offers[0].offer_id", "note": "more.note", "best": "max_by(more.offers, &stars).offer_id"},
    )
    compiled = compile_proposal(json.dumps(document), TRAVEL, request())
    assert isinstance(compiled, Adopted)
    found = outputs(find={"offers": [{"offer_id": "o-1"}]})
    assert resolve_result(compiled.plan, found, request()) == {"id": "o-1", "note": None, "best": None}


def test_a_result_is_made_of_what_its_lines_read_and_of_nothing_else() -> None:
    """Outputs that no line names change nothing; a line that cannot be read names none, and is null."""
    lines = {
        "one": Binding("a.id"),
        "both": Binding("[a.id, b.id]"),
        "fixed": Binding(constant=1),
        "bad": Binding("a["),
    }
    plan = Plan((), {}, lines, CatalogueVersion("v"))
    found = outputs(a={"id": "a-1"}, b={"id": "b-1"}, c={"id": "c-1"})
    read = roots_of_result(plan)

    assert read == {"a", "b"}
    only_those = {name: output for name, output in found.items() if name in read}
    assert resolve_result(plan, only_those, request()) == resolve_result(plan, found, request())


def test_references_are_evaluated_over_the_outputs_only() -> None:
    """The builder's `Ref` and the plan's binding say the same."""
    document = proposal(
        task("a", "trips.search", city="x"), task("b", "rooms.hold", offer_id=Ref("a.offers[0].offer_id"))
    )
    compiled = compile_proposal(json.dumps(document), TRAVEL, request())
    assert isinstance(compiled, Adopted)
    found = outputs(a={"offers": [{"offer_id": "o-1"}]})
    assert resolve_input(compiled.plan.tasks[1], found, request()) == {"offer_id": "o-1"}
