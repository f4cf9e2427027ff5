"""The scripted model's revisions: the next offer, what depends on it anew, the rest kept; and what it cannot do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jada_orchestrator.adapters.claude.prompt import past_json
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.revision import Past, PastState, PastTask
from jada_orchestrator.planning import Adopted, compile_proposal
from jada_orchestrator.sandbox.model.conversation import Conversation, read_conversation
from jada_orchestrator.sandbox.model.planner import propose
from jada_orchestrator.sandbox.model.proposal import Proposal
from jada_orchestrator.testing.catalogues import request
from tests.unit.sandbox_model.catalogue_text import catalogue_lines, conversation
from tests.unit.sandbox_model.test_plans_compile import reference_catalogue

TRIP = "Two of us, Boston to Lisbon 3-10 May 2027, a hotel near Alfama, under $9,000 all in."
OFFERS: JsonObject = {"offers": {"count": 3}}


def past_of(text: str, states: Mapping[str, PastState], rest: PastState, *, offers: int = 3) -> Past:
    """The plan of a text, executed as far as the states say."""
    compiled = compile_proposal(propose(conversation(text)).as_text(), reference_catalogue(), request(text))
    assert isinstance(compiled, Adopted), compiled

    def state_of(planned: PlannedTask) -> PastState:
        return states.get(planned.id, rest)

    tasks = [
        PastTask(
            planned,
            state_of(planned),
            "SOLD_OUT" if state_of(planned) == "failed" else "",
            facts={"offers": {"count": offers}} if planned.action.endswith(".search") else None,
        )
        for planned in compiled.plan.tasks
    ]
    failed = frozenset(task.planned.id for task in tasks if task.state == "failed")
    return Past(tuple(tasks), compiled.plan.terms, failed)


def asked(text: str, past: Past) -> Conversation:
    """The question for a revision, as the orchestrator puts it."""
    about = {"request_id": "r-1", "text": text, "booking": {"customer_id": "c-118"}, "today": "2026-11-23"}
    content = f"<request>\n{json.dumps(about)}\n</request>\n<executed>\n{json.dumps(past_json(past))}\n</executed>\n"
    system = "<catalogue>\n" + "\n".join(catalogue_lines()) + "\n</catalogue>"
    return read_conversation({"system": system, "messages": [{"role": "user", "content": content}]})


def revised(text: str, past: Past) -> tuple[Proposal, Any]:
    """The revision, and what the compiler makes of it."""
    proposal = propose(asked(text, past))
    compiled = compile_proposal(proposal.as_text(), reference_catalogue(), request(text), revision=2, past=past)
    return proposal, compiled


SEARCHED: dict[str, PastState] = dict.fromkeys(
    ["validate_request", "customer", "loyalty", "airport_boston", "airport_lisbon", "search_flight", "search_hotel",
     "fare_rules", "check_documents", "hold_hotel"],
    "succeeded",
)  # fmt: skip


def test_a_flight_that_is_sold_out_is_replaced_by_the_next() -> None:
    """Only the flight's hold and what was not started are planned; the rest is kept, and the compiler agrees."""
    past = past_of(TRIP, {**SEARCHED, "hold_flight": "failed"}, "not_started")
    proposal, compiled = revised(TRIP, past)
    assert isinstance(compiled, Adopted), compiled
    by_id = {task.id: task for task in proposal.tasks}
    assert "hold_flight" not in by_id
    assert {arg.value for arg in by_id["hold_flight_2"].args} >= {"search_flight.offers[1].offer_id"}
    assert by_id["hold_hotel"].args == ()
    assert "hold_flight_2.total" in next(arg.value for arg in by_id["quote"].args if arg.name == "totals")
    assert [planned.id for planned in compiled.plan.retired] == ["hold_flight"]
    assert compiled.plan.result


def test_a_ticket_that_cannot_be_bought_takes_its_hold_with_it() -> None:
    """The hold is given up with everything that was made of it, as long as nothing was bought."""
    text = "One person, flight from Boston to Paris on 3 May 2027, back on 10 May 2027."
    left = dict.fromkeys(["capture_payment", "create_order", "notify_customer"], "not_started")
    past = past_of(text, {**left, "ticket_flight": "failed"}, "succeeded")  # type: ignore[dict-item]
    proposal, compiled = revised(text, past)
    assert isinstance(compiled, Adopted), compiled
    assert {"hold_flight", "authorize_payment", "quote"} <= {planned.id for planned in compiled.plan.retired}
    assert {"hold_flight_2", "ticket_flight_2", "authorize_payment_2"} <= {task.id for task in proposal.tasks}


def test_what_it_cannot_do_it_refuses() -> None:
    """No other offer, or something bought on the strength of what is gone: there is no revision."""
    past = past_of(TRIP, {**SEARCHED, "hold_flight": "failed"}, "not_started", offers=1)
    assert revised(TRIP, past)[0].outcome == "refuse"
    left = dict.fromkeys(["capture_payment", "create_order", "notify_customer"], "not_started")
    past = past_of(TRIP, {**left, "ticket_flight": "failed"}, "succeeded")  # type: ignore[dict-item]
    assert revised(TRIP, past)[0].outcome == "refuse"
