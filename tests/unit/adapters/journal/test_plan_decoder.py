"""Plans that are read back share what they have in common, and nothing else."""

from __future__ import annotations

from jada_orchestrator.adapters.journal.codec import RecordCodec
from jada_orchestrator.domain.catalogue import Binding
from jada_orchestrator.domain.ids import ActionName, CatalogueVersion, TaskId
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.records import PlanAdopted

FIND = TaskId("find")


def a_plan(city: object) -> PlanAdopted:
    """Return a plan of two tasks, the first of which is told a city."""
    find = PlannedTask(FIND, ActionName("hotels.search"), {"city": Binding(constant=city)})
    hold = PlannedTask(TaskId("hold"), ActionName("hotels.hold"), {"offer": Binding("find.offers[0].id")}, (FIND,))
    return PlanAdopted(1, Plan((find, hold), {}, {}, CatalogueVersion("c-1")))


def test_what_plans_have_in_common_is_one_object() -> None:
    """Of two plans that differ in one constant the other tasks and the terms are the same objects."""
    codec = RecordCodec()
    one, other = (codec.decode("plan_adopted", 1, codec.encode(a_plan(city)).payload) for city in ("Lisbon", "Porto"))
    assert isinstance(one, PlanAdopted)
    assert isinstance(other, PlanAdopted)
    assert (one, other) == (a_plan("Lisbon"), a_plan("Porto"))
    assert one.plan.tasks[1] is other.plan.tasks[1]
    assert one.plan.terms is other.plan.terms


def test_constants_that_are_only_equal_to_python_stay_apart() -> None:
    """A task that is told 1 is not taken for one that is told true or 1.0, which Python calls equal."""
    codec = RecordCodec()
    told = [codec.decode("plan_adopted", 1, codec.encode(a_plan(constant)).payload) for constant in (1, True, 1.0)]
    constants = [each.plan.tasks[0].bindings["city"].constant for each in told if isinstance(each, PlanAdopted)]
    assert [type(constant) for constant in constants] == [int, bool, float]


def test_equal_texts_in_a_row_are_one_plan() -> None:
    """Plans of one text are read once, and one that differs between them is itself."""
    codec = RecordCodec()
    told = [
        codec.decode("plan_adopted", 1, codec.encode(a_plan(city)).payload) for city in ("Lisbon", "Lisbon", "Porto")
    ]
    assert told[0] is told[1]
    assert told == [a_plan("Lisbon"), a_plan("Lisbon"), a_plan("Porto")]
