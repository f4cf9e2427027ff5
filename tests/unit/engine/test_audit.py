"""The audit of what a turn touched sees what the whole audit sees there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain.money import Money
from jada_orchestrator.domain.request import Constraints
from jada_orchestrator.domain.workflow import NOTHING, Phase
from jada_orchestrator.engine.audit import breaches, breaches_near
from tests.unit.engine.driver import Driver, begun
from tests.unit.engine.plans import booking


def _unknown_to_the_index(driver: Driver) -> None:
    driver.workflow.active = NOTHING


def _in_a_second_index(driver: Driver) -> None:
    driver.workflow.waiting = {(driver.task("hold").planned.id, "do"): None}


def _started_too_early(driver: Driver) -> None:
    driver.task("rooms").do.phase = Phase.BACKING_OFF
    driver.workflow.waiting = {(driver.task("rooms").planned.id, "do"): None}
    driver.workflow.unfinished += 1


def _undone_by_nobody(driver: Driver) -> None:
    driver.task("hold").own_call("undo").phase = Phase.READY
    driver.workflow.grantable = {(driver.task("hold").planned.id, "undo"): None}


def _two_currencies(driver: Driver) -> None:
    limit = Money.parse({"amount": "5000.00", "currency": "USD"})
    driver.workflow.request = replace(driver.request, constraints=Constraints(max_total=limit))
    driver.task("hold").amount = Money.parse({"amount": "1", "currency": "JPY"})
    driver.task("authorize").amount = Money.parse({"amount": "1.00", "currency": "USD"})


@pytest.mark.parametrize(
    "spoil",
    [
        _unknown_to_the_index,
        _in_a_second_index,
        _started_too_early,
        _undone_by_nobody,
        _two_currencies,
    ],
)
def test_what_a_record_touched_is_audited(spoil: Callable[[Driver], None]) -> None:
    """A workflow that is spoilt where the last record fell is found to be so, as by the whole audit."""
    driver = begun(booking())
    driver.grant("rooms")
    driver.end("rooms", e.Succeeded(driver.agents.do(driver.calls[-1])))
    records = driver.grant("hold")
    assert breaches_near(driver.workflow, records) == []

    spoil(driver)

    assert breaches(driver.workflow) != []
    assert breaches_near(driver.workflow, records) != []


def test_what_comes_right_after_is_audited() -> None:
    """A task that ended lets its successors go, so they are looked at, too."""
    driver = begun(booking())
    driver.grant("rooms")
    records = driver.end("rooms", e.Succeeded(driver.agents.do(driver.calls[-1])))
    assert breaches_near(driver.workflow, records) == []

    driver.task("hold").do.phase = Phase.WAITING

    assert breaches_near(driver.workflow, records) != []


def test_without_a_record_the_whole_is_audited() -> None:
    """A workflow in which nothing was decided, as when it is taken up again, is audited whole."""
    driver = begun(booking())
    driver.task("book").own_call("do").phase = Phase.SUCCEEDED

    assert breaches_near(driver.workflow, []) == breaches(driver.workflow) != []
