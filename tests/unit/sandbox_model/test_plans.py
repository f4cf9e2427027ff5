"""Every plan that the scripted model makes is valid: schema, actions, inputs, references, order of effects."""

from __future__ import annotations

import json
import re
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jada_orchestrator.sandbox.model.conversation import CatalogueAction
from jada_orchestrator.sandbox.model.faults import WRONG_PROPOSALS, FaultKind
from jada_orchestrator.sandbox.model.planner import answer, propose
from jada_orchestrator.sandbox.model.proposal import Proposal, ProposedTask
from jada_orchestrator.sandbox.model.schema_limits import schema_faults
from tests.unit.sandbox_model.catalogue_text import catalogue_lines, conversation


def record(**properties: Any) -> dict[str, Any]:
    """An object schema in which everything is required."""
    return {"type": "object", "additionalProperties": False, "required": list(properties), "properties": properties}


STRING = {"type": "string"}
ARG = record(name=STRING, kind={"type": "string", "enum": ["user", "const", "ref"]}, value=STRING)
CONTROL = record(kind={"type": "string", "enum": ["when", "for_each", "instead_of", "on_code"]}, value=STRING)
TASK = record(
    id=STRING,
    action=STRING,
    after={"type": "array", "items": STRING},
    optional={"type": "boolean"},
    control={"type": "array", "items": CONTROL},
    args={"type": "array", "items": ARG},
)
PROPOSAL = record(
    outcome={"type": "string", "enum": ["plan", "clarify", "refuse"]},
    reason=STRING,
    questions={"type": "array", "items": STRING},
    tasks={"type": "array", "items": TASK},
    result={"type": "array", "items": record(name=STRING, value=STRING)},
)
TEXTS = [
    "Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama, under $3,000 all in.",
    "One way from BOS to LIS on 3 May 2027 for one person, business class",
    "Boston - Lisbon - Madrid - Boston, 3 May, 7 May, 10 May, for two, with hotels and a car",
    "A hotel in Lisbon for 3 nights from 3 May for two",
    "A car in Lisbon 3-10 May",
    "Flight + hotel + car for me: Boston to Rome, May 3 to 10",
    "Zürich to São Paulo 3-10 May for two",
    "Change the flight of order ord-12 from Boston to Lisbon to 5-12 May, two travellers",
    "Change flight and hotel of my last booking, Boston to Lisbon, to 5-12 May, two travellers",
    "Cancel order ord-12",
    "Cancel my last booking",
]
_REFERENCE = re.compile(r"([a-z][a-z0-9_]*)((?:\[\d+\]|\.[a-z_]+)+)")


def referred(task: ProposedTask) -> set[str]:
    """The tasks that this one waits for."""
    text = " ".join(arg.value for arg in task.args if arg.kind == "ref")
    return {match.group(1) for match in _REFERENCE.finditer(text)} | set(task.after)


def resolve(schema: dict[str, Any], path: str) -> dict[str, Any]:
    """Follow a reference's path through an output schema; fails when a step is not there."""
    for index, field in re.findall(r"\[(\d+)\]|\.([a-z_]+)", path):
        schema = schema["items"] if index else schema["properties"][field]
    return schema


def behind(tasks: tuple[ProposedTask, ...]) -> dict[str, set[str]]:
    """For each task all tasks that must have ended before it."""
    found: dict[str, set[str]] = {}
    for task in tasks:
        direct = referred(task)
        found[task.id] = direct.union(*(found[name] for name in direct))
    return found


def check_inputs(task: ProposedTask, action: CatalogueAction) -> None:
    """All required inputs are there, all given ones exist, and values that are no references fit their schemas."""
    assert action.required <= {arg.name for arg in task.args} <= set(action.inputs), task
    for arg in task.args:
        if arg.kind != "ref":
            schema = action.inputs[arg.name]
            value = arg.value if schema.get("type") == "string" else json.loads(arg.value)
            jsonschema_rs.validator_for(schema).validate(value)


@pytest.mark.parametrize("text", TEXTS)
def test_plans_are_valid(text: str) -> None:
    """Schema, known actions, unique ids, inputs and references into outputs that exist: all hold for every plan."""
    asked = conversation(text)
    proposal = propose(asked)
    jsonschema_rs.validator_for(PROPOSAL).validate(json.loads(proposal.as_text()))
    assert proposal.outcome == "plan", proposal
    tasks = {task.id: task for task in proposal.tasks}
    assert len(tasks) == len(proposal.tasks)
    for task in proposal.tasks:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", task.id)
        check_inputs(task, asked.catalogue[task.action])
    references = [arg.value for task in proposal.tasks for arg in task.args if arg.kind == "ref"]
    for reference in references + [field.value for field in proposal.result]:
        matches = list(_REFERENCE.finditer(reference))
        assert matches, reference
        for match in matches:
            resolve(asked.catalogue[tasks[match.group(1)].action].output_schema, match.group(2))


@pytest.mark.parametrize("text", TEXTS)
def test_effects_come_in_a_safe_order(text: str) -> None:
    """No commit before every check and every reservation; nothing depends on an optional task; no doubled edges."""
    asked = conversation(text)
    proposal = propose(asked)
    before = behind(proposal.tasks)
    firm = {
        task.id
        for task in proposal.tasks
        if not task.optional
        and (task.action.startswith("validator.") or asked.catalogue[task.action].effect == "reserve")
    }
    optional = {task.id for task in proposal.tasks if task.optional}
    for task in proposal.tasks:
        if asked.catalogue[task.action].effect == "commit":
            assert firm <= before[task.id], task.id
        assert not before[task.id] & optional
        for edge in task.after:
            others = referred(task) - {edge}
            assert not any(edge in before[name] for name in others), f"{task.id}: {edge} follows already"


def test_a_trip_is_as_parallel_as_its_data_allows() -> None:
    """Look-ups, hotel and car search start at once; holds do not wait for one another; nor do bookings."""
    proposal = propose(conversation("Flight + hotel + car for me: Boston to Rome, May 3 to 10"))
    before = behind(proposal.tasks)
    at_once = {name for name, others in before.items() if not others}
    assert {
        "validate_request",
        "customer",
        "loyalty",
        "airport_boston",
        "airport_rome",
        "search_hotel",
        "search_car",
    } == at_once
    for prefix in ("hold_", "book_", "ticket_", "search_"):
        siblings = {name for name in before if name.startswith(prefix)}
        assert not any(before[name] & siblings for name in siblings)
    depth: dict[str, int] = {}
    for task in proposal.tasks:
        depth[task.id] = 1 + max((depth[name] for name in referred(task)), default=0)
    assert max(depth.values()) == 10


def test_a_smaller_catalogue_loses_only_what_can_be_spared() -> None:
    """Without the checks and the enrichment there is still a plan; without payments a refusal names them."""
    spare = ("validator.", "customers.", "loyalty.", "fares.", "notifications.")
    lines = tuple(line for line in catalogue_lines() if not json.loads(line)["action"].startswith(spare))
    plan = propose(conversation(TEXTS[5], lines=lines))
    assert plan.outcome == "plan"
    assert not any(task.action.startswith(spare) for task in plan.tasks)
    assert all(not referred(task) - {other.id for other in plan.tasks} for task in plan.tasks)
    without = tuple(line for line in lines if "payments.capture" not in json.loads(line)["action"])
    assert "payments.capture" in propose(conversation(TEXTS[5], lines=without)).reason
    assert propose(conversation(TEXTS[5], lines=())).outcome == "refuse"


def faults_of(proposal: Proposal, known: dict[str, CatalogueAction]) -> set[FaultKind]:
    """Which of the ordered mistakes this proposal has."""
    if not proposal.tasks:
        return {FaultKind.EMPTY_PLAN}
    ids = [task.id for task in proposal.tasks]
    found: set[FaultKind] = set()
    if len(set(ids)) < len(ids):
        found.add(FaultKind.DUPLICATE_ID)
    for task in proposal.tasks:
        if referred(task) - set(ids):
            found.add(FaultKind.DANGLING_REFERENCE)
        if task.action not in known:
            found.add(FaultKind.WRONG_CASE if task.action.lower() in known else FaultKind.UNKNOWN_ACTION)
        elif known[task.action].required - {arg.name for arg in task.args}:
            found.add(FaultKind.MISSING_ARGUMENT)
    position = {name: ids.index(name) for name in ids}
    if any(position.get(name, -1) >= position[task.id] for task in proposal.tasks for name in task.after):
        found.add(FaultKind.CYCLE)
    return found


@pytest.mark.parametrize("kind", sorted(WRONG_PROPOSALS))
def test_wrong_proposals_have_the_ordered_mistake_only(kind: FaultKind) -> None:
    """A spoiled plan has the mistake that was ordered and no other, and still fits the schema."""
    asked = conversation(TEXTS[0])
    spoiled = answer(asked, kind)
    assert spoiled.outcome == "plan"
    jsonschema_rs.validator_for(PROPOSAL).validate(spoiled.as_json())
    assert faults_of(spoiled, asked.catalogue) == {kind}
    assert faults_of(answer(asked), asked.catalogue) == set()


PHRASES = """Boston|Lisbon|BOS|LIS|Zürich|ß|from|to|in|near Alfama|and then|back|return|one-way|hotel|car|flight|cancel
change|order ord-1
3-10 May|3 May 2027|31 June|2027-05-03|tomorrow|next Friday|in 900 weeks|for two|2 people|14 adults|3 nights
under $3,000|€20 a night|max 5k|first class|business class|4-star|no hotel|only if|moon|poem|customer c-7|Portugal
7|0|.|,"""
WORDS = st.sampled_from(re.split(r"[|\n]", PHRASES))
TEXT = st.lists(WORDS, max_size=14).map(" ".join) | st.text(max_size=60)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-5, 10**10)
    | st.text(max_size=100)
    | st.sampled_from(["BOS", "Lisbon", "2027-05-03", "2027-05-10", "2020-01-01", "first", "usd", "cancel", "change"])
    | st.just({"amount": "12.5", "currency": "EUR"})
    | st.just({"amount": "much", "currency": "EUR"})
    | st.just([{"origin": "BOS", "destination": "LIS", "date": "2027-05-03"}, 7])
    | st.dictionaries(st.sampled_from(["near", "stars"]), st.integers() | st.text(max_size=5))
)
FIELDS = st.sampled_from(
    re.split(
        r"\s+",
        """customer_id origin destination city depart return check_in check_out nights travellers guests hotel car
        flight cabin currency order_id legs kind near max_total depart_after one_way""",
    )
)
ANSWERS = st.lists(
    st.fixed_dictionaries(
        {"questions": st.lists(st.sampled_from(["How many people travel?", "From which city", "x"])), "answer": TEXT}
    ),
    max_size=2,
)


@given(TEXT, st.dictionaries(FIELDS, VALUES, max_size=7), ANSWERS)
def test_whatever_is_asked_the_answer_is_valid(text: str, booking: dict[str, Any], answers: list[Any]) -> None:
    """Any text, any fields: never an exception, always the schema, and a plan's inputs always fit the catalogue."""
    asked = conversation(text, booking={"customer_id": "c-1", **booking}, answers=answers)
    proposal = propose(asked)
    jsonschema_rs.validator_for(PROPOSAL).validate(json.loads(proposal.as_text()))
    assert bool(proposal.tasks) is (proposal.outcome == "plan")
    assert bool(proposal.questions) is (proposal.outcome == "clarify")
    for task in proposal.tasks:
        check_inputs(task, asked.catalogue[task.action])


def test_the_proposal_schema_is_one_that_the_api_accepts() -> None:
    """The stand-in's limits on structured outputs let the proposal's schema through."""
    assert schema_faults(PROPOSAL) == []
