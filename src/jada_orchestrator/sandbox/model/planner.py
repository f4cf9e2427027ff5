"""The scripted planner: a conversation in, a proposal out."""

from __future__ import annotations

from jada_orchestrator.sandbox.model.conversation import Conversation
from jada_orchestrator.sandbox.model.faults import FaultKind
from jada_orchestrator.sandbox.model.proposal import Proposal, clarify, refuse
from jada_orchestrator.sandbox.model.wrong_proposals import spoil

NO_REQUEST = "This is a scripted stand-in for a model: it answers booking requests in <request> only."


def answer(conversation: Conversation, spoiled: FaultKind | None = None) -> Proposal:
    """Return what the stand-in proposes; with `spoiled`, the same plan with that mistake in it."""
    proposal = _propose(conversation)
    return proposal if spoiled is None else spoil(proposal, spoiled)


def _propose(conversation: Conversation) -> Proposal:
    if conversation.request is None:
        return refuse(NO_REQUEST)
    return clarify("What shall be booked, from where to where, when, and for how many travellers?")
