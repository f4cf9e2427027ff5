"""Scores of single answers: each property costs what it should, and nothing else does."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.planning import Adopted, compile_proposal
from jada_orchestrator.service.exam.expecting import Expectation, Question
from jada_orchestrator.service.exam.scoring import Answer, Ended, consistency, score
from jada_orchestrator.testing.catalogues import (
    Ref,
    proposal,
    request,
    task,
    travel_catalogue,
    travel_proposal,
)

TRAVEL = travel_catalogue()
PLAN = frozenset({"plan"})


def answered(document: Any = None, **more: Any) -> Answer:
    """The answer whose plan a proposal makes, the travel plan without one."""
    written = travel_proposal() if document is None else document
    compiled = compile_proposal(json.dumps(written), TRAVEL, request())
    assert isinstance(compiled, Adopted), compiled
    kinds = {(one["id"], argument["name"]): argument["kind"] for one in written["tasks"] for argument in one["args"]}
    return Answer("plan", compiled.plan, kinds, **more)


def asked(**expected: Any) -> Question:
    """A question that expects a plan with these properties."""
    return Question("q", 1, "t", request(), UtcMs(0), Expectation(**{"outcomes": PLAN, **expected}))


SMALL = proposal(
    task("find", "trips.search", city="Lisbon"),
    task("hold", "rooms.hold", offer_id=Ref("min_by(find.offers, &to_number(price.amount)).offer_id")),
)


def test_a_plan_as_expected_is_perfect() -> None:
    """Every action, order, source and value that was expected: nothing is wanting."""
    wanted = asked(
        must={"trips.search": 1, "rooms.hold": 1},
        edges=frozenset({("trips.search", "rooms.hold")}),
        sources={"rooms.hold.offer_id": ("trips.search.offers.offer_id",)},
        values=(("trips.search", {"city": "Lisbon"}),),
        path=2,
        width_min=1,
        width_max=1,
        tasks_max=2,
    )
    found = score(wanted, answered(SMALL))
    assert (found.actions, found.edges, found.provenance, found.path_ratio) == (1.0, 1.0, 1.0, 1.0)
    assert found.valid_after == 0
    assert found.is_perfect


@pytest.mark.parametrize(
    ("must", "may", "expected"),
    [
        ({"trips.search": 1, "rooms.hold": 1}, (), 1.0),
        ({"trips.search": 1}, (), 2 / 3),  # one too many
        ({"trips.search": 1}, ("rooms.*",), 1.0),  # which is allowed
        ({"trips.search": 1, "rooms.hold": 1, "seats.hold": 1}, (), 0.8),  # one is missing
        ({"trips.search": 2, "rooms.hold": 1}, (), 0.8),  # one is there once instead of twice
        ({"seats.hold": 1}, (), 0.0),
    ],
)
def test_actions_are_counted(must: dict[str, int], may: tuple[str, ...], expected: float) -> None:
    """F1 over calls: a missing call and a surplus one cost; what may be there costs nothing."""
    found = score(asked(must=must, may=frozenset(may)), answered(SMALL))
    assert found.actions == pytest.approx(expected)


def test_what_is_forbidden_is_surplus_and_told() -> None:
    """A forbidden action costs even where a pattern would allow it, and is named."""
    wanted = asked(must={"trips.search": 1}, may=frozenset({"*"}), must_not=frozenset({"rooms.*"}))
    found = score(wanted, answered(SMALL))
    assert found.actions == pytest.approx(2 / 3)
    assert found.broken == ("proposed rooms.hold",)
    assert not found.is_perfect


@pytest.mark.parametrize(
    ("edges", "may", "expected"),
    [
        ([("trips.search", "rooms.hold"), ("rooms.hold", "rooms.book")], [], 1.0),
        ([("trips.search", "rooms.book")], [], 1.0),  # holds through others
        ([("trips.search", "rooms.hold"), ("trips.search", "rooms.book"), ("rooms.hold", "rooms.book")], [], 1.0),
        ([("rooms.book", "trips.search")], [], 0.0),  # the wrong way round
    ],
    ids=["direct", "through others", "with one that follows", "reversed"],
)
def test_orders_are_compared_reduced(edges: list[tuple[str, str]], may: list[tuple[str, str]], expected: float) -> None:
    """How an order is written, directly or through others, is all the same; its direction is not."""
    found = score(asked(edges=frozenset(edges), edges_may=frozenset(may)), answered())
    if expected:
        assert found.edges == pytest.approx(expected)
    else:
        assert found.edges is not None
        assert found.edges < 1


def test_a_needless_order_costs_unless_it_may_be() -> None:
    """An order of the plan among the actions spoken of, which nobody expected, lowers precision."""
    needless = proposal(
        task("find", "trips.search", city="Lisbon"),
        task("pay", "cards.authorize", after=["find"], amount={"amount": "9.00", "currency": "USD"}),
        task("hold", "rooms.hold", offer_id=Ref("find.offers[0].offer_id"), after=["pay"]),
    )
    wanted = frozenset({("trips.search", "rooms.hold"), ("cards.authorize", "rooms.hold")})
    strict = score(asked(edges=wanted), answered(needless))
    assert strict.edges == pytest.approx(2 * 0.5 / 1.5)  # of the plan's two, one is right; both wanted ones hold
    lenient = score(asked(edges=wanted, edges_may=frozenset({("trips.search", "cards.authorize")})), answered(needless))
    assert lenient.edges == 1.0


def test_sources_are_traced_through_what_chooses() -> None:
    """A value chosen by `min_by` comes from the field that is taken, not from the one that it is chosen by."""
    by_price = asked(sources={"rooms.hold.offer_id": ("trips.search.offers.price",)})
    assert score(by_price, answered(SMALL)).provenance == 0.0
    whole = asked(sources={"rooms.hold.offer_id": ("trips.search",)})
    assert score(whole, answered(SMALL)).provenance == 1.0
    kinds = asked(sources={"trips.search.city": ("user",)})
    assert score(kinds, answered(SMALL)).provenance == float(
        answered(SMALL).kinds == {("find", "city"): "user", ("hold", "offer_id"): "ref"}
    )


def test_values_are_matched_with_the_tasks_that_fit_best() -> None:
    """Two searches in any order match two expected ones; a wrong value costs its share."""
    two = proposal(
        task("a", "trips.search", city="Porto", guests=2),
        task("b", "trips.search", city="Lisbon", guests=2),
    )
    right = (("trips.search", {"city": "Lisbon", "guests": 2}), ("trips.search", {"city": "Porto", "guests": 2}))
    assert score(asked(values=right), answered(two)).provenance == 1.0
    wrong = (("trips.search", {"city": "Lisbon", "guests": 3}), ("trips.search", {"city": "Porto", "guests": 2}))
    assert score(asked(values=wrong), answered(two)).provenance == pytest.approx(0.75)
    absent = (("rooms.hold", {"offer_id": "x"}),)
    assert score(asked(values=absent), answered(two)).provenance == 0.0


def test_bounds_are_named() -> None:
    """Too many tasks, too narrow or wide a plan and too dear an answer are each told."""
    dear = answered(usage=Usage(usd="0.30"))
    tasks = len(dear.plan.tasks) if dear.plan is not None else 0
    wanted = asked(tasks_max=tasks - 1, width_min=50, usd_max=Decimal("0.25"))
    told = score(wanted, dear).broken
    assert len(told) == 3
    assert "0.30 USD" in told[0]
    assert score(asked(width_max=1), dear).broken
    assert not score(asked(usd_max=Decimal("0.25")), replace(dear, usage=Usage(usd=None))).broken


def test_a_plan_that_was_owed_is_worth_nothing() -> None:
    """Asking, or never being free of faults, where a plan was expected scores 0 in what plans are scored by."""
    wanted = asked(must={"a.b": 1}, edges=frozenset({("a.b", "c.d")}), sources={"a.b.c": ("user",)})
    ends: tuple[Ended, ...] = ("clarify", "faulted", "failed")
    for ended in ends:
        found = score(wanted, Answer(ended))
        assert (found.outcome, found.actions, found.edges, found.provenance) == (False, 0.0, 0.0, 0.0)
    assert score(wanted, Answer("clarify")).valid_after == 0
    assert score(wanted, Answer("faulted", corrections=2)).valid_after is None


def test_a_question_is_judged_by_what_it_asks_about() -> None:
    """Where a question was expected, plans' scores do not apply, and each subject must occur in it."""
    wanted = asked(outcomes=frozenset({"clarify"}), asks_about=(("date", "when"), ("who",)))
    good = score(wanted, Answer("clarify", questions=("When, and who?",)))
    assert good.is_perfect
    assert (good.actions, good.edges, good.provenance) == (None, None, None)
    assert score(wanted, Answer("clarify", questions=("When?",))).broken == ("did not ask about who",)
    guessed = score(wanted, answered(SMALL))
    assert not guessed.outcome
    assert guessed.actions is None


def test_several_outcomes_may_be_right() -> None:
    """Where a refusal is as good as a plan, it is perfect, and a plan is judged as a plan."""
    wanted = asked(outcomes=frozenset({"plan", "refuse"}), must={"trips.search": 1})
    assert score(wanted, Answer("refuse", reason="no")).is_perfect
    assert score(wanted, answered(SMALL)).actions == pytest.approx(2 / 3)


def test_consistency_of_repeated_answers() -> None:
    """The same plan is alike whatever its ids; another outcome has nothing in common; one answer says nothing."""
    plan = answered(SMALL)
    assert consistency([plan]) is None
    renamed = json.loads(json.dumps(SMALL).replace('"find"', '"look"').replace("find.", "look."))
    assert consistency([plan, answered(renamed)]) == 1.0
    assert consistency([plan, Answer("clarify")]) == 0.0
    assert consistency([Answer("clarify"), Answer("clarify")]) == 1.0
    assert consistency([Answer("failed"), Answer("failed")]) == 0.0
    alone = proposal(task("find", "trips.search", city="Lisbon"))
    assert consistency([plan, answered(alone)]) == pytest.approx((2 / 3 + 0) / 2)
