"""What a good proposal becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jada_orchestrator.domain.catalogue import Binding
from jada_orchestrator.domain.plan import Plan
from jada_orchestrator.planning import Adopted, Clarify, Refuse, compile_proposal
from jada_orchestrator.testing.catalogues import Ref, proposal, request, task, travel_catalogue, travel_proposal

TRAVEL = travel_catalogue()


def adopted(document: dict[str, Any], *, fenced: bool = False, revision: int = 1, **asked: Any) -> Plan:
    """The plan that a proposal becomes."""
    text = json.dumps(document)
    text = f"```json\n{text}\n```\n" if fenced else text
    compiled = compile_proposal(text, TRAVEL, request(**asked), revision=revision)
    assert isinstance(compiled, Adopted), compiled
    return compiled.plan


def test_the_natural_plan_is_adopted_with_edges_from_its_references() -> None:
    """Edges follow from references, `needs` holds those, `after` the order-only ones too, in topological order."""
    plan = adopted(travel_proposal())
    by_id = {one.id: one for one in plan.tasks}
    assert [one.id for one in plan.tasks][:3] == ["check", "rooms", "seats"]
    hold = by_id[plan.tasks[3].id]
    assert (hold.after, hold.needs) == (("check", "rooms"), ("rooms",))
    capture = next(one for one in plan.tasks if one.id == "capture")
    assert (capture.after, capture.needs) == (("authorize", "book_room", "book_seat"), ("authorize",))
    assert plan.result["total"] == Binding("quote.total")
    assert plan.notes == ()
    assert plan.catalogue_version == TRAVEL.version


def test_terms_cover_what_the_plan_may_call() -> None:
    """A plan carries the terms of its actions, of what undoes them, and of the lookups of both, and of nothing else."""
    search = task("find", "trips.search", city="Lisbon")
    plan = adopted(proposal(search, task("hold", "rooms.hold", offer_id=Ref("find.offers[0].offer_id"))))
    assert set(plan.terms) == {"trips.search", "rooms.hold", "rooms.release", "rooms.lookup"}
    assert plan.terms_of(plan.tasks[1]).via == "lambda"


def test_constants_are_typed_by_the_schema() -> None:
    """A text field takes its text as it is, every other field the JSON that the text stands for."""
    money = {"amount": "9.00", "currency": "USD"}
    plan = adopted(proposal(task("find", "trips.search", city="7", guests=2, flexible=True, max_price=money)))
    values = {name: binding.constant for name, binding in plan.tasks[0].bindings.items()}
    assert values == {"city": "7", "guests": 2, "flexible": True, "max_price": money}


def test_case_and_fences_are_normalised_and_noted() -> None:
    """Ids, actions, edges and references in another case are read in lower case; a code fence is taken off."""
    plan = adopted(
        proposal(
            task("Check", "Checks.Request"),
            task("Find", "trips.search", city="Lisbon"),
            task("hold", "rooms.hold", after=["CHECK"], offer_id=Ref("Find.offers[0].offer_id")),
            result={"hold": "HOLD.hold_id"},
        ),
        fenced=True,
    )
    assert [one.id for one in plan.tasks] == ["check", "find", "hold"]
    assert plan.tasks[2].bindings["offer_id"].expression == "find.offers[0].offer_id"
    assert plan.tasks[2].after == ("check", "find")
    assert plan.result["hold"].expression == "hold.hold_id"
    assert any("'Checks.Request'" in note for note in plan.notes)


def test_edges_that_others_imply_are_left_out_and_noted() -> None:
    """An order-only edge that a path implies, or a reference, means nothing and is dropped; data edges never are."""
    plan = adopted(
        proposal(
            task("check", "checks.request"),
            task("find", "trips.search", city="Lisbon"),
            task("pay", "cards.authorize", after=["check"], amount={"amount": "9.00", "currency": "USD"}),
            task("hold", "rooms.hold", after=["check", "pay", "find", "find"], offer_id=Ref("find.offers[0].offer_id")),
        )
    )
    assert plan.tasks[-1].after == ("find", "pay")
    assert plan.notes == ("Left out, because other edges imply it: check -> hold, find -> hold.",)


def test_orders_among_reads_mean_nothing() -> None:
    """Reads that take nothing from each other run side by side; what came after all of them still does."""
    chain = [
        task("check", "checks.request"),
        task("one", "trips.search", after=["check"], city="Lisbon"),
        task("two", "trips.search", after=["one"], city="Porto"),
        task("hold", "rooms.hold", offer_id=Ref("two.offers[0].offer_id")),
        task("tell", "mail.send", after=["hold"], text="Held."),
    ]
    plan = adopted(proposal(*chain))
    assert {one.id: one.after for one in plan.tasks} == {
        "check": (),
        "one": (),
        "two": (),
        "hold": ("check", "one", "two"),
        "tell": ("hold",),
    }
    assert plan.notes == (
        "Left out, because a read need not wait for a read that it takes nothing from: check -> one, one -> two.",
    )


def test_orders_between_reads_that_stand_for_others_stay() -> None:
    """A read that followed an effect by way of another read still does, and so does the repetition of a read."""
    plan = adopted(
        proposal(
            task("find", "trips.search", city="Lisbon"),
            task("hold", "rooms.hold", offer_id=Ref("find.offers[0].offer_id")),
            task("check", "checks.request", after=["hold"]),
            task("other", "trips.search", after=["check"], city="Porto"),
            task("again", "trips.search", after=["find"], city="Lisbon"),
        )
    )
    after = {str(one.id): one.after for one in plan.tasks}
    assert after["other"] == ("hold",)
    assert after["again"] == ("find",)


def test_the_list_may_be_in_any_order() -> None:
    """Tasks are put into topological order."""
    document = travel_proposal()
    document["tasks"].reverse()
    ids = [one.id for one in adopted(document).tasks]
    assert sorted(ids) == sorted(one.id for one in adopted(travel_proposal()).tasks)
    assert all(ids.index(first) < ids.index(one.id) for one in adopted(document).tasks for first in one.after)


def test_the_request_can_be_read() -> None:
    """A reference to the request is checked against what the request holds, and stays a reference."""
    search = proposal(task("find", "trips.search", city=Ref("request.booking.city"), guests=Ref("request.booking.n")))
    plan = adopted(search, booking={"city": "Lisbon", "n": 2})
    assert plan.tasks[0].bindings["guests"] == Binding("request.booking.n")
    assert plan.tasks[0].needs == ()


@pytest.mark.parametrize(
    "reference",
    [
        "min_by(find.offers, &to_number(price.amount)).offer_id",
        "find.offers[?stars >= `4`] | [0].offer_id",
        "find.offers[?price.currency == 'USD'].offer_id | [0]",
        "sort_by(find.offers, &stars)[-1].offer_id",
        "not_null(find.offers[0].offer_id, find.note)",
        "find.note || find.offers[0].offer_id",
        "join('-', find.offers[].offer_id)",
        "find.offers[*].[offer_id][] | [0]",
        "max_by(find.offers[?stars], &stars).offer_id",
    ],
)
def test_a_reference_that_may_work_passes(reference: str) -> None:
    """Whatever JMESPath offers is followed; only what is certain to go wrong is a fault."""
    search = task("find", "trips.search", city="Lisbon")
    adopted(proposal(search, task("hold", "rooms.hold", offer_id=Ref(reference))))


def test_what_undoes_may_be_asked_for() -> None:
    """A plan may release, cancel or refund because the traveller wants that."""
    adopted(proposal(task("cancel", "rooms.cancel", booking_ids=["b-1"]), task("tell", "mail.send", text="Done.")))


def test_a_new_booking_comes_before_the_old_one_is_cancelled() -> None:
    """What cannot be undone waits for what can; unless that needs its output."""
    document = travel_proposal()
    document["tasks"].append(task("cancel_old", "rooms.cancel", after=["order"], booking_ids=["b-1"]))
    adopted(document)


def test_a_read_may_be_repeated_later() -> None:
    """To read the same again after something came in between is not the same work."""
    adopted(
        proposal(
            task("before", "trips.search", city="Lisbon"),
            task("hold", "rooms.hold", offer_id=Ref("before.offers[0].offer_id")),
            task("again", "trips.search", city="Lisbon", after=["hold"]),
        )
    )


def test_the_revision_is_every_tasks() -> None:
    """Tasks carry the revision that their idempotency keys are derived from."""
    assert {one.revision for one in adopted(travel_proposal(), revision=3).tasks} == {3}


def test_questions_and_refusals_are_passed_on() -> None:
    """The other two outcomes carry what the planner said."""
    asked = compile_proposal(
        json.dumps(proposal(outcome="clarify", reason="why", questions=["When?"])), TRAVEL, request()
    )
    assert asked == Clarify(("When?",), "why")
    assert compile_proposal(json.dumps(proposal(outcome="Refuse", reason="no")), TRAVEL, request()) == Refuse("no")


def test_a_reference_may_gather_what_the_largest_plan_has() -> None:
    """A few fields of every task of a plan are no multiplication of what is read."""
    gathered = "[" + ", ".join(["find.offers"] * 100) + "][].{a: offer_id, b: price.amount, c: price.currency}"
    plan = adopted(proposal(task("find", "trips.search", city="Lisbon"), result={"all": gathered}))
    assert plan.result["all"] == Binding(gathered)
