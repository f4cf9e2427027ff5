"""Reads that start before their plan is there: which may, what becomes of them, and what never happens."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.limits import FORESEEN_AGE_MAX_MS, FORESEEN_MAX, FORESEEN_TASK_CHARS_MAX
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.workflow import Phase, Status
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.audit import breaches_near
from jada_orchestrator.engine.claims import claimable
from jada_orchestrator.engine.dispatching import first_call
from jada_orchestrator.testing.catalogues import Ref, proposal, task, travel_catalogue
from tests.unit.engine.driver import LOST, SOLD_OUT, Driver

ROOMS = task("rooms", "trips.search", city="Lisbon")
SECOND = task("second", "trips.search", city="Porto", after=["rooms"])
NEAR = task("near", "trips.search", city=Ref("rooms.offers[0].offer_id"))
HOLD = task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id"))
PLAN = proposal(ROOMS, HOLD)


def told(driver: Driver, *tasks: JsonObject, call: int | None = None) -> list[Record]:
    """Have tasks of the open question's answer arrive."""
    number = driver.workflow.planning.call if call is None else call
    return [record for one in tasks for record in driver.feed(e.TaskProposed(number, json.dumps(one)))]


def arrived() -> Driver:
    """A driver whose first question is open."""
    driver = Driver()
    driver.arrive()
    return driver


def keys(driver: Driver, task_id: str) -> list[tuple[str, int]]:
    """Key and attempt of every call that went out for a task."""
    return [(call.idempotency_key, call.attempt) for call in driver.calls if call.task_id == task_id]


def test_a_read_that_the_plan_keeps_is_the_tasks_first_attempt() -> None:
    """It goes out before the plan is there, and the plan takes over its answer: one call, one key, nothing again."""
    driver = arrived()
    told(driver, ROOMS)
    driver.run_until_quiet()
    assert driver.workflow.plan is None
    driver.propose(PLAN)
    assert driver.workflow.revision == 1
    driver.run()
    assert driver.workflow.status is Status.COMPLETED
    assert len(keys(driver, "rooms")) == 1
    without = Driver().begin(PLAN).run()
    assert keys(without, "rooms") == keys(driver, "rooms")


def test_a_read_in_flight_stays_in_flight() -> None:
    """A plan that keeps what is under way neither stops nor repeats it."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.propose(PLAN)
    assert list(driver.workflow.active) == [("rooms", "do")]
    driver.run()
    assert keys(driver, "rooms")[0][1] == 1
    assert len(keys(driver, "rooms")) == 1


def test_a_read_that_the_plan_keeps_is_a_task_of_the_plan() -> None:
    """What was foreseen as the plan has it is kept once: the task, before and after a restart, is the plan's own."""
    driver = arrived()
    told(driver, ROOMS, NEAR)
    driver.propose(proposal(ROOMS, NEAR, HOLD))
    for workflow in (driver.workflow, fold(driver.workflow.workflow_id, driver.entries)):
        assert workflow.plan is not None
        assert all(workflow.tasks[planned.id].planned is planned for planned in workflow.plan.tasks)


def test_what_reads_a_foreseen_read_starts_after_it() -> None:
    """A read of another read's output is foreseen at once and called as soon as that one has answered."""
    driver = arrived()
    told(driver, ROOMS, NEAR)
    assert [ref for ref, _ in claimable(driver.workflow)] == [("rooms", "do")]
    driver.run_until_quiet()
    assert [call.task_id for call in driver.calls] == ["rooms", "near"]
    driver.propose(proposal(ROOMS, NEAR, HOLD))
    driver.run()
    assert sorted(call.task_id for call in driver.calls) == ["hold", "near", "rooms"]


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(task("hold", "rooms.hold", offer_id="o-1"), id="it reserves"),
        pytest.param(task("pay", "cards.capture", authorization_id="a", amount={}), id="it commits"),
        pytest.param(task("rooms", "trips.unheard_of"), id="nobody knows the action"),
        pytest.param(task("rooms", "trips.search"), id="an argument is missing"),
        pytest.param(task("rooms", "trips.search", city="Lisbon", colour="red"), id="an argument is unknown"),
        pytest.param(task("rooms", "trips.search", city=Ref("hold.hold_id")), id="it reads what is not there yet"),
        pytest.param(
            task("rooms", "trips.search", after=["hold"], city="Lisbon"), id="it comes after what is not there"
        ),
        pytest.param(task("request", "trips.search", city="Lisbon"), id="its id is none"),
        pytest.param({"id": "rooms"}, id="it is no task"),
        pytest.param({**ROOMS, "more": True}, id="it says more than a task can"),
        pytest.param(["rooms"], id="it is no object"),
    ],
)
def test_whatever_else_waits_for_the_plan(one: JsonObject) -> None:
    """Only a read that is complete, known and sound by itself is foreseen; nothing that has an effect ever is."""
    assert told(arrived(), one) == []


def test_a_read_that_may_not_be_repeated_waits_for_the_plan() -> None:
    """A read that its catalogue does not call idempotent is not made on suspicion."""
    catalogue = travel_catalogue()
    search = replace(catalogue.actions[ActionName("trips.search")], idempotent=False)
    driver = Driver(catalogue=replace(catalogue, actions={**catalogue.actions, search.name: search}))
    driver.arrive()
    assert told(driver, ROOMS) == []


def test_noise_is_left_alone() -> None:
    """Texts that are no JSON, or are larger than any task, lead to nothing."""
    driver = arrived()
    large = json.dumps(task("rooms", "trips.search", city="x" * FORESEEN_TASK_CHARS_MAX))
    for text in ("", "{", "nonsense", "\ud800", large):
        assert driver.feed(e.TaskProposed(1, text)) == []


def test_there_is_a_bound() -> None:
    """One booking starts no more than so many reads early, and each only once."""
    driver = arrived()
    many = [task(f"rooms_{n}", "trips.search", city=f"city {n}") for n in range(FORESEEN_MAX + 3)]
    assert len(told(driver, *many, *many)) == FORESEEN_MAX


def test_only_the_open_question_is_heard() -> None:
    """Tasks of a question that is over, or was never put, lead to nothing; nor do any once there is a plan."""
    driver = arrived()
    assert told(driver, ROOMS, call=0) == told(driver, ROOMS, call=2) == []
    driver.propose(PLAN)
    assert told(driver, ROOMS, call=1) == []


def test_what_the_plan_does_not_keep_is_dropped() -> None:
    """A read that is in flight and not in the plan is no longer outstanding, and its answer means nothing."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.propose(proposal(task("hold", "rooms.hold", offer_id="o-1")))
    assert not driver.workflow.active
    assert set(driver.workflow.tasks) == {"hold"}
    assert driver.feed(e.AttemptEnded(ROOMS["id"], "do", "call", 1, 1, e.Succeeded({"offers": []}))) == []
    driver.run()
    assert driver.workflow.status is Status.COMPLETED


def test_no_key_stands_for_two_things() -> None:
    """The same id with other arguments is another call, under another key: an agent must not answer from memory."""
    driver = arrived()
    told(driver, ROOMS)
    driver.run_until_quiet()
    driver.propose(proposal({**ROOMS, "args": task("rooms", "trips.search", city="Porto")["args"]}, HOLD))
    driver.run()
    (early, _), (late, attempt) = keys(driver, "rooms")
    assert early != late
    assert attempt == 1
    assert driver.workflow.status is Status.COMPLETED


def test_a_failure_that_was_foreseen_fails_no_booking() -> None:
    """A read that failed early is made anew by the plan, as if nobody had tried."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.end("rooms", SOLD_OUT)
    assert driver.workflow.broken is None
    driver.propose(PLAN)
    driver.run()
    assert driver.workflow.status is Status.COMPLETED
    assert len({key for key, _ in keys(driver, "rooms")}) == 2


def test_an_answer_that_is_too_old_is_read_again() -> None:
    """Between the read and its plan hours may pass; what was found so long ago is not built upon, nor what reads it."""
    driver = arrived()
    told(driver, ROOMS, NEAR)
    driver.run_until_quiet()
    driver.fail_planning("wait")
    driver.tick(driver.now + FORESEEN_AGE_MAX_MS + 1)
    driver.propose(proposal(ROOMS, NEAR))
    driver.run()
    assert len({key for key, _ in keys(driver, "rooms")}) == len({key for key, _ in keys(driver, "near")}) == 2


def test_a_corrected_plan_still_takes_over_what_stayed() -> None:
    """Faults send a proposal back; reads of it that the next one has, too, are not made twice."""
    driver = arrived()
    told(driver, ROOMS)
    driver.run_until_quiet()
    driver.propose(proposal(ROOMS, task("hold", "rooms.unheard_of")))
    assert driver.workflow.planning.exchanges
    told(driver, ROOMS)
    driver.propose(PLAN)
    driver.run()
    assert len(keys(driver, "rooms")) == 1


@pytest.mark.parametrize("kind", ["wait", "bad_answer"])
def test_an_answer_that_breaks_off_costs_no_read(kind: e.PlannerFailureKind) -> None:
    """What was read of it before goes on meanwhile, and the answer to the same question takes it over."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.fail_planning(kind)
    driver.run_until_quiet()
    driver.tick()
    driver.propose(PLAN)
    driver.run()
    assert driver.workflow.status is Status.COMPLETED
    assert len(keys(driver, "rooms")) == 1


def test_a_question_to_the_traveller_drops_everything() -> None:
    """Days may pass until the answer: nothing is read meanwhile, and the next plan's keys are new ones."""
    driver = arrived()
    told(driver, ROOMS)
    driver.run_until_quiet()
    driver.propose(proposal(outcome="clarify", reason="?", questions=["When?"]))
    assert not driver.workflow.tasks
    driver.control("answer", "in May")
    told(driver, ROOMS)
    driver.run_until_quiet()
    driver.propose(PLAN)
    driver.run()
    assert driver.workflow.status is Status.COMPLETED
    assert [attempt for _, attempt in keys(driver, "rooms")] == [1, 1]
    assert len({key for key, _ in keys(driver, "rooms")}) == 2


@pytest.mark.parametrize("how", ["cancel", "refuse", "gave up"])
def test_without_a_plan_there_is_nothing_to_undo(how: str) -> None:
    """A booking that ends while reads are in flight just ends, and tells of no task."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    match how:
        case "cancel":
            driver.control("cancel")
        case "refuse":
            driver.propose(proposal(outcome="refuse", reason="No."))
        case _:
            driver.fail_planning("permanent")
    assert driver.workflow.terminal == ("cancelled" if how == "cancel" else "failed")
    assert driver.workflow.outcomes[-1].content["tasks"] == []
    driver.deliver()
    driver.control("retry")
    driver.propose(PLAN)
    driver.run()
    assert driver.workflow.status is Status.COMPLETED


def test_a_kill_while_the_plan_arrives_loses_nothing() -> None:
    """After a crash the read is made again under its key, the question is put again, and all goes on as before."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.resume()
    told(driver, ROOMS)
    assert driver.call("rooms").phase is Phase.READY
    driver.propose(PLAN)
    driver.run()
    assert driver.workflow.status is Status.COMPLETED
    assert [attempt for _, attempt in keys(driver, "rooms")] == [1, 2]
    assert len({key for key, _ in keys(driver, "rooms")}) == 1


def test_a_lost_read_is_simply_made_again() -> None:
    """What is lost before the plan is there is what it would be after: a read, which nobody looks up."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.end("rooms", LOST)
    driver.tick()
    driver.run_until_quiet()
    driver.propose(PLAN)
    driver.run()
    assert driver.workflow.status is Status.COMPLETED


def test_how_much_of_the_plan_was_hidden_is_known() -> None:
    """From the records alone: when the first call went out, and how much of the plan's making ran after that."""
    driver = arrived()
    began = driver.now
    driver.now = type(began)(began + 300)
    told(driver, ROOMS)
    driver.grant_all()
    assert first_call(driver.workflow) is None
    driver.now = type(began)(began + 1_000)
    driver.propose(PLAN)
    first = first_call(driver.workflow)
    assert first is not None
    assert (first.after_ms, first.hidden_ms, first.answer_ms, first.hidden_percent) == (300, 700, 1_000, 70)
    late = Driver().begin(PLAN)
    late.grant_all()
    known = first_call(late.workflow)
    assert known is not None
    assert known.hidden_ms == 0
    assert isinstance(late.entries[known.seq - 1].record, r.AttemptStarted)


def test_an_answer_to_what_was_dropped_is_none_to_the_plans_own_call() -> None:
    """A task of the plan that asks for something else begins with attempt 1, too; the earlier answer is not its own."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    driver.propose(proposal(task("rooms", "trips.search", city="Porto"), HOLD))
    driver.grant_all()
    assert (driver.call("rooms").number, driver.task("rooms").planned.revision) == (1, 2)
    assert driver.feed(e.AttemptEnded(ROOMS["id"], "do", "call", 1, 1, e.Succeeded({"offers": []}))) == []
    assert driver.feed(e.AttemptEnded(ROOMS["id"], "do", "call", 1, 2, e.Succeeded({"offers": []}))) != []


def test_a_turn_in_which_a_read_answers_and_is_dropped_is_audited() -> None:
    """What a turn began with may be gone at its end; its audit then looks at the whole."""
    driver = arrived()
    told(driver, ROOMS)
    driver.grant_all()
    answered = driver.feed(
        e.AttemptEnded(ROOMS["id"], "do", "call", 1, 1, e.Succeeded(driver.agents.do(driver.call_of("rooms"))))
    )
    ended = driver.propose(proposal(outcome="refuse", reason="No."))
    assert breaches_near(driver.workflow, [*answered, *ended]) == []
