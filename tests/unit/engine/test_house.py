"""What the house does itself: waiting, and asking a person; no slot, no dispatch, and any restart is outlasted."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain.commands import Dispatch
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.limits import WAIT_MAX_MS
from jada_orchestrator.engine import outstanding
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.outstanding import next_instant
from jada_orchestrator.testing.catalogues import Ref, money, proposal, task
from tests.unit.engine.driver import IMPOSSIBLE, SOLD_OUT, START, Driver, begun
from tests.unit.engine.test_revising import another_room, stay


def waits(**given: object) -> JsonObject:
    """A search, a wait, and a search after it."""
    return proposal(
        task("rest", "jada.wait", **given),  # type: ignore[arg-type] # JSON
        task("later", "trips.search", after=["rest"], city="Lisbon"),
        result={"until": "rest.waited_until"},
    )


def asks(*, when: str = "", **given: object) -> JsonObject:
    """A person is asked before a room is held."""
    return proposal(
        task("agree", "jada.approve", question="Shall we?", **given),  # type: ignore[arg-type] # JSON
        task("hold", "rooms.hold", after=["agree"], when=when, offer_id="offer-1"),
        result={"by": "agree.by", "hold": "hold.hold_id"},
    )


def answer(driver: Driver, command: str, task_id: str | None = None) -> list[object]:
    """Have a person answer, perhaps naming what is answered."""
    about = TaskId(task_id) if task_id is not None else None
    return list(driver.feed(e.ControlArrived(command, "ann", "", about)))  # type: ignore[arg-type] # a word of the contract


# --- Waiting --------------------------------------------------------------------------------------------------------


def test_a_wait_takes_no_slot_and_is_nowhere_in_flight() -> None:
    """Nothing can be granted and nothing is dispatched; the workflow asks to be woken at the instant, and goes on."""
    driver = begun(waits(seconds=90))
    assert list(claimable(driver.workflow)) == []
    assert not any(isinstance(command, Dispatch) for command in outstanding(driver.workflow))
    assert next_instant(driver.workflow) == START + 90_000
    assert driver.task("rest").status == "running"
    driver.tick(to=START + 89_999)
    assert driver.task("later").do.attempts == 0
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.workflow.result == {"until": format_instant(UtcMs(START + 90_000))}


def test_a_wait_until_an_instant_that_is_past_is_over_at_once() -> None:
    """It is due as soon as it begins."""
    driver = begun(waits(until=format_instant(UtcMs(START - 1_000))))
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_a_wait_outlasts_a_restart() -> None:
    """Killed in the middle, it goes on to the same instant."""
    driver = begun(waits(seconds=90))
    driver.now = UtcMs(START + 50_000)
    driver.resume()
    assert next_instant(driver.workflow) == START + 90_000
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.now < START + 91_000


def test_a_wait_is_bounded() -> None:
    """Too far ahead is a failure with its own code, and the request's deadline ends any wait."""
    driver = begun(waits(until=format_instant(UtcMs(START + WAIT_MAX_MS + 60_000))))
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "WAIT_TOO_LONG"
    driver = begun(waits(seconds=90), deadline=UtcMs(START + 10_000))
    driver.tick()
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "DEADLINE_EXCEEDED"


# --- A person -------------------------------------------------------------------------------------------------------


def test_a_person_is_asked_and_the_plan_goes_on() -> None:
    """The frontend is told what is asked and by whom it was worded; the answer is an output."""
    driver = begun(asks(amount={"amount": "90.00", "currency": "USD"}))
    assert driver.workflow.status == "awaiting_approval"
    assert driver.workflow.outcomes[-1].content["approval"] == {
        "task_id": "agree",
        "question": "Shall we?",
        "worded_by": "plan",
        "expires_at": format_instant(UtcMs(START + 86_400_000)),
        "amount": {"amount": "90.00", "currency": "USD"},
    }
    answer(driver, "approve")
    driver.run()
    assert driver.told() == ["awaiting_approval", "completed"]
    assert driver.workflow.result is not None
    assert driver.workflow.result["by"] == "ann"


def test_a_question_that_an_agent_worded_is_marked() -> None:
    """Whoever decides sees whose words they are."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("agree", "jada.approve", question=Ref("rooms.offers[0].offer_id")),
    )
    driver = begun(plan)
    driver.run_until_quiet()
    assert driver.workflow.outcomes[-1].content["approval"]["worded_by"] == "agent"


@pytest.mark.parametrize(("when", "end"), [("", "failed"), ("agree.approved", "completed")])
def test_a_denial_is_heard_where_the_plan_asks_for_it(when: str, end: str) -> None:
    """A condition on the answer sees false; without any, a denial ends the booking."""
    driver = begun(asks(when=when))
    answer(driver, "deny")
    driver.run()
    assert driver.workflow.terminal == end
    assert "hold" not in driver.names("do")


def test_nobody_answering_is_a_failure_with_a_code() -> None:
    """After the time that the plan allows."""
    driver = begun(asks(expires_in=60))
    driver.tick()
    assert driver.now == START + 60_000
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "APPROVAL_EXPIRED"


def test_several_questions_are_told_apart() -> None:
    """With more than one open an answer must name its task; each is told by itself, and each ends by itself."""
    plan = proposal(
        task("one", "jada.approve", question="One?"),
        task("two", "jada.approve", question="Two?"),
        task("hold", "rooms.hold", when="one.approved && two.approved", offer_id="offer-1"),
    )
    driver = begun(plan)
    assert driver.told() == ["awaiting_approval"] * 2
    assert {outcome.content["approval"]["task_id"] for outcome in driver.workflow.outcomes} == {"one", "two"}
    assert len({outcome.outcome_id for outcome in driver.workflow.outcomes}) == 2
    assert answer(driver, "approve") == []
    assert answer(driver, "approve", "three") == []
    assert answer(driver, "deny", "two") != []
    assert driver.workflow.status == "awaiting_approval"
    answer(driver, "approve")
    assert driver.workflow.status != "awaiting_approval"
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.task("hold").status == "skipped"


def test_a_question_outlasts_a_restart_and_is_heard_once() -> None:
    """It stands after a kill; a second answer means nothing."""
    driver = begun(asks())
    driver.resume()
    assert driver.workflow.status == "awaiting_approval"
    assert answer(driver, "approve") != []
    assert answer(driver, "deny") == []
    driver.run()
    assert driver.told() == ["awaiting_approval", "completed"]


def test_a_question_and_a_bound_on_money_are_told_apart() -> None:
    """An answer that names nothing is for the sum; one that names the task is for the plan's own question."""
    plan = proposal(
        task("agree", "jada.approve", question="A window seat?", optional=True),
        task("pay", "cards.capture", authorization_id="a", amount={"amount": "100.00", "currency": "USD"}),
    )
    driver = begun(plan, approve_above=money("10.00 USD"))
    driver.run_until_quiet()
    assert driver.told() == ["awaiting_approval"] * 2
    answer(driver, "approve", "agree")
    assert driver.workflow.approval is not None
    answer(driver, "approve")
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_a_cancellation_ends_every_wait() -> None:
    """What was waited for is not waited for any more."""
    driver = begun(asks())
    driver.control("cancel")
    assert driver.workflow.terminal == "cancelled"
    driver = begun(waits(seconds=90))
    driver.control("cancel")
    assert driver.workflow.terminal == "cancelled"


def test_a_failure_beside_it_does_not_wait_for_the_person() -> None:
    """Neither compensation nor a revision waits for an answer that may come in a day."""
    plan = stay()
    plan["tasks"].append(task("agree", "jada.approve", question="A window seat?", optional=True))
    driver = begun(plan)
    driver.mishap("hold_room", SOLD_OUT)
    driver.run_until_quiet()
    assert driver.workflow.planning.asking
    driver.propose(another_room())
    driver.run()
    assert driver.told() == ["awaiting_approval", "completed"]
    driver = begun(plan)
    driver.mishap("hold_room", IMPOSSIBLE)
    driver.run_until_quiet()
    assert driver.told() == ["awaiting_approval", "compensated"]
