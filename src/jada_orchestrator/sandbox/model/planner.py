"""The scripted planner: a conversation in, a proposal out. Rules and dictionaries, not a model.

It answers with a plan only when everything that the plan needs was said; it asks when something is missing or reads in
two ways; it refuses what no agent can do. Where a plan failed because an offer was gone, it takes the next one. What it
reads is told in `sandbox.model.reading`, what it plans in `sandbox.model.plans`. Requests that become plans:

- "Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama, under $3,000 all in." (with `booking.customer_id`)
- "One way from BOS to LIS on 3 May 2027 for one person, business class. Customer c-118."
- "Boston to Lisbon on 3 May, Lisbon to Madrid on 7 May and Madrid to Boston on 10 May, 2 adults"
- "A 4-star hotel in Lisbon for 3 nights from 3 May for two"
- "A hotel in Lisbon 3-6 May for two, and a car if the hotel is below $900" (a condition)
- "A hotel in Lisbon 3-6 May for two; if it is sold out, take another one" (an alternative)
- with `booking.stays`, a list of stays each with city, check_in, check_out and guests (a task for each of them)
- "Change the flight of order ord-12 from Boston to Lisbon to 5-12 May, two travellers"
- "Cancel order ord-12"
"""

from __future__ import annotations

from datetime import date

from jada_orchestrator.sandbox.model.conversation import Conversation
from jada_orchestrator.sandbox.model.faults import FaultKind
from jada_orchestrator.sandbox.model.itinerary import complete, objections
from jada_orchestrator.sandbox.model.plans.booking import plan_booking
from jada_orchestrator.sandbox.model.plans.cancelling import plan_cancellation
from jada_orchestrator.sandbox.model.plans.changing import plan_change
from jada_orchestrator.sandbox.model.plans.draft import Draft
from jada_orchestrator.sandbox.model.plans.revising import revise
from jada_orchestrator.sandbox.model.plans.stays import plan_stays
from jada_orchestrator.sandbox.model.proposal import Proposal, refuse
from jada_orchestrator.sandbox.model.reading.wish import Wish, read_wish
from jada_orchestrator.sandbox.model.wrong_proposals import spoil

NO_REQUEST = "This is a scripted stand-in for a model: it answers booking requests in <request> only."
NO_TODAY = 'The request does not say which day it is ("today": "YYYY-MM-DD"); dates cannot be understood without it.'


def answer(conversation: Conversation, spoiled: FaultKind | None = None) -> Proposal:
    """Return what the stand-in proposes; with `spoiled`, the same proposal with that mistake in it."""
    proposal = propose(conversation)
    return proposal if spoiled is None else spoil(proposal, spoiled)


def propose(conversation: Conversation) -> Proposal:
    """Return a plan, questions or a refusal; the same conversation always gets the same answer."""
    request = conversation.request
    if request is None:
        return refuse(NO_REQUEST)
    try:
        today = date.fromisoformat(str(request.get("today")))
    except ValueError:
        return refuse(NO_TODAY)
    wish = read_wish(request, today)
    refusal = objections(wish, today)
    if refusal is not None:
        return refusal
    planned = _plan(wish)
    proposal = planned if isinstance(planned, Proposal) else planned.fitted(conversation.catalogue)
    return proposal if conversation.executed is None else revise(conversation.executed, proposal.result)


def _plan(wish: Wish) -> Draft | Proposal:
    match wish.intent:
        case "cancel":
            return plan_cancellation(wish)
        case "change":
            return plan_change(wish)
        case "book":
            if wish.stays:
                return plan_stays(wish)
            itinerary = complete(wish)
            return itinerary if isinstance(itinerary, Proposal) else plan_booking(itinerary)
