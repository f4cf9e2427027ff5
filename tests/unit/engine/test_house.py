"""What the house does itself: waiting, and asking a person; no slot, no dispatch, and any restart is outlasted."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.commands import AskChoice, Dispatch
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import TaskId
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.domain.limits import CHOICE_TEXT_CHARS_MAX, CHOICE_WAIT_MAX_MS, CHOICES_MAX, WAIT_MAX_MS
from jada_orchestrator.domain.model_calls import calls_of
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.engine import outstanding
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.house import choice_of
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


# --- Choices --------------------------------------------------------------------------------------------------------

OFFERS: JsonObject = {
    "offers": [
        {"offer_id": f"offer-{n}", "price": {"amount": f"{n}0.00", "currency": "USD"}, "stars": n} for n in range(1, 4)
    ]
}


def chooses() -> JsonObject:
    """A room is chosen among those found, and held."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("pick", "jada.choose", options=Ref("rooms.offers"), criteria="the quiet one"),
        task("hold", "rooms.hold", offer_id=Ref("pick.option.offer_id")),
        result={"index": "pick.index", "by": "pick.by", "hold": "hold.hold_id"},
    )


def asked_to_choose(found: JsonObject = OFFERS) -> Driver:
    """A driver whose search found these offers; the choice is open."""
    driver = begun(chooses())
    driver.mishap("rooms", e.Succeeded(found))
    driver.run_until_quiet()
    return driver


def say(driver: Driver, text: str, failure: Failure | None = None, revision: int = 1) -> list[object]:
    """Have the model answer, or fail."""
    usage = Usage(input_tokens=50, output_tokens=3, usd="0.001")
    return list(driver.feed(e.ChoiceEnded(TaskId("pick"), revision, text, failure, "model-1", usage, 700, 300)))


def test_the_model_chooses_a_place_in_the_list() -> None:
    """It is asked once, with the options in order; what it names is taken, and the ledger has the call."""
    driver = asked_to_choose()
    assert AskChoice(driver.workflow.workflow_id, TaskId("pick"), 1) in list(outstanding(driver.workflow))
    choice = choice_of(driver.task("pick"))
    assert choice.criteria == "the quiet one"
    assert list(choice.options) == OFFERS["offers"]
    say(driver, '{"index": 2}')
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.workflow.result is not None
    assert (driver.workflow.result["index"], driver.workflow.result["by"]) == (2, "model")
    assert [call.input["offer_id"] for call in driver.calls if call.action == "rooms.hold"] == ["offer-3"]
    calls = list(calls_of(driver.workflow.workflow_id, "web-1", "default", "", driver.entries))
    assert [call.purpose for call in calls] == ["plan", "choice"]
    assert calls[1].usage.usd == "0.001"


@pytest.mark.parametrize(
    "text", ["", "the last one", '{"index": 3}', '{"index": -1}', '{"index": true}', '{"index": "2"}', "[2]"]
)
def test_whatever_it_says_it_names_one_of_the_options(text: str) -> None:
    """An answer that names no place adds nothing and changes nothing: the first option is taken."""
    driver = asked_to_choose()
    say(driver, text)
    driver.run()
    assert driver.workflow.result is not None
    assert (driver.workflow.result["index"], driver.workflow.result["by"]) == (0, "order")


def test_without_the_model_the_first_is_taken() -> None:
    """When it fails, at once; when it does not answer, after a bounded time."""
    driver = asked_to_choose()
    say(driver, "", Failure("MODEL", "away"))
    driver.run()
    assert driver.workflow.result is not None
    assert driver.workflow.result["by"] == "order"
    driver = asked_to_choose()
    began = driver.now
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.now < began + CHOICE_WAIT_MAX_MS + 1_000


def test_a_choice_outlasts_a_restart_and_is_made_once() -> None:
    """It is put again after a kill; a late second answer means nothing."""
    driver = asked_to_choose()
    driver.resume()
    assert AskChoice(driver.workflow.workflow_id, TaskId("pick"), 1) in list(outstanding(driver.workflow))
    assert say(driver, '{"index": 1}', revision=2) == []
    assert say(driver, '{"index": 1}') != []
    assert say(driver, '{"index": 2}') == []
    assert sum(isinstance(entry.record, r.ChoiceAnswered) for entry in driver.entries) == 1


def test_what_the_model_sees_is_short() -> None:
    """Of many options the first, of long texts the beginning."""
    many = [{**OFFERS["offers"][0], "offer_id": "x" * 10_000} for _ in range(CHOICES_MAX + 5)]
    choice = choice_of(asked_to_choose({"offers": many}).task("pick"))
    assert len(choice.options) == CHOICES_MAX
    assert all(isinstance(each, dict) and len(each["offer_id"]) == CHOICE_TEXT_CHARS_MAX for each in choice.options)


def test_one_option_needs_no_choice() -> None:
    """Nobody is asked."""
    driver = asked_to_choose({"offers": OFFERS["offers"][:1]})
    driver.run()
    assert driver.workflow.result is not None
    assert driver.workflow.result["by"] == "order"
    assert not any(isinstance(entry.record, r.ChoiceAnswered) for entry in driver.entries)


def test_what_is_chosen_from_does_not_change_once_it_was_asked() -> None:
    """Another answer of the search, between question and answer, is not heard: the place is in the list asked about."""
    driver = asked_to_choose()
    others = {"offers": [{"offer_id": f"forged-{n}", "price": OFFERS["offers"][0]["price"]} for n in range(3)]}
    for number in (1, 2):
        again = e.AttemptEnded(TaskId("rooms"), "do", "call", number, 1, e.Succeeded(others))
        assert list(driver.feed(again)) == []
    say(driver, '{"index": 2}')
    assert driver.task("pick").output == {"index": 2, "option": OFFERS["offers"][2], "by": "model"}
