"""A workflow as a whole: planning, people, money, time, telling, and being set aside."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.commands import AskPlanner, PublishOutcome, SendToDeadLetter, WaitUntil
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import OutcomeId, Tenant
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import (
    APPROVAL_WAIT_MAX_MS,
    CLARIFICATION_WAIT_MAX_MS,
    CLARIFICATIONS_MAX,
    CORRECTIONS_MAX,
    PLANNER_BAD_ANSWERS_MAX,
    PLANNER_STOPPED_RETRY_MS,
    PLANNING_WAIT_MAX_MS,
)
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.engine import outstanding
from jada_orchestrator.engine.lanes import Lanes
from jada_orchestrator.testing.catalogues import Ref, money, proposal, request, task
from tests.unit.engine.driver import IMPOSSIBLE, LOST, MESSAGE, START, Driver, begun
from tests.unit.engine.plans import booking, captures, one, two_holds

FAULTY = proposal(task("one", "rooms.unheard_of"))
ASKING = proposal(outcome="clarify", reason="?", questions=["Which day?"])


def kinds(records: list[r.Record]) -> list[str]:
    """The names of the records' classes."""
    return [type(record).__name__ for record in records]


# --- Arriving -------------------------------------------------------------------------------------------------------


def test_a_request_is_accepted_and_planned() -> None:
    """A request without an ordering key waits for nobody."""
    driver = Driver()
    assert kinds(driver.arrive()) == ["WorkflowAccepted", "PlanningStarted"]
    assert AskPlanner(driver.workflow.workflow_id, 1) in set(outstanding(driver.workflow))


def test_a_request_with_an_ordering_key_waits_for_its_turn() -> None:
    """It is accepted, and planned once its turn has come; that comes once."""
    driver = Driver(booking=replace(request(), ordering_key="customer"))
    assert kinds(driver.arrive()) == ["WorkflowAccepted"]
    assert kinds(driver.feed(e.TurnCame())) == ["PlanningStarted"]
    assert driver.feed(e.TurnCame()) == []


def test_the_same_request_again_leads_to_nothing_while_it_runs() -> None:
    """A duplicate neither starts nor restarts anything, and does not change the model."""
    driver = begun(booking())
    assert driver.arrive() == []
    assert driver.feed(e.RequestArrived(driver.request, "d1", MESSAGE, "model-2")) == []
    assert driver.workflow.model == "model-1"


def test_the_same_request_again_has_its_outcome_told_again() -> None:
    """A finished request that comes again is answered again, under the same id."""
    driver = begun(one()).run()
    assert driver.arrive() == [], "the outcome is still to be published for the first time"
    driver.deliver()
    assert driver.workflow.is_done
    assert kinds(driver.arrive()) == ["OutcomeReopened"]
    (command,) = outstanding(driver.workflow)
    assert isinstance(command, PublishOutcome)
    assert command.outcome_id == driver.workflow.outcomes[-1].outcome_id


def test_a_refused_message_is_told_and_kept() -> None:
    """It ends at once as rejected, with every fault, and the message goes to the dead-letter queue."""
    driver = Driver()
    fault = Fault("BAD_SHAPE", "text", "is not there")
    refused = e.RequestRefused(None, Tenant("acme"), "q", "BAD_REQUEST", (fault,), MESSAGE)
    assert kinds(driver.feed(refused)) == ["WorkflowRejected", "OutcomeDecided", "DeadLetterDecided"]
    content = driver.workflow.outcomes[0].content
    assert content["error"]["faults"] == [{"code": "BAD_SHAPE", "where": "text", "message": "is not there"}]
    assert SendToDeadLetter(driver.workflow.workflow_id) in set(outstanding(driver.workflow))
    assert driver.feed(refused) == []
    driver.deliver()
    assert driver.workflow.is_done


@pytest.mark.parametrize(
    "event", [e.TimerFired(), e.Resumed(), e.TurnCame(), e.ControlArrived("cancel", "ann"), e.DeadLettered()]
)
def test_nothing_is_decided_for_what_does_not_exist(event: e.Event) -> None:
    """Only a request, or the refusal of one, begins a workflow."""
    assert Driver().feed(event) == []


# --- Planning -------------------------------------------------------------------------------------------------------


def test_faults_go_back_at_most_twice() -> None:
    """After two corrections the faults are the answer: failed, told, and kept as a dead letter."""
    driver = Driver()
    driver.arrive()
    for _ in range(CORRECTIONS_MAX):
        assert kinds(driver.propose(FAULTY)) == ["PlannerAnswered", "ProposalFaulted"]
    ended = driver.propose(FAULTY)
    assert kinds(ended) == ["PlannerAnswered", "WorkflowEnded", "OutcomeDecided", "DeadLetterDecided"]
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "PLAN_FAULTED"
    assert "rooms.unheard_of" in driver.workflow.failure.message
    assert driver.workflow.usage.usd == "0.03"


def test_a_correction_shows_what_was_wrong() -> None:
    """The next question carries the answer and its faults."""
    driver = Driver()
    driver.arrive()
    driver.propose(FAULTY)
    (exchange,) = driver.workflow.planning.exchanges
    assert [fault.code for fault in exchange.faults] == ["UNKNOWN_ACTION"]
    driver.propose(one())
    assert driver.workflow.status == "running"


@pytest.mark.parametrize("call", [0, 2, 99])
def test_an_answer_to_another_question_is_not_heard(call: int) -> None:
    """Questions are numbered, and only the open one is answered."""
    driver = Driver()
    driver.arrive()
    assert driver.propose(one(), call=call) == []
    assert driver.fail_planning("permanent", call=call) == []


def test_a_refusal_is_an_answer() -> None:
    """What the model says cannot be done has failed, with its reason; it is no dead letter."""
    driver = Driver()
    driver.arrive()
    driver.propose(proposal(outcome="refuse", reason="No trains to the Moon."))
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.message == "No trains to the Moon."
    assert driver.workflow.dead_letter == "none"


def test_questions_are_asked_and_answered() -> None:
    """A question is an outcome; its answer goes on with planning; answering twice leads to nothing."""
    driver = Driver()
    driver.arrive()
    driver.propose(ASKING)
    assert driver.told() == ["needs_clarification"]
    assert driver.workflow.outcomes[0].content["questions"] == ["Which day?"]
    assert kinds(driver.control("answer", "Monday")) == ["ClarificationAnswered"]
    assert driver.control("answer", "Tuesday") == []
    assert driver.workflow.planning.clarifications[0].answer == "Monday"


def test_rounds_of_questions_have_an_end() -> None:
    """A planner that still asks after the last round does not know what it wants."""
    driver = Driver()
    driver.arrive()
    for _ in range(CLARIFICATIONS_MAX):
        driver.propose(ASKING)
        driver.control("answer", "Monday")
    driver.propose(ASKING)
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "TOO_MANY_QUESTIONS"


def test_questions_do_not_wait_for_ever() -> None:
    """Nobody answered in time: the request has failed."""
    driver = Driver()
    driver.arrive()
    driver.propose(ASKING)
    driver.tick()
    assert driver.now == START + CLARIFICATION_WAIT_MAX_MS
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "CLARIFICATION_EXPIRED"


def test_a_planner_in_trouble_is_asked_again_for_a_day() -> None:
    """Passing trouble never fails a request before a day is over, and is never a reason to hurry."""
    driver = Driver()
    driver.arrive()
    waits = []
    while not driver.workflow.is_terminal:
        began = driver.now
        driver.fail_planning("wait")
        if not driver.workflow.is_terminal:
            driver.tick()
            waits.append(driver.now - began)
    assert waits[0] <= 500
    assert 45_000 <= waits[-1] <= 60_000
    assert driver.now - START > PLANNING_WAIT_MAX_MS - 120_000
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "PLANNER_UNAVAILABLE"
    assert driver.workflow.dead_letter == "wanted"


def test_a_question_without_any_answer_ends_after_a_day() -> None:
    """Also a call to the planner that never ends has an end."""
    driver = Driver()
    driver.arrive()
    driver.tick()
    assert driver.now == START + PLANNING_WAIT_MAX_MS
    assert driver.workflow.terminal == "failed"


def test_what_the_service_asks_for_is_waited() -> None:
    """A retry-after is honoured."""
    driver = Driver()
    driver.arrive()
    driver.fail_planning("wait", retry_after_ms=30_000)
    assert driver.workflow.planning.until == START + 30_000


def test_a_stopped_planner_is_tried_once_a_minute() -> None:
    """Spend stops and bad keys cost a request nothing but time."""
    driver = Driver()
    driver.arrive()
    driver.fail_planning("stopped")
    assert driver.workflow.planning.until == START + PLANNER_STOPPED_RETRY_MS


def test_bad_answers_are_billed_and_have_an_end() -> None:
    """Each unusable answer costs money; after the third the request is given up."""
    driver = Driver()
    driver.arrive()
    for _ in range(PLANNER_BAD_ANSWERS_MAX - 1):
        driver.fail_planning("bad_answer")
        driver.tick()
    driver.fail_planning("bad_answer")
    assert driver.workflow.terminal == "failed"
    assert driver.workflow.usage.usd == "0.03"


def test_a_permanent_failure_ends_at_once() -> None:
    """A request that can never be planned is a dead letter."""
    driver = Driver()
    driver.arrive()
    assert kinds(driver.fail_planning("permanent"))[-1] == "DeadLetterDecided"


# --- Cancel ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planned", [False, True])
def test_cancel_before_anything_was_done(planned: bool) -> None:
    """It ends as cancelled, and nothing is called."""
    driver = begun(booking()) if planned else Driver()
    if not planned:
        driver.arrive()
    driver.control("cancel", "changed my mind")
    assert driver.workflow.terminal == "cancelled"
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.message == "cancelled by ann: changed my mind"
    assert driver.control("cancel") == []


@pytest.mark.parametrize("at", ["rooms", "hold", "authorize", "book", "capture"])
@pytest.mark.parametrize("done", [False, True])
def test_cancel_at_every_point(at: str, done: bool) -> None:
    """Whatever was done, or may be under way, is undone; nothing stands, and it ends as cancelled."""
    driver = begun(booking())
    driver.run(until=at)
    if done:
        driver.agents.do(driver.call_of(at))
    driver.control("cancel")
    if (at, "do") in driver.workflow.active:
        driver.end(at, LOST)
    driver.run()
    assert driver.workflow.terminal == "cancelled"
    assert driver.standing() == []


def test_cancel_while_undoing_is_how_it_ends() -> None:
    """A cancel that comes during compensation is heard: what was wanted in the end is what is told."""
    driver = begun(booking())
    driver.mishap("book", IMPOSSIBLE)
    driver.run(until="undo authorize")
    assert kinds(driver.control("cancel")) == ["CancelRequested"]
    driver.run()
    assert driver.told() == ["cancelled"]


def test_cancel_while_a_person_is_asked() -> None:
    """A booking that waits for approval or an answer is cancelled like any other."""
    driver = begun(captures("100.00"), approve_above=money("10.00 USD"))
    driver.run_until_quiet()
    driver.control("cancel")
    assert driver.workflow.terminal == "cancelled"


# --- Money ----------------------------------------------------------------------------------------------------------


def test_small_sums_need_nobody() -> None:
    """At or below the bound nothing is asked."""
    driver = begun(captures("10.00"), approve_above=money("10.00 USD")).run()
    assert driver.told() == ["completed"]


def test_approval_is_asked_once_before_anything_is_committed() -> None:
    """The sum of all commits counts, those to come as well where it can be told: one question, and none gone before."""
    driver = begun(captures("8.00", "8.00"), approve_above=money("10.00 USD"))
    driver.run_until_quiet()
    assert driver.workflow.status == "awaiting_approval"
    assert driver.workflow.outcomes[-1].content["approval"] == {
        "amount": {"amount": "16.00", "currency": "USD"},
        "task_id": "pay_0",
    }
    assert driver.names("do") == []
    assert kinds(driver.control("approve")) == ["ApprovalDecided"]
    assert driver.control("approve") == []
    driver.run()
    assert driver.told() == ["awaiting_approval", "completed"]


def test_no_ticket_is_issued_before_the_payment_is_approved() -> None:
    """A commit without an amount waits, too, when a payment that follows it is known to need a person."""
    driver = begun(booking(), approve_above=money("10.00 USD"))
    driver.run_until_quiet()
    assert driver.workflow.status == "awaiting_approval"
    assert driver.workflow.outcomes[-1].content["approval"]["task_id"] == "capture"
    assert driver.names("do") == ["rooms", "hold", "authorize"]
    driver.control("approve")
    driver.run()
    assert driver.told() == ["awaiting_approval", "completed"]


def test_nothing_is_committed_for_a_payment_that_will_be_refused() -> None:
    """What is known to end above `max_total` fails at the first commit, not after the ticket."""
    driver = begun(booking(), max_total=money("10.00 USD")).run()
    assert driver.workflow.terminal == "compensated"
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.message == (
        "book (rooms.book): capture would bring the total to 100.00 USD; the request allows 10.00 USD; "
        "no other plan was found: the planner did not answer in time"
    )
    assert driver.names("do") == ["rooms", "hold", "authorize"]


def test_more_than_was_approved_is_asked_for_anew() -> None:
    """An amount that only a commit's own answer tells is asked for when it is told, on top of what was granted."""
    plan = proposal(
        task("pay_0", "cards.capture", authorization_id="x", amount={"amount": "100.00", "currency": "USD"}),
        task("pay_1", "cards.capture", authorization_id="y", amount=Ref("pay_0.amount")),
    )
    driver = begun(plan, approve_above=money("10.00 USD"))
    driver.run_until_quiet()
    driver.control("approve")
    driver.run_until_quiet()
    assert driver.told() == ["awaiting_approval"] * 2
    assert driver.workflow.outcomes[-1].content["approval"]["amount"]["amount"] == "200.00"
    driver.control("approve")
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_a_second_commit_waits_for_the_same_person() -> None:
    """While one question is open no second is put, and no commit goes past it."""
    driver = begun(captures("100.00", "200.00"), approve_above=money("10.00 USD"))
    driver.grant("pay_0")
    assert driver.grant("pay_1") == []
    assert driver.told() == ["awaiting_approval"]
    driver.control("approve")
    driver.run()
    assert driver.told() == ["awaiting_approval", "completed"]


@pytest.mark.parametrize(("how", "code"), [("deny", "APPROVAL_DENIED"), ("expire", "APPROVAL_EXPIRED")])
def test_what_is_not_approved_is_undone(how: str, code: str) -> None:
    """Denied, or not decided in time: nothing is committed and what was held is given back."""
    driver = begun(booking(), approve_above=money("10.00 USD"))
    driver.run_until_quiet()
    if how == "deny":
        driver.control("deny")
    else:
        driver.tick(driver.now + APPROVAL_WAIT_MAX_MS)
    driver.run()
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == code
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


@pytest.mark.parametrize("command", ["approve", "deny", "answer", "release"])
def test_words_that_answer_no_question_lead_to_nothing(command: str) -> None:
    """Nobody asked, so nothing follows."""
    assert begun(booking()).control(command) == []


@pytest.mark.parametrize(
    ("plan", "code"),
    [
        (captures("60.00", "60.00"), "OVER_BUDGET"),
        (captures("60.00", "30.00", currency="EUR"), "CURRENCY_MISMATCH"),
    ],
)
def test_never_more_is_committed_than_the_request_allows(plan: dict[str, object], code: str) -> None:
    """The commit that would exceed the bound, or cannot be compared with it, is not sent."""
    driver = Driver(booking=request(max_total="100.00 USD"))
    driver.arrive()
    driver.propose(plan)
    if driver.workflow.plan is None:
        faults = driver.workflow.planning.exchanges[0].faults
        assert code in {fault.code for fault in faults}
        return
    driver.run()
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == code


def test_a_bound_that_only_shows_at_run_time_is_kept() -> None:
    """Amounts that agents name are checked when they are there; what was done until then is undone."""
    driver = Driver(booking=request(max_total="99.00 USD")).begin(booking())
    driver.run()
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "OVER_BUDGET"
    assert driver.workflow.terminal == "compensated"
    assert driver.standing() == []


# --- Time -----------------------------------------------------------------------------------------------------------


def test_after_its_deadline_everything_is_undone() -> None:
    """Nothing new is started after the request's deadline, and what stands is given back."""
    driver = begun(booking(), deadline=START + 60_000)
    driver.run(until="authorize")
    driver.tick(START + 60_000)
    driver.run()
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "DEADLINE_EXCEEDED"
    assert driver.workflow.terminal == "compensated"


@pytest.mark.parametrize("stage", ["accepted", "planning", "needs_clarification"])
def test_a_deadline_holds_before_anything_runs(stage: str) -> None:
    """Whatever the workflow waits for, its deadline ends it."""
    bounds = replace(request().constraints, deadline=UtcMs(START + 1_000))
    driver = Driver(booking=replace(request(), constraints=bounds, ordering_key="k" if stage == "accepted" else None))
    driver.arrive()
    if stage == "needs_clarification":
        driver.propose(ASKING)
    assert driver.workflow.status == stage
    assert WaitUntil(driver.workflow.workflow_id, UtcMs(START + 1_000)) in set(outstanding(driver.workflow))
    driver.tick()
    assert driver.workflow.terminal == "failed"


def test_a_timer_that_fires_early_decides_nothing() -> None:
    """What is due is read from the state, not from the fact that a timer fired."""
    driver = begun(booking(), deadline=START + 60_000)
    driver.grant_all()
    assert driver.tick(START + 10) == []


def test_instants_never_go_back() -> None:
    """Whatever the host's clock does, a workflow's own instants only grow."""
    driver = begun(two_holds())
    driver.now = type(driver.now)(START - 60_000)
    driver.run()
    instants = [entry.at for entry in driver.entries]
    assert instants == sorted(instants)
    assert driver.workflow.terminal == "completed"


# --- Telling --------------------------------------------------------------------------------------------------------


def test_an_outcome_is_outstanding_until_it_was_taken() -> None:
    """Once, under one id; a publication of something else changes nothing."""
    driver = begun(one()).run()
    outcome = driver.workflow.outcomes[0]
    assert outcome.outcome_id == f"{driver.workflow.workflow_id}.1"
    assert driver.feed(e.OutcomePublished(OutcomeId("other"))) == []
    assert not driver.workflow.is_done
    assert kinds(driver.feed(e.OutcomePublished(outcome.outcome_id))) == ["OutcomeDelivered"]
    assert driver.feed(e.OutcomePublished(outcome.outcome_id)) == []
    assert driver.workflow.is_done


def test_an_outcome_says_what_the_contract_says() -> None:
    """Every field of `data` is there."""
    content = begun(one()).run().workflow.outcomes[0].content
    assert {"request_id", "workflow_id", "tenant", "status", "result", "error", "questions", "tasks"} <= content.keys()
    assert {"cost", "plan_revision", "model"} <= content.keys()
    assert content["tasks"] == [{"id": "hold", "action": "rooms.hold", "status": "succeeded", "attempts": 1}]
    assert content["cost"]["usd"] == "0.01"


# --- Set aside ------------------------------------------------------------------------------------------------------


def test_in_quarantine_nothing_is_heard_and_nothing_is_outstanding() -> None:
    """A workflow that is set aside does nothing, tells nothing, and hears nothing but its release."""
    driver = begun(two_holds())
    driver.grant("hold_a")
    output = e.Succeeded(driver.agents.do(driver.call_of("hold_a")))
    driver.feed(e.LawBroken("the story"))
    assert list(outstanding(driver.workflow)) == []
    assert driver.end("hold_a", output) == []
    assert driver.control("cancel") == []
    assert driver.feed(e.LawBroken("again")) == []


def test_after_release_it_goes_on_with_what_was_lost_meanwhile() -> None:
    """What was in flight is unknown by then, and found out like any other."""
    driver = begun(two_holds())
    driver.grant("hold_a")
    driver.agents.do(driver.call_of("hold_a"))
    driver.feed(e.LawBroken("the story"))
    assert "Released" in kinds(driver.control("release"))
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.agents.books.doubled == []


# --- Lanes ----------------------------------------------------------------------------------------------------------


def test_lanes_run_one_after_another_and_apart() -> None:
    """In a lane the first goes and the next follows when it leaves; another lane is not held up."""
    lanes = Lanes()
    first, second, third = (Workflow(x).workflow_id for x in ("a", "b", "c"))  # type: ignore[arg-type] # names will do
    assert lanes.join("k", first)
    assert not lanes.join("k", second)
    assert not lanes.join("k", third)
    assert lanes.join("k", first)
    assert lanes.join("other", third)
    assert lanes.leave("k", second) is None
    assert lanes.leave("k", first) == third
    assert lanes.leave("k", first) is None
    assert lanes.leave("k", third) is None
