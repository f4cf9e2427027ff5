"""Several processes on one store: each booking is one's, whatever befalls the other; nothing is done without trust."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from jada_orchestrator.capacity.budgets import BudgetLimits, Budgets, Price, Short
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.template import Template
from jada_orchestrator.domain.workflow import Phase
from jada_orchestrator.ports.journal import JournalLeaseLostError, JournalUnavailableError
from jada_orchestrator.ports.ownership import Renewed, Wanted
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.ports.queues import Delivery
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.ownership import missing_of
from jada_orchestrator.runtime.templated import TemplatedPlanner
from jada_orchestrator.runtime.world import World
from jada_orchestrator.testing.aws import FakeSource, Refuse
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from jada_orchestrator.testing.shared_journal import LEASE_MS, MARGIN_MS, SharedJournal, SharedStore
from jada_orchestrator.testing.virtual_time import run_virtually
from tests.unit.runtime.house import OWN, REPLIES, REQUESTS, House

ROOM = proposal(
    task("rooms", "trips.search", city="Lisbon"),
    task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
)
CHECK = proposal(task("check", "checks.request", day="Monday"))
LEASE_S = LEASE_MS / 1_000
GONE_AFTER_S = (LEASE_MS + MARGIN_MS) / 1_000


def plan_of(question: PlannerQuestion) -> JsonObject:
    """What the planner answers: by the request's text."""
    return {"room": ROOM, "check": CHECK}[question.request.text]


class SharedHouse(House):
    """A house in which several processes share the store."""

    def __init__(self) -> None:
        super().__init__(plan_of)
        self.shared = SharedStore()
        self.store = self.shared

    def world(self, **changed: Any) -> World:
        """The ports of one instance."""
        journal = SharedJournal(self.shared)
        return replace(super().world(), journal=journal, ownership=journal, **changed)


def in_house(scenario: Callable[[SharedHouse], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on virtual time, and see that it leaves no task behind."""

    async def main() -> None:
        await scenario(SharedHouse())
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


async def run_to_its_end(house: SharedHouse, world: World) -> Exception | None:
    """Run a process until it ends, and return its error."""
    await world.journal.open()
    try:
        await Orchestrator(world, house.tunables()).run()
    except JournalLeaseLostError as error:
        return error
    return None


class _Broken(FakeSource):
    """A queue whose adapter fails in a way that no queue does."""

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        raise RuntimeError("messages cannot be deleted")


def test_an_instance_that_ends_by_an_error_leaves_nothing_behind() -> None:
    """Whichever part it was, all others are ended before the error is told: nobody renews the lease for it."""

    async def scenario(house: SharedHouse) -> None:
        house.planner.hold()
        world = replace(house.world(), requests=_Broken(house.queues, REQUESTS))
        await world.journal.open()
        house.send()
        before = asyncio.all_tasks()
        running = asyncio.create_task(Orchestrator(world, house.tunables()).run())
        with pytest.raises(RuntimeError, match="messages cannot be deleted"):
            await running
        assert asyncio.all_tasks() == before

    in_house(scenario)


def test_two_share_the_work() -> None:
    """Requests that come in twice end once, whoever receives them, and both processes have worked."""

    async def scenario(house: SharedHouse) -> None:
        first, second = house.world(), house.world()
        async with house.process(first), house.process(second):
            for number in range(20):
                house.send(f"web-{number}")
                house.send(f"web-{number}")
            await house.until(lambda: len(house.outcomes()) == 20)
            await asyncio.sleep(60)
            assert sorted({name for name, _ in house.outcomes()}) == sorted(f"web-{number}" for number in range(20))
            assert len(house.outcomes()) == 20
            assert not house.shared.mail

    in_house(scenario)


def test_another_takes_over_what_a_killed_one_left() -> None:
    """What a killed process had under way goes on elsewhere, after its lease and the margin, and ends once."""

    async def scenario(house: SharedHouse) -> None:
        async with house.process(house.world(requests=house.queues.source(OWN))):
            first = house.world()
            async with house.process(first):
                house.send(text="check")
                await house.until(lambda: house.queues.messages("jada-checks"))
            killed_at = asyncio.get_running_loop().time()
            # The test's process is cancelled, which releases nothing: the journal was never closed.
            await house.until(lambda: len(house.queues.messages("jada-checks")) == 2)
            took_s = asyncio.get_running_loop().time() - killed_at
            assert GONE_AFTER_S - LEASE_S <= took_s <= GONE_AFTER_S + LEASE_S / 3 + 1
            answer(house)
            await house.until(house.outcomes)
            assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def answer(house: SharedHouse) -> None:
    """A worker answers every task that lies in its queue."""
    for message in house.queues.messages("jada-checks"):
        house.queues.put(REPLIES, json.dumps({**json.loads(message.body), "output": {"valid": True}}))


def test_what_is_anothers_is_handed_over() -> None:
    """Replies that the wrong process receives reach the right one through the store, and nothing stays there."""

    async def scenario(house: SharedHouse) -> None:
        begins = house.world(replies=house.queues.source(OWN))
        hears = house.world(requests=house.queues.source(OWN))
        async with house.process(begins), house.process(hears):
            for number in range(12):
                house.send(f"web-{number}", text="check")
            await house.until(lambda: len(house.queues.messages("jada-checks")) == 12)
            answer(house)
            await house.until(lambda: len(house.outcomes()) == 12)
            await house.until(lambda: not house.shared.mail)
            assert house.shared.letters == 12
            assert house.queues.messages(REPLIES) == []

    in_house(scenario)


def test_a_lane_keeps_its_order_between_two() -> None:
    """Requests with one ordering key run one after another, whichever process receives them."""

    async def scenario(house: SharedHouse) -> None:
        async with house.process(), house.process():
            for number in range(6):
                house.send(f"web-{number}", text="check", key="customer:1")
            for number in range(6):
                await house.until(lambda number=number: len(house.queues.messages("jada-checks")) > number)  # type: ignore[misc]
                await asyncio.sleep(5)
                assert len(house.queues.messages("jada-checks")) == number + 1, "the next waits for this one"
                last = house.queues.messages("jada-checks")[-1]
                house.queues.put(REPLIES, json.dumps({**json.loads(last.body), "output": {"valid": True}}))
            await house.until(lambda: len(house.outcomes()) == 6)
            assert len(set(house.shared.lanes.values())) == 1

    in_house(scenario)


def test_without_trust_everything_stops() -> None:
    """Cut off from the store for the length of its lease, a process stops all by itself, before another may begin."""

    async def scenario(house: SharedHouse) -> None:
        running = asyncio.create_task(run_to_its_end(house, house.world()))
        await house.until(lambda: house.watcher.is_ready)
        await asyncio.sleep(60)
        house.shared.unavailable = "the network is away"
        cut_at = asyncio.get_running_loop().time()
        error = await running
        stopped_s = asyncio.get_running_loop().time() - cut_at
        assert isinstance(error, JournalLeaseLostError)
        assert LEASE_S * 2 / 3 <= stopped_s <= LEASE_S
        house.send()
        await asyncio.sleep(60)
        assert house.calls() == []

    in_house(scenario)


class _Unanswering(SharedJournal):
    """A store that takes what it is asked, and never answers a renewal."""

    async def renew(self) -> Renewed:
        await super().renew()
        await asyncio.Event().wait()
        raise AssertionError("nobody set the event")


def test_a_start_waits_for_its_first_trust_no_longer_than_it_would_last() -> None:
    """A first renewal that is not answered within a lease ends the start by a store that is away, after a lease."""

    async def scenario(house: SharedHouse) -> None:
        journal = _Unanswering(house.shared)
        await journal.open()
        began_at = asyncio.get_running_loop().time()
        with pytest.raises(JournalUnavailableError, match="did not answer the first renewal"):
            await Orchestrator(replace(house.world(), journal=journal, ownership=journal), house.tunables()).run()
        assert asyncio.get_running_loop().time() - began_at == pytest.approx(LEASE_S)

    in_house(scenario)


def test_a_superseded_instance_begins_nothing() -> None:
    """An instance that was ended while it believed in its lease is refused by its next commit, and calls nobody."""

    async def scenario(house: SharedHouse) -> None:
        world = house.world()
        running = asyncio.create_task(run_to_its_end(house, world))
        await house.until(lambda: house.watcher.is_ready)
        house.shared.end(1, "expired")
        house.send()
        assert isinstance(await running, JournalLeaseLostError)
        assert house.calls() == []
        async with house.process():
            await house.until(house.outcomes)
            assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def test_one_that_drains_gives_up_at_once_what_it_does_nothing_for() -> None:
    """While it still waits for a worker, others go on with the rest, and lanes move whole when nothing of them is out.

    What it waits for it sees to its end itself.
    """

    async def scenario(house: SharedHouse) -> None:
        house.functions.script("jada-trips", Refuse(retry_after_ms=600_000))
        async with house.process(drain_ms=60_000) as first:
            house.send("web-checked", text="check")
            house.send("web-lane-1", text="check", key="customer:1")
            house.send("web-lane-2", text="check", key="customer:1")
            await house.until(lambda: len(house.queues.messages("jada-checks")) == 2)
            house.send("web-backing-off")
            await house.until(lambda: _is_backing_off(house, "web-backing-off"))
            async with house.process(house.world(replies=house.queues.source(OWN))):
                first.stop()
                await house.until(lambda: _owned(house, 2) == {"web-backing-off"}, within_s=1)
                assert _owned(house, 1) == {"web-checked", "web-lane-1", "web-lane-2"}, "something of these is out"
                answer(house)
                await house.until(lambda: _owned(house, 1) == set(), within_s=5)
                assert _owned(house, 2) == {"web-backing-off", "web-lane-2"}
                assert ("web-checked", "completed") in house.outcomes()
                assert ("web-lane-1", "completed") in house.outcomes()
                assert "workflows.released" in house.log.events()
                assert {each.ended for each in house.shared.members.values() if each.name.startswith("given up")} == {
                    "drained"
                }

    in_house(scenario)


def _is_backing_off(house: SharedHouse, request_id: str) -> bool:
    workflow = house.durable(request_id)
    return workflow is not None and any(task.do.phase is Phase.BACKING_OFF for task in workflow.tasks.values())


def _owned(house: SharedHouse, number: int) -> set[str]:
    """The requests whose unfinished workflows an instance owns."""
    stored = house.shared.workflows
    return {
        stored[id_].head.request_id
        for id_, owner in house.shared.owners.items()
        if owner == number and id_ in stored and not stored[id_].head.done
    }


def test_a_drained_one_hands_over_at_once() -> None:
    """What a process that stops leaves is taken up by the other within a moment, not after a lease."""

    async def scenario(house: SharedHouse) -> None:
        async with house.process(house.world(), receivers=0):
            leaving = house.world()
            async with house.process(leaving) as orchestrator:
                house.send(text="check")
                await house.until(lambda: house.queues.messages("jada-checks"))
                orchestrator.stop()
                await house.until(lambda: orchestrator.snapshot().phase.value == "ended")
                await leaving.journal.close()
                left_at = asyncio.get_running_loop().time()
                await house.until(lambda: house.shared.owners and set(house.shared.owners.values()) == {1})
                assert asyncio.get_running_loop().time() - left_at < 1

    in_house(scenario)


def test_templates_are_known_to_all_at_once() -> None:
    """What one instance learns, pins or forgets the other knows within a moment."""

    async def scenario(house: SharedHouse) -> None:
        worlds = [house.world() for _ in range(2)]
        worlds = [replace(world, templates=planner_of(house, world)) for world in worlds]
        async with house.process(worlds[0]) as one, house.process(worlds[1]) as two:
            await one.ready()
            await two.ready()
            template = Template("key", house.catalogue.version, {}, (), "{}", UtcMs(1))
            await worlds[0].journal.put_template(template)
            assert worlds[1].templates is not None
            assert worlds[0].templates is not None
            await asyncio.sleep(0.1)
            await worlds[1].templates.pin("key", pinned=True)
            await asyncio.sleep(0.1)
            assert await worlds[0].templates.forget("key")
            await asyncio.sleep(0.1)
            assert not await worlds[1].templates.forget("key")

    in_house(scenario)


def planner_of(house: SharedHouse, world: World) -> TemplatedPlanner:
    """A planner that keeps templates, as the daemon's does."""
    return TemplatedPlanner(house.planner, world.planning, world.journal, clock=house.clock, log=house.log)


def test_a_days_budget_holds_for_all_together() -> None:
    """What one instance has spent or reserved counts in the others' budgets as soon as both leases were renewed."""

    async def scenario(house: SharedHouse) -> None:
        both = [Budgets(BudgetLimits(day=Decimal(10), tenant_day=Decimal(6))) for _ in range(2)]
        price = Price(Decimal(4), Decimal(5))
        async with house.process(house.world(budgets=both[0])), house.process(house.world(budgets=both[1])):
            now = house.clock.now
            held = both[0].reserve("acme", price)
            await asyncio.sleep(LEASE_S)
            assert isinstance(both[1].look("acme", Decimal(0), price, now()), Short)
            assert both[1].look("zeta", Decimal(0), price, now()) is None
            both[0].settle(held, Decimal(1), now())
            await asyncio.sleep(LEASE_S)
            assert both[1].look("acme", Decimal(0), price, now()) is None
            assert both[1].spent_in_all(now()) == Decimal(1)

    in_house(scenario)


@pytest.mark.parametrize("order", [(True, False), (False, True)])
def test_of_two_wants_for_one_id_the_request_counts(order: tuple[bool, bool]) -> None:
    """When a request and a word about it come in one turn, the request may begin its workflow; what is known is out."""
    wanted = [Wanted(WorkflowId("wf-a"), may_begin=begins) for begins in order]
    assert missing_of([*wanted, Wanted(WorkflowId("wf-b"))], {WorkflowId("wf-b")}) == [
        Wanted(WorkflowId("wf-a"), may_begin=True)
    ]
