"""A small catalogue and questions about it, for the tests of the Claude adapter."""

from __future__ import annotations

from typing import Any, Final

from jada_orchestrator.domain.catalogue import (
    Action,
    Agent,
    AgentLimits,
    Catalogue,
    Effect,
    LambdaTransport,
    ModelSource,
    RetryPolicy,
)
from jada_orchestrator.domain.ids import ActionName, AgentName, CatalogueVersion, RequestId, Tenant, WorkflowId
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.request import BookingRequest, Constraints
from jada_orchestrator.domain.workflow import Clarification, Exchange
from jada_orchestrator.ports.planner import PlannerQuestion

NOW: Final = parse_instant("2026-11-23T10:00:00Z")
SONNET: Final = "claude-sonnet-4-6"
HAIKU: Final = "claude-haiku-4-5"

FLIGHTS: Final = AgentName("flights")
OFFER: Final = {
    "type": "object",
    "required": ["offer_id"],
    "properties": {"offer_id": {"type": "string"}},
    "additionalProperties": False,
}
HOLD: Final = {"type": "object", "required": ["hold_id"], "properties": {"hold_id": {"type": "string"}}}


def action(name: str, effect: Effect, description: str, **changes: Any) -> Action:
    """An action of the small catalogue."""
    fields: dict[str, Any] = {"input_schema": OFFER, "output_schema": HOLD, "lookup": None, **changes}
    return Action(
        name=ActionName(name),
        agent=FLIGHTS,
        description=description,
        effect=effect,
        timeout_ms=20_000,
        retry=RetryPolicy(attempts=3, first_ms=200, max_ms=5_000),
        **fields,
    )


def small_catalogue(description: str = "Holds an offer.") -> Catalogue:
    """Two actions that plans may use, and a lookup that they may not."""
    actions = [
        action("flights.search", Effect.READ, "Finds flights <cheapest first>."),
        action("flights.hold", Effect.RESERVE, description, lookup=ActionName("flights.lookup")),
        action("flights.lookup", Effect.READ, "Says what became of a call."),
    ]
    return Catalogue(
        version=CatalogueVersion("0123456789abcdef"),
        agents={
            FLIGHTS: Agent(
                name=FLIGHTS,
                description="Flights.",
                transport=LambdaTransport("jada-flights"),
                model=ModelSource("inherit"),
                limits=AgentLimits(concurrency=1),
            )
        },
        actions={entry.name: entry for entry in actions},
    )


CATALOGUE: Final = small_catalogue()


def request(text: str = "Boston to Lisbon on 3 May", **changes: Any) -> BookingRequest:
    """A booking request with little in it."""
    fields: dict[str, Any] = {
        "booking": None,
        "constraints": Constraints(),
        "ordering_key": None,
        "priority": 5,
        "reply_to": None,
        **changes,
    }
    return BookingRequest(request_id=RequestId("web-1"), tenant=Tenant("acme"), text=text, **fields)


def question(
    asked: BookingRequest | None = None,
    *,
    model: str = SONNET,
    exchanges: tuple[Exchange, ...] = (),
    clarifications: tuple[Clarification, ...] = (),
    catalogue: Catalogue = CATALOGUE,
) -> PlannerQuestion:
    """A question about a request."""
    return PlannerQuestion(
        workflow_id=WorkflowId("wf-aaaaaaaaaaaaaaaaaaaaaaaaaa"),
        request=asked or request(),
        catalogue=catalogue,
        model=model,
        now=NOW,
        exchanges=exchanges,
        clarifications=clarifications,
    )
