"""Attacks by planner and agents, through the real runtime and wire: no action outside the request's bounds."""

from __future__ import annotations

from functools import partial

import pytest

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.testing.catalogues import travel_proposal
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.simulation.attacks.agency import REQUEST, WORKFLOW, Agency
from tests.simulation.attacks.attack import Attack
from tests.simulation.attacks.bounds import breaches
from tests.simulation.attacks.table import ATTACKS


def said(attack: Attack, question: PlannerQuestion) -> str | JsonObject:
    """What the planner says to a question."""
    if question.choice is not None:
        says: str | JsonObject = {"index": 0} if attack.choice is None else attack.choice
        return says
    return attack.proposal if question.past is None or attack.revision is None else attack.revision


def ended(attack: Attack) -> Agency:
    """What is there once the booking rests."""

    async def book() -> Agency:
        agency = Agency(
            partial(said, attack),
            bribes=attack.bribes,
            worker_bribes=attack.worker_bribes,
            request=attack.request,
            says=attack.says,
        )
        await agency.run()
        return agency

    return run_virtually(book())


@pytest.mark.parametrize("attack", [pytest.param(one, id=one.name) for one in ATTACKS])
def test_an_attack_causes_no_action_outside_the_bounds(attack: Attack) -> None:
    """Whatever is proposed or answered, what reaches agents keeps to the request, and the booking comes to rest."""
    agency = ended(attack)
    assert agency.workflow is not None
    assert breaches(agency) == []
    assert agency.workflow.status.value in attack.ends, agency.workflow.failure
    if attack.fault:
        assert agency.workflow.failure is not None
        assert f"[{attack.fault}]" in agency.workflow.failure.message
    if attack.calls_nobody:
        assert agency.sent == []
    assert not {sent.action for sent in agency.sent} & attack.never_sent
    if attack.undoes_all:
        assert agency.agents.books.standing(WORKFLOW) == []


def test_the_honest_booking_completes() -> None:
    """Without an attack the same agency books: what stops attacks does not stop bookings."""
    honest = Attack("none", "planner", "", "", frozenset({"completed"}), proposal=travel_proposal(), request=REQUEST)
    agency = ended(honest)
    assert agency.workflow is not None
    assert agency.workflow.status is Status.COMPLETED
    assert breaches(agency) == []
    assert "cards.capture" in {sent.action for sent in agency.sent}
