"""The booking that everything is measured with: twelve tasks in six levels, payloads of about 500 bytes.

Four searches, four reservations, then quote, policy, payment and mail. One output serves every action, so that agents
which do nothing (in memory or behind HTTP) can answer all of them with the same bytes.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Final

from jada_orchestrator.domain.catalogue import Agent, AgentLimits, Catalogue, SqsTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import RequestArrived
from jada_orchestrator.domain.ids import AgentName, RequestId, Tenant
from jada_orchestrator.domain.request import BookingRequest, Constraints, Message
from jada_orchestrator.testing.catalogues import Ref, action, array, catalogue, proposal, record, task

TASKS: Final = 12
LEVELS: Final = 6
WIDE_TASKS: Final = 100
"""What a plan may have at most (`domain.limits.PLAN_TASKS_MAX`)."""
MODEL: Final = "claude-sonnet-4-6"
WORKER_QUEUE: Final = "bench-workers"

_TEXT: Final[JsonObject] = {"type": "string", "minLength": 1}
_MONEY: Final[JsonObject] = record({"amount": _TEXT, "currency": _TEXT})
_OPEN: Final[JsonObject] = {
    "type": "object",
    "required": ["ref", "total"],
    "properties": {"ref": _TEXT, "total": _MONEY, "note": _TEXT},
}
OUTPUT: Final[JsonObject] = {"ref": "r-0123456789", "total": {"amount": "120.00", "currency": "USD"}, "note": "n" * 420}
"""About 500 bytes as JSON."""


def bench_catalogue(*, sqs: bool = False, agents_at_once: int = 1_000_000) -> Catalogue:
    """Return the catalogue, without bounds of its own unless asked for; with `sqs` every agent is a queue's worker."""
    ref = record({"ref": _TEXT})
    found = catalogue(
        action("trips.search", input=record({"city": _TEXT}), output=_OPEN),
        action(
            "rooms.hold", "reserve", input=ref, output=_OPEN, undo="rooms.release", undo_input={"ref": "output.ref"}
        ),
        action("rooms.release", "commit", input=ref, irreversible=True),
        action("quotes.add", input=record({"totals": array(_MONEY)}), output=_OPEN),
        action("rules.check", input=record({"total": _MONEY}), output=_OPEN),
        action("cards.pay", "commit", input=record({"total": _MONEY}), output=_OPEN, irreversible=True),
        action("mail.send", "commit", input=ref, output=_OPEN, irreversible=True),
    )
    limits = AgentLimits(agents_at_once)

    def tuned(agent: Agent) -> Agent:
        return replace(agent, limits=limits, transport=SqsTransport(WORKER_QUEUE) if sqs else agent.transport)

    return replace(found, agents={AgentName(name): tuned(agent) for name, agent in found.agents.items()})


def bench_proposal() -> str:
    """Return the plan of twelve tasks, as a model would write it."""
    totals = ", ".join(f"hold{i}.total" for i in range(4))
    return json.dumps(
        proposal(
            *[task(f"search{i}", "trips.search", city=f"City {i}") for i in range(4)],
            *[task(f"hold{i}", "rooms.hold", ref=Ref(f"search{i}.ref")) for i in range(4)],
            task("quote", "quotes.add", totals=Ref(f"[{totals}]")),
            task("policy", "rules.check", total=Ref("quote.total")),
            task("pay", "cards.pay", after=["policy"], total=Ref("quote.total")),
            task("mail", "mail.send", ref=Ref("pay.ref")),
            result={"ref": "pay.ref"},
        )
    )


def wide_proposal(tasks: int = WIDE_TASKS) -> str:
    """Return a plan of so many tasks that wait for nothing."""
    return json.dumps(proposal(*[task(f"t{i}", "trips.search", city=f"City {i}") for i in range(tasks)]))


def booking(number: int, *, tenant: str = "acme", priority: int = 5, message: Message | None = None) -> RequestArrived:
    """Return a request's arrival; `number` tells it from all others."""
    request = BookingRequest(
        request_id=RequestId(f"bench-{number}"),
        tenant=Tenant(tenant),
        text=f"Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama, under $3,000 all in; for customer {number}.",
        booking={"customer_id": f"c-{number}"},
        constraints=Constraints(),
        ordering_key=None,
        priority=priority,
        reply_to=None,
    )
    return RequestArrived(request, f"digest-{number}", message or Message(str(number), {}), MODEL)
