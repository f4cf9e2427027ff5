"""Conditions, lists and alternatives: what is called, what is skipped, and what is left when it goes wrong."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import idempotency_key_of
from jada_orchestrator.domain.limits import FOR_EACH_MAX, PLAN_TASKS_MAX
from jada_orchestrator.domain.workflow import Phase, TaskStatus
from jada_orchestrator.testing.catalogues import Ref, money, proposal, request, task
from tests.unit.engine.branching import DEAR, alternative, conditional, for_each
from tests.unit.engine.driver import BUSY, DONE_BUT_LOST, IMPOSSIBLE, LOST, SILENT, SOLD_OUT, Driver, begun

ROOMS = [f"o-{n}" for n in range(3)]


def offers(count: int) -> e.Succeeded:
    """What a search finds: so many offers at 100."""
    price = {"amount": "100.00", "currency": "USD"}
    return e.Succeeded({"offers": [{"offer_id": f"o-{n}", "price": price} for n in range(count)]})


def records_of(driver: Driver, kind: type) -> list[object]:
    """The records of one kind, in order."""
    return [entry.record for entry in driver.entries if isinstance(entry.record, kind)]


# --- Conditions -------------------------------------------------------------------------------------------------------


def test_a_branch_whose_condition_holds_is_called() -> None:
    """Everything that carries the condition is called, and what it delivers is counted in."""
    driver = begun(conditional(above=50)).run()
    assert driver.told() == ["completed"]
    assert driver.workflow.result["seat"]
    assert [record.task_id for record in records_of(driver, r.BranchTaken)] == ["seat", "book_seat"]  # type: ignore[attr-defined]


def test_a_branch_whose_condition_does_not_hold_is_skipped_and_that_is_no_failure() -> None:
    """The rest goes on without it; its line of the result is null."""
    driver = begun(conditional(above=500)).run()
    assert driver.told() == ["completed"]
    assert driver.workflow.result["seat"] is None
    assert driver.workflow.result["booking"]
    assert {driver.task(name).status for name in ("seat", "book_seat")} == {TaskStatus.SKIPPED}
    assert driver.standing() == ["cards.authorize", "rooms.book", "rooms.hold"]


def test_a_verdict_is_a_record_and_replay_does_not_judge_again() -> None:
    """After a kill right behind the verdict the same branch is taken, from the record alone."""
    driver = begun(conditional(above=50)).run(until="seat")
    assert len(records_of(driver, r.BranchTaken)) == 1
    driver.resume()
    driver.run()
    assert driver.told() == ["completed"]
    assert [record.task_id for record in records_of(driver, r.BranchTaken)] == ["seat", "book_seat"]  # type: ignore[attr-defined]


def test_a_condition_reads_what_was_skipped_as_null() -> None:
    """A condition waits for all that it looks at, and takes what is not there as null: if, else."""
    plan = proposal(
        task("check", "checks.request"),
        task("yes", "trips.search", when="check.valid", city="Lisbon"),
        task("no", "trips.search", when="!(check.valid)", city="Porto"),
        task("tell", "checks.request", day=Ref("not_null(yes.offers, no.offers) | [0].day")),
        result={"offers": "not_null(yes.offers, no.offers)"},
    )
    driver = begun(plan).run()
    assert driver.told() == ["completed"]
    assert driver.workflow.result["offers"]
    assert {driver.task("yes").do.phase, driver.task("no").do.phase} == {Phase.SUCCEEDED, Phase.SKIPPED}


def test_an_order_after_what_was_skipped_is_satisfied() -> None:
    """A task that only comes after a skipped one runs."""
    plan = conditional(above=500)
    next(each for each in plan["tasks"] if each["id"] == "book")["after"] = ["seat"]
    assert begun(plan).run().told() == ["completed"]


def test_what_reads_a_skipped_task_is_skipped_once_all_is_over() -> None:
    """Skipping goes on along data; and it is concluded only when everything that the reader comes after is over."""
    plan = proposal(
        task("first", "trips.search", city="Lisbon", optional=True),
        task("slow", "rooms.hold", offer_id="o-1"),
        task("second", "trips.search", city=Ref("first.note"), after=["slow"], optional=True),
        task("last", "mail.send", text="x", after=["second"]),
    )
    driver = begun(plan)
    driver.mishap("first", SOLD_OUT)
    driver.run(until="slow")
    driver.grant_all()
    driver.end("first", SOLD_OUT)
    assert driver.task("second").do.phase is Phase.WAITING
    driver.end("slow", e.Succeeded(driver.agents.do(driver.call_of("slow"))))
    assert driver.task("second").do.phase is Phase.SKIPPED
    assert driver.run().told() == ["completed"]


def test_a_condition_that_cannot_be_evaluated_fails_its_task() -> None:
    """What an answer makes impossible to judge is not taken for false."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", when="length(rooms.note) > `1`", offer_id="o-1"),
    )
    driver = begun(plan)
    driver.mishap("rooms", offers(1))
    driver.run()
    assert driver.told() == ["failed"]
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "INPUT_UNRESOLVED"


# --- Lists ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_a_task_is_called_once_for_each_item(count: int) -> None:
    """Side by side, each with its own item, number and key; joined in the order of the items."""
    driver = begun(for_each())
    driver.mishap("rooms", offers(count))
    driver.run()
    assert driver.told() == ["completed"]
    assert {f"hold[{n}]" for n in range(count)} in driver.waves
    inputs = [driver.task(f"hold[{n}]").do.input for n in range(count)]
    assert inputs == [{"offer_id": f"o-{n}", "guests": n} for n in range(count)]
    keys = {call.idempotency_key for call in driver.calls if call.task_id.startswith("hold[")}
    assert keys == {idempotency_key_of(driver.workflow.workflow_id, 1, f"hold[{n}]") for n in range(count)}  # type: ignore[arg-type]
    booked = [driver.task(f"book[{n}]").output or {} for n in range(count)]
    assert driver.workflow.result["bookings"] == [output["booking_id"] for output in booked]


def test_an_empty_list_is_joined_at_once() -> None:
    """Nothing is called, and readers see an empty list."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", for_each="rooms.offers[?stars == `9`]", offer_id=Ref("item.offer_id")),
        result={"holds": "hold[*].hold_id", "all": "hold"},
    )
    driver = begun(plan).run()
    assert driver.told() == ["completed"]
    assert driver.workflow.result == {"holds": [], "all": []}
    assert driver.standing() == []


def test_a_list_that_is_too_long_is_a_failure_and_never_cut_off() -> None:
    """One item more than the bound: nothing is called for any of them."""
    driver = begun(for_each())
    driver.mishap("rooms", offers(FOR_EACH_MAX + 1))
    driver.run()
    assert driver.told() == ["failed"]
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "LIST_TOO_LONG"
    assert driver.names("do") == ["rooms"]


def test_lists_and_the_rest_of_the_plan_share_one_bound() -> None:
    """Two lists that fit by themselves do not fit together: the second one fails, and the first is undone."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", for_each="rooms.offers", offer_id=Ref("item.offer_id")),
        task("seat", "seats.hold", for_each="hold", offer_id=Ref("item.hold_id")),
    )
    driver = begun(plan)
    driver.mishap("rooms", offers(FOR_EACH_MAX))
    driver.run()
    assert driver.told() == ["compensated"]
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "LIST_TOO_LONG"
    assert driver.standing() == []
    assert len(driver.workflow.tasks) <= PLAN_TASKS_MAX


def test_what_is_no_list_fails_the_task() -> None:
    """A list that an answer lacks is a failure of the task that wants it."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("more", "trips.search", for_each="rooms.note && rooms.offers", city="Porto"),
    )
    driver = begun(plan)
    driver.mishap("rooms", offers(1))
    driver.run()
    assert driver.told() == ["failed"]
    assert driver.workflow.failure is not None
    assert "rooms.note && rooms.offers" in driver.workflow.failure.message


def test_one_call_that_fails_undoes_all_the_others() -> None:
    """The calls of a required task are required; what they did is undone by their own undos."""
    driver = begun(for_each())
    driver.mishap("rooms", offers(3))
    driver.mishap("hold[1]", SOLD_OUT)
    driver.run()
    assert driver.told() == ["compensated"]
    assert sorted(driver.names("undo")) == ["hold[0]", "hold[2]"]
    assert driver.standing() == []


def test_calls_are_undone_after_what_reads_them() -> None:
    """Bookings are cancelled before the holds that they stand on, whichever call it was."""
    driver = begun(for_each())
    driver.mishap("rooms", offers(2))
    driver.mishap("order", SOLD_OUT)
    driver.run()
    assert driver.told() == ["compensated"]
    undone = driver.names("undo")
    assert set(undone[:2]) == {"book[0]", "book[1]"}
    assert set(undone) == {"book[0]", "book[1]", "authorize", "hold[0]", "hold[1]"}


def test_an_optional_list_leaves_holes_where_calls_failed() -> None:
    """Each call is optional by itself: the list has null in the place of one that failed."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("more", "trips.search", for_each="rooms.offers", city=Ref("item.offer_id"), optional=True),
        result={"notes": "more"},
    )
    driver = begun(plan)
    driver.mishap("rooms", offers(3))
    driver.mishap("more[1]", SOLD_OUT)
    driver.run()
    assert driver.told() == ["completed"]
    notes = driver.workflow.result["notes"]
    assert [note is None for note in notes] == [False, True, False]


def test_a_call_of_a_list_is_looked_up_and_called_again_like_any_other() -> None:
    """Each call has its own attempts, lookups and fate."""
    driver = begun(for_each())
    driver.mishap("rooms", offers(2))
    driver.mishap("hold[0]", DONE_BUT_LOST)
    driver.mishap("hold[1]", BUSY)
    driver.run()
    assert driver.told() == ["completed"]
    assert driver.task("hold[0]").do.lookups == 1
    assert driver.task("hold[1]").do.attempts == 2


def test_a_list_survives_a_kill_at_every_point() -> None:
    """Wherever the process is killed, the same calls are made under the same keys, and nothing twice."""
    whole = begun(for_each())
    whole.mishap("rooms", offers(2))
    whole.run()
    for point in ("rooms", "hold[0]", "hold[1]", "quote", "book[0]", "book[1]"):
        driver = begun(for_each())
        driver.mishap("rooms", offers(2))
        driver.run(until=point)
        driver.resume()
        driver.run()
        assert driver.told() == ["completed"], point
        assert driver.standing() == whole.standing(), point
        assert not driver.agents.books.doubled, point


def test_money_of_a_list_is_bounded_as_a_whole() -> None:
    """How much it comes to nobody knows before the list is there; above the bound, not one of its calls is made."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("pay", "cards.capture", for_each="rooms.offers", authorization_id="a", amount=Ref("item.price")),
    )
    driver = begun(plan, max_total=money("250.00 USD"))
    driver.mishap("rooms", offers(3))
    driver.run()
    assert driver.told() == ["failed"]
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "OVER_BUDGET"
    assert driver.names("do") == ["rooms"]


def test_a_payment_under_a_condition_counts_beforehand_where_the_condition_is_known_to_hold() -> None:
    """With the condition true its money is asked for before the first commit; with it false, nobody is asked."""
    for above, asked in ((50, True), (500, False)):
        plan = proposal(
            task("rooms", "trips.search", city="Lisbon"),
            task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
            task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id="x"),
            task(
                "pay",
                "cards.capture",
                when=DEAR.format(above),
                after=["book"],
                authorization_id="x",
                amount=Ref("hold.total"),
            ),
        )
        driver = begun(plan, approve_above=money("10.00 USD"))
        driver.run_until_quiet()
        assert (driver.workflow.status == "awaiting_approval") is asked
        assert ("book" in driver.names("do")) is not asked


def test_a_hold_of_a_list_that_ran_out_is_renewed_before_it_is_used() -> None:
    """Who reads the list stands on each of its calls: the one that ran out is reserved anew, the others stay."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", for_each="rooms.offers", offer_id=Ref("item.offer_id")),
        task("wait", "checks.request", after=["hold"]),
        task("book", "rooms.book", after=["wait"], hold_id=Ref("hold[0].hold_id"), authorization_id="x"),
    )
    driver = begun(plan)
    driver.mishap("rooms", offers(2))
    driver.mishap("wait", SILENT, SILENT)
    driver.run(until="wait")
    assert {str(name) for name in driver.task("book").planned.takes} >= {"hold", "hold[0]", "hold[1]"}
    expires_at = driver.task("hold[0]").expires_at
    assert expires_at is not None
    driver.now = expires_at
    driver.run()
    assert driver.task("hold[0]").refreshes == 1
    assert driver.told() in (["completed"], ["needs_attention"])


# --- Alternatives -----------------------------------------------------------------------------------------------------


def test_a_stand_in_is_skipped_where_its_primary_succeeds() -> None:
    """The usual case: one call, and the other never leaves."""
    driver = begun(alternative()).run()
    assert driver.told() == ["completed"]
    assert "other" not in driver.names("do")
    assert driver.task("other").status is TaskStatus.SKIPPED
    assert driver.workflow.result["other"] is None


def test_a_stand_in_is_called_on_a_listed_code_and_read_under_its_primarys_name() -> None:
    """The failure breaks nothing, and everybody reads what the stand-in delivered."""
    driver = begun(alternative())
    driver.mishap("hold", SOLD_OUT)
    driver.run()
    assert driver.told() == ["completed"]
    output = driver.task("other").output or {}
    assert (driver.task("book").do.input or {})["hold_id"] == output["hold_id"]
    assert driver.workflow.result["hold"] == driver.workflow.result["other"] == output["hold_id"]


def test_another_code_breaks_the_booking_as_ever() -> None:
    """What is not listed is a failure."""
    driver = begun(alternative())
    driver.mishap("hold", e.Failed(Failure("CLOSED", "closed"), retryable=False, answered=True))
    driver.run()
    assert driver.told() == ["failed"]
    assert "other" not in driver.names("do")


def test_a_stand_in_that_fails_breaks_the_booking() -> None:
    """When neither can be had, what there is is undone."""
    driver = begun(alternative())
    driver.mishap("hold", SOLD_OUT)
    driver.mishap("other", SOLD_OUT)
    driver.run()
    assert driver.told() == ["failed"]
    assert driver.standing() == []


def test_nothing_stands_in_for_what_may_have_been_done() -> None:
    """A primary whose fate stays unknown is undone with the whole: never do two effects stand."""
    plan = alternative()
    for each in plan["tasks"][1:3]:
        each["action"] = "orders.create"
        total = json.dumps({"amount": f"{len(each['args'])}.00", "currency": "USD"})
        each["args"] = [{"name": "total", "kind": "const", "value": total}]
        each["after"] = ["rooms"]
    plan["tasks"] = plan["tasks"][:3]
    plan["result"] = []
    plan["tasks"][2]["control"][1:] = [{"kind": "on_code", "value": code} for code in ("CUT", "UNRESOLVED")]
    driver = begun(plan)
    driver.mishap("hold", LOST)
    driver.run()
    assert "other" not in driver.names("do")
    assert driver.told() == ["needs_attention"]


def test_going_on_does_not_do_again_what_a_stand_in_did() -> None:
    """An operator has it go on after a later failure: the primary that failed is not called beside its stand-in."""
    driver = begun(alternative(), on_failure="ask")
    driver.mishap("hold", SOLD_OUT)
    driver.mishap("book", IMPOSSIBLE)
    driver.run_until_quiet()
    driver.control("deny")
    driver.run()
    assert driver.told()[-1] == "needs_attention"
    driver.control("retry")
    driver.run()
    assert driver.told()[-1] == "completed"
    assert driver.names("do").count("hold") == 1
    assert driver.names("do").count("other") == 1


def test_going_on_after_all_was_undone_decides_anew() -> None:
    """Everything was undone: the primary is tried once more, and this time it is there."""
    driver = begun(alternative())
    driver.mishap("hold", SOLD_OUT)
    driver.mishap("book", IMPOSSIBLE)
    driver.run()
    assert driver.told() == ["compensated"]
    driver.control("retry")
    driver.run()
    assert driver.told()[-1] == "completed"
    assert driver.task("other").status is TaskStatus.SKIPPED


def either_list(above: int) -> JsonObject:
    """Hold what a second search found, or, where it was not made, what the first one did."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("more", "trips.search", when=DEAR.format(above), city="Porto"),
        task("hold", "rooms.hold", for_each="not_null(more.offers, rooms.offers)", offer_id=Ref("item.offer_id")),
        result={"holds": "hold[*].hold_id"},
    )


@pytest.mark.parametrize("above", [50, 500])
def test_a_list_is_read_of_whichever_branch_was_taken(above: int) -> None:
    """A list that names what else to take is no part of the branch that was skipped."""
    driver = begun(either_list(above))
    driver.mishap("rooms", offers(2))
    driver.mishap("more", offers(3))
    driver.run()
    assert driver.told() == ["completed"]
    assert len(driver.workflow.result["holds"]) == (3 if above == 50 else 2)


@pytest.mark.parametrize("above", [50, 500])
def test_going_on_with_a_list_of_either_branch(above: int) -> None:
    """When all was undone, the branch is decided anew, and so is the list."""
    driver = begun(either_list(above))
    driver.mishap("rooms", offers(2))
    driver.mishap("more", offers(2))
    driver.mishap("hold[1]", SOLD_OUT)
    driver.run()
    assert driver.told() == ["compensated"]
    driver.mishap("more", offers(3))
    driver.control("retry")
    driver.run()
    assert driver.told()[-1] == "completed"
    assert len(driver.workflow.result["holds"]) == 2


def test_going_on_with_a_list() -> None:
    """The calls that failed or were undone are made again under new keys; the list is the one that was read."""
    driver = begun(for_each())
    driver.mishap("rooms", offers(2))
    driver.mishap("book[1]", SOLD_OUT)
    driver.run()
    assert driver.told() == ["compensated"]
    driver.control("retry")
    driver.run()
    assert driver.told()[-1] == "completed"
    assert driver.names("do").count("rooms") == 1
    assert len(driver.workflow.result["bookings"]) == 2


def test_nothing_stands_in_for_what_could_not_be_reserved_anew() -> None:
    """The stand-in was skipped when the reservation succeeded; that it cannot be renewed later breaks the booking."""
    driver = begun(alternative()).run(until="authorize")
    expires_at = driver.task("hold").expires_at
    assert expires_at is not None
    driver.end("authorize", e.Succeeded(driver.agents.do(driver.call_of("authorize"))))
    driver.now = expires_at
    driver.mishap("hold", SOLD_OUT)
    driver.run()
    assert driver.told()[-1] in {"compensated", "failed"}
    assert driver.standing() == []


def test_a_stand_in_that_ran_out_is_reserved_anew() -> None:
    """What stands in is held like anything: it is renewed before it is used, and everybody goes on."""
    driver = begun(alternative())
    driver.mishap("hold", SOLD_OUT)
    driver.run(until="authorize")
    expires_at = driver.task("other").expires_at
    assert expires_at is not None
    driver.end("authorize", e.Succeeded(driver.agents.do(driver.call_of("authorize"))))
    driver.now = expires_at
    driver.run()
    assert driver.told() == ["completed"]
    assert driver.task("other").refreshes == 1


def test_a_chain_of_stand_ins_is_followed_to_its_end() -> None:
    """A stand-in may have one itself: whoever was called in the end is read."""
    plan = alternative()
    last = {**task("last", "rooms.hold", instead_of="other", on_codes=["SOLD_OUT"]), "args": plan["tasks"][2]["args"]}
    last["args"] = [{**arg, "value": "4"} if arg["name"] == "guests" else arg for arg in last["args"]]
    plan["tasks"].insert(3, last)
    driver = begun(plan)
    driver.mishap("hold", SOLD_OUT)
    driver.mishap("other", SOLD_OUT)
    driver.run()
    assert driver.told() == ["completed"]
    assert driver.workflow.result["hold"] == (driver.task("last").output or {})["hold_id"]


def test_over_budget_may_be_a_reason_to_do_something_else() -> None:
    """The engine's own codes count too: what would cost too much is not sent, and the cheaper one goes instead."""
    plan = proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("dear", "cards.capture", authorization_id="a", amount=Ref("rooms.offers[0].price")),
        task(
            "cheap",
            "cards.capture",
            instead_of="dear",
            on_codes=["OVER_BUDGET"],
            authorization_id="a",
            amount={"amount": "40.00", "currency": "USD"},
        ),
        result={"paid": "dear.amount"},
    )
    driver = begun(plan, max_total=money("50.00 USD")).run()
    assert driver.told() == ["completed"]
    assert driver.workflow.result["paid"]["amount"] == "40.00"


def test_cancelling_between_a_verdict_and_its_call_leaves_nothing() -> None:
    """A branch that was taken and not yet called is not called any more."""
    driver = begun(conditional(above=50)).run(until="hold")
    driver.control("cancel")
    driver.run()
    assert driver.told() == ["cancelled"]
    assert driver.standing() == []


def test_the_request_may_decide() -> None:
    """A condition may look at the request."""
    plan = proposal(task("rooms", "trips.search", when="request.booking.n > `1`", city="Lisbon"))
    booking = request(booking={"n": 1})
    driver = Driver(booking=replace(booking, text="")).begin(plan).run()
    assert driver.told() == ["completed"]
    assert driver.names("do") == []
