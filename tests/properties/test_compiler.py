"""The compiler against whatever a model may write: never an exception, never a plan with a fault.

Adopted plans are audited by code of this file alone, which looks at the plan and the catalogue and shares nothing with
the compiler but JMESPath.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import hypothesis.strategies as st
import jmespath
import jsonschema_rs
from hypothesis import given, settings

from jada_orchestrator.domain.catalogue import Effect
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.planning import Adopted, Clarify, Compiled, Faulted, Refuse, compile_proposal
from jada_orchestrator.testing.catalogues import Ref, proposal, request, travel_catalogue, travel_proposal
from jada_orchestrator.testing.catalogues import task as proposed
from jada_orchestrator.testing.simulated_planner import plan_for

CATALOGUE: Final = travel_catalogue()
REQUEST: Final = request(booking={"city": "Lisbon", "n": 2}, max_total="50.00 USD")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
ids = st.sampled_from(["check", "rooms", "seats", "hold_room", "quote", "capture", "mail", "Check", "request", "x", ""])
references = st.sampled_from(
    [
        "rooms.offers[0].offer_id",
        "seats.offers[0].price",
        "quote.total",
        "authorize.authorization_id",
        "hold_room.hold_id",
        "[hold_room.total, hold_seat.total]",
        "request.booking.city",
        "mail.message_id",
        "Rooms.note",
        "@",
        "rooms.offers[].offer_id",
        "rooms.",
    ]
)
values = references | st.sampled_from(["Lisbon", "2", "true", '{"amount": "60.00", "currency": "USD"}', "null", "{"])


def compiled(text: str) -> Compiled:
    """Compile, and audit what is adopted."""
    result = compile_proposal(text, CATALOGUE, REQUEST)
    match result:
        case Adopted(plan):
            audit(plan)
        case Faulted(faults):
            assert faults
            assert all(fault.code and fault.message for fault in faults)
        case Clarify(questions):
            assert questions
        case Refuse(reason):
            assert reason
    return result


def audit(plan: Plan) -> None:
    """Assert every law that can be seen in a plan by itself."""
    tasks = {task.id: task for task in plan.tasks}
    assert 0 < len(tasks) == len(plan.tasks) <= 100
    seen: set[str] = set()
    before: dict[str, set[str]] = {}
    data: dict[str, set[str]] = {}
    for task in plan.tasks:
        assert set(task.needs) <= set(task.after) <= seen, "in topological order, so without a cycle"
        seen.add(task.id)
        before[task.id] = set(task.after)
        before[task.id] |= set().union(*(before[first] for first in task.after))
        looked_at: set[Any] = mentioned(task.when, tasks) | set(task.takes) | ({task.instead_of} - {None})
        data[task.id] = looked_at.union(*(data[maker] for maker in looked_at))
        audit_inputs(task, tasks)
        audit_branches(task, tasks)
    audit_effects(plan, before, data)


def audit_inputs(task: PlannedTask, tasks: dict[Any, PlannedTask]) -> None:
    """Assert that a task binds what its action takes, and needs exactly what its references read."""
    action = CATALOGUE.actions[task.action]
    properties = action.input_schema["properties"]
    assert set(action.input_schema["required"]) <= set(task.bindings) <= set(properties)
    read = mentioned(task.for_each, tasks)
    for name, binding in task.bindings.items():
        if binding.expression:
            read |= mentioned(binding.expression, tasks)
        else:
            assert jsonschema_rs.is_valid(properties[name], binding.constant, validate_formats=True)
    stand_ins = {other for other in task.reads if stood_in_by(tasks[other], tasks) & read}
    assert set(task.needs) <= read <= set(task.takes) | {"request", "item", "index"}
    assert set(task.reads) <= read | stand_ins
    assert not any(tasks[maker].optional for maker in task.needs) or (
        task.optional and action.effect is not Effect.COMMIT
    )


def audit_branches(task: PlannedTask, tasks: dict[Any, PlannedTask]) -> None:
    """Assert that conditions, lists and stand-ins come after what decides on them, and are read by whom they may be."""
    assert not task.optional or task.instead_of is None or tasks[task.instead_of].optional
    decided_by = mentioned(task.when, tasks) | mentioned(task.for_each, tasks) | ({task.instead_of} - {None})
    assert decided_by <= set(task.after) | {"request"}
    for needed in task.needs:
        maker = tasks[needed]
        assert maker.instead_of is None or task.optional, "what a stand-in delivers is read under another name"
        assert not maker.when or task.optional or maker.when in stood_in_for(task, tasks).when, "not in its branch"
        assert all(other.id in task.after for other in tasks.values() if needed in stood_in_by(other, tasks))
    if task.instead_of is not None:
        assert task.on_codes
        assert not task.when
        assert not task.for_each
        assert not tasks[task.instead_of].for_each
        assert task.instead_of not in task.takes


def stood_in_by(task: PlannedTask, tasks: dict[Any, PlannedTask]) -> set[Any]:
    """Return all that a task stands in for, directly or not."""
    found: set[Any] = set()
    while task.instead_of is not None:
        found.add(task.instead_of)
        task = tasks[task.instead_of]
    return found


def stood_in_for(task: PlannedTask, tasks: dict[Any, PlannedTask]) -> PlannedTask:
    """Return the task under whose name one is read."""
    return task if task.instead_of is None else stood_in_for(tasks[task.instead_of], tasks)


def mentioned(expression: str, tasks: dict[Any, PlannedTask]) -> set[Any]:
    """Return the roots that an expression mentions."""
    tree = jmespath.compile(expression).parsed if expression else None
    return {root for root in (*tasks, "request", "item", "index") if mentions(tree, root)}


def mentions(tree: Any, name: str) -> bool:
    """Tell whether a field of that name occurs anywhere in a tree; no output field of the catalogue is called so."""
    if not isinstance(tree, dict):
        return False
    return (tree["type"] == "field" and tree["value"] == name) or any(mentions(one, name) for one in tree["children"])


def audit_effects(plan: Plan, before: dict[Any, set[str]], data: dict[Any, set[str]]) -> None:
    """Assert the order of effects, that everything is undoable or declared, and that known money is within bounds."""
    commits = [task for task in plan.tasks if plan.terms_of(task).effect is Effect.COMMIT]
    committed = 0.0
    for task in plan.tasks:
        terms = plan.terms_of(task)
        assert terms.effect is Effect.READ or terms.irreversible or terms.compensate is not None
        assert terms.compensate is None or terms.compensate.action in plan.terms
        early = terms.effect is not Effect.COMMIT and not task.optional
        if early and not data[task.id] & {commit.id for commit in commits}:
            assert all(task.id in before[commit.id] or exclude(task, commit, plan) for commit in commits)
        if terms.effect is Effect.COMMIT and terms.compensate is None:
            for other in commits:
                undoable = plan.terms_of(other).compensate is not None and not other.optional
                late = task.id in data[other.id] or other.id in before[task.id]
                assert not undoable or late or exclude(task, other, plan)
        amount = task.bindings.get("amount") if terms.amount is not None else None
        if amount is not None and not amount.expression:
            assert amount.constant["currency"] == "USD"
            committed += float(amount.constant["amount"])
    assert committed <= 50.0


def exclude(one: PlannedTask, other: PlannedTask, plan: Plan) -> bool:
    """Tell whether one condition is the other's opposite: the only ones that are drawn here."""
    tasks: dict[Any, PlannedTask] = {task.id: task for task in plan.tasks}
    first, second = (stood_in_for(task, tasks).when for task in (one, other))
    return bool(first and second) and (first == f"!({second})" or second == f"!({first})")


@given(st.text() | st.text(alphabet='{}[]":,plantsk 0123456789\\u`\n'))
def test_any_text_is_answered(text: str) -> None:
    """Whatever the text, the compiler answers, and the same again."""
    assert compiled(text) == compiled(text)


@given(json_values)
def test_any_json_is_answered(value: Any) -> None:
    """Whatever the JSON, the compiler answers."""
    compiled(json.dumps(value))


@given(
    st.fixed_dictionaries(
        {
            "outcome": st.sampled_from(["plan", "clarify", "refuse"]) | json_values,
            "reason": st.text(max_size=5) | json_values,
            "questions": st.lists(st.text(max_size=5) | json_values, max_size=3) | json_values,
            "tasks": st.lists(json_values, max_size=3) | json_values,
            "result": st.lists(json_values, max_size=3) | json_values,
        }
    )
)
def test_anything_in_the_fields_is_answered(value: Any) -> None:
    """Whatever stands in the fields of a proposal, the compiler answers."""
    compiled(json.dumps(value))


deciders = st.builds(
    lambda kind, value: {"kind": kind, "value": value},
    st.sampled_from(["when", "when", "for_each", "instead_of", "on_code", "on_code"]),
    ids
    | references
    | st.sampled_from(["check.valid", "!(check.valid)", "quote.count > `1`", "!(quote.count > `1`)", "rooms.offers"])
    | st.sampled_from(["SOLD_OUT", "OVER_BUDGET", "policy.allowed", "[rooms.offers, seats.offers][]", "`true`", "{"]),
)

Mutation = Callable[[dict[str, Any]], None]


@st.composite
def mutations(draw: st.DrawFn) -> Mutation:
    """One change of the natural plan, of a kind that models make."""
    place = draw(st.integers(0, 12))
    kind = draw(
        st.sampled_from(
            [
                "drop",
                "double",
                "after",
                "free",
                "optional",
                "value",
                "kind",
                "id",
                "action",
                "arg",
                "control",
                "control",
            ]
        )
    )
    decided = draw(st.lists(deciders, max_size=3))
    name, value = draw(ids), draw(values)
    action = draw(st.sampled_from([*CATALOGUE.actions, "rooms.hld"]))
    argument = draw(st.integers(0, 2))

    def mutate(document: dict[str, Any]) -> None:
        tasks = document["tasks"]
        if not tasks:
            return
        task = tasks[place % len(tasks)]
        changed = task["args"][argument % len(task["args"])] if task["args"] else {}
        match kind:
            case "drop":
                tasks.remove(task)
            case "double":
                tasks.append({**task, "id": name})
            case "after":
                task["after"] = [*task["after"], name]
            case "free":
                task["after"] = []
            case "optional":
                task["optional"] = not task["optional"]
            case "value":
                changed["value"] = value
            case "kind":
                changed["kind"] = "ref" if changed.get("kind") == "const" else "const"
            case "id":
                task["id"] = name
            case "action":
                task["action"] = action
            case "control":
                task["control"] = decided
            case _:
                task["args"] = task["args"][:-1]

    return mutate


def natural() -> dict[str, Any]:
    """A copy of the natural plan that no example shares with another."""
    copy: dict[str, Any] = json.loads(json.dumps(travel_proposal()))
    return copy


@settings(max_examples=400)
@given(st.lists(mutations(), max_size=4))
def test_a_changed_plan_is_faulted_or_sound(changes: list[Mutation]) -> None:
    """However a good plan is spoiled, it is faulted, or it keeps every law that the audit above knows."""
    document = natural()
    for change in changes:
        change(document)
    compiled(json.dumps(document))


BRANCHING: Final = ("branches", "list", "stand_in", "mixed")


@settings(max_examples=400)
@given(st.sampled_from(BRANCHING), st.lists(mutations(), max_size=3))
def test_a_changed_plan_with_branches_is_faulted_or_sound(kind: str, changes: list[Mutation]) -> None:
    """The same of plans that have conditions, lists and stand-ins from the beginning."""
    document: dict[str, Any] = json.loads(json.dumps(plan_for(kind)))
    if not changes:
        assert isinstance(compiled(json.dumps(document)), Adopted)
    for change in changes:
        change(document)
    compiled(json.dumps(document))


@st.composite
def alike(draw: st.DrawFn) -> list[tuple[str, BookingRequest]]:
    """Proposals of one kind, some with faults, and requests for them: only constants and what was asked differ."""
    after = draw(st.sampled_from([[], ["here"]]))
    found: list[tuple[str, BookingRequest]] = []
    for _ in range(draw(st.integers(2, 4))):
        city, guests = st.sampled_from(["Lisbon", "Porto"]), st.sampled_from([2, 2, "x"])
        amount = st.sampled_from(["30.00", "60.00", "-1.00"])
        document = proposal(
            proposed("here", "trips.search", city=draw(city)),
            proposed("there", "trips.search", city=draw(city), after=after),
            proposed("told", "trips.search", city=Ref("request.booking.city"), flexible=True),
            proposed("hold", "rooms.hold", offer_id=Ref("here.offers[0].offer_id"), guests=draw(guests)),
            proposed(
                "pay",
                "cards.capture",
                after=["here", "there", "told", "hold"],
                authorization_id="a-1",
                amount={"amount": draw(amount), "currency": "USD"},
            ),
            result={"where": "request.booking.city"},
        )
        booking: dict[str, Any] = draw(st.sampled_from([{"city": "Lisbon"}, {"city": "Lisbon"}, {"city": 7}, {}]))
        found.append(
            (json.dumps(document), request(booking=booking, max_total=draw(st.sampled_from([None, "50 USD"]))))
        )
    return found


@settings(max_examples=400)
@given(alike())
def test_a_plan_compiles_alike_whatever_was_compiled_before(asked: list[tuple[str, BookingRequest]]) -> None:
    """What is remembered of plans of one kind changes nothing: neither a plan nor a fault, whatever the constants."""
    remembering = replace(CATALOGUE)  # what is remembered of a catalogue is remembered of that very one
    for text, booking in asked:
        assert compile_proposal(text, remembering, booking) == compile_proposal(text, replace(CATALOGUE), booking)


@settings(max_examples=200)
@given(st.lists(mutations(), max_size=3))
def test_a_changed_plan_compiles_alike_whatever_was_compiled_before(changes: list[Mutation]) -> None:
    """So it is of any plan: nothing is remembered of it that holds for another one."""
    remembering = replace(CATALOGUE)
    for number in range(len(changes) + 1):
        document = natural()
        for change in changes[:number]:
            change(document)
        text = json.dumps(document)
        assert compile_proposal(text, remembering, REQUEST) == compile_proposal(text, replace(CATALOGUE), REQUEST)


@given(st.permutations(range(13)))
def test_the_order_of_the_list_means_nothing(order: list[int]) -> None:
    """Any order of the same tasks gives the same tasks and edges."""
    document = natural()
    document["tasks"] = [document["tasks"][place] for place in order]
    shuffled, straight = compiled(json.dumps(document)), compiled(json.dumps(natural()))
    assert isinstance(shuffled, Adopted)
    assert isinstance(straight, Adopted)

    def edges(plan: Plan) -> dict[str, tuple[set[str], set[str]]]:
        return {task.id: (set(task.after), set(task.needs)) for task in plan.tasks}

    assert edges(shuffled.plan) == edges(straight.plan)
