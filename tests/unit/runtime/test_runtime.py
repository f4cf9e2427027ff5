"""The shell around the engine: durable before deleted, one turn at a time, through every kind of trouble."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from jada_orchestrator.domain.catalogue import Action
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import ActionName, CatalogueVersion, RequestId, WorkflowId, workflow_id_of
from jada_orchestrator.domain.limits import TURN_EVENTS_MAX
from jada_orchestrator.domain.records import CallDue, Entry, PlannerBackedOff
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.journal import JournalSupersededError, Stored
from jada_orchestrator.ports.planner import PlannerAnswer, PlannerError, PlannerQuestion, TaskListener
from jada_orchestrator.ports.queues import OutcomeMessage
from jada_orchestrator.runtime.orchestrator import Ended, Orchestrator
from jada_orchestrator.runtime.timers import Timers
from jada_orchestrator.runtime.world import ParsedRequest
from jada_orchestrator.testing.aws import FakeFunctions, Hang, QueueFault
from jada_orchestrator.testing.catalogues import Ref, proposal, task
from jada_orchestrator.testing.journal import MemoryJournal
from jada_orchestrator.testing.planner import ScriptedPlanner
from jada_orchestrator.testing.quiet import QuietWatcher
from jada_orchestrator.testing.virtual_time import VirtualClock, run_virtually
from tests.unit.runtime.house import DEAD, OUTCOMES, OWN, REPLIES, REQUESTS, House, parse_request

ROOM = proposal(
    task("rooms", "trips.search", city="Lisbon"),
    task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
)
CHECK = proposal(task("check", "checks.request", day="Monday"))
UNPLANNABLE = PlannerError("permanent", Failure("UNPLANNABLE", "it cannot be planned"))


def plan_of(question: PlannerQuestion) -> JsonObject:
    """What the planner answers: by the request's text."""
    return {"room": ROOM, "check": CHECK}[question.request.text]


def in_house(scenario: Callable[[House], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario on virtual time, and see that it leaves no task behind."""

    async def main() -> None:
        await scenario(House(plan_of))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_virtually(main())


# --- A message and its workflow -------------------------------------------------------------------------------------


def test_a_booking_runs_from_its_message_to_its_outcome() -> None:
    """One message in, one outcome out, the queue empty, the store at rest."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send()
            await house.until(house.outcomes)
            await house.until(lambda: not house.queues.messages(REQUESTS))
            await house.until(lambda: house.store.workflows[workflow_id_of(RequestId("web-1"))].head.done)
        assert house.outcomes() == [("web-1", "completed")]
        assert house.calls() == ["trips.search", "rooms.hold"]

    in_house(scenario)


def test_a_message_is_deleted_only_after_its_workflow_is_durable() -> None:
    """While the store cannot commit, the message stays; nothing is asked or called either (law 1)."""

    async def scenario(house: House) -> None:
        house.append_delay_s = 5.0
        async with house.process():
            house.send()
            await asyncio.sleep(4)
            assert house.queues.messages(REQUESTS)
            assert house.planner.questions == []
            assert house.durable() is None
            await house.until(lambda: not house.queues.messages(REQUESTS))
            assert house.durable() is not None

    in_house(scenario)


def test_the_same_message_twice_is_one_workflow() -> None:
    """Duplicates are settled without a second effect; after the end the outcome is told again, under its id."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send()
            house.send()
            await house.until(house.outcomes)
            house.send()
            await house.until(lambda: len(house.outcomes()) == 2)
        assert len({json.loads(m.body)["id"] for m in house.queues.messages(OUTCOMES)}) == 1
        assert house.calls() == ["trips.search", "rooms.hold"]

    in_house(scenario)


def test_other_content_under_a_known_id_is_a_conflict() -> None:
    """The first stands; the second is told as rejected, and kept as a dead letter."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send()
            house.send(text="check")
            await house.until(lambda: len(house.outcomes()) == 2)
            await house.until(house.dead)
        assert sorted(house.outcomes()) == [("web-1", "completed"), ("web-1", "rejected")]
        assert house.dead() == ["IDEMPOTENCY_CONFLICT"]

    in_house(scenario)


def test_what_is_no_request_is_a_dead_letter_and_stops_nothing() -> None:
    """Rubbish is moved whole; the requests behind it go on."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.queues.put(REQUESTS, "rubbish", {"traceparent": "00-x"})
            house.send()
            await house.until(lambda: len(house.outcomes()) == 2)
            await house.until(house.dead)
        (letter,) = house.queues.messages(DEAD)
        assert letter.body == "rubbish"
        assert letter.attributes["traceparent"] == "00-x"
        assert ("web-1", "completed") in house.outcomes()

    in_house(scenario)


@pytest.mark.parametrize(("reply_to", "accepted"), [(OWN, True), ("somewhere-else", False)])
def test_outcomes_go_only_where_the_operator_allows(reply_to: str, accepted: bool) -> None:
    """A reply queue that is not on the list is refused, and told on the default queue."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send(reply_to=reply_to)
            await house.until(lambda: house.outcomes(OWN) if accepted else house.outcomes(OUTCOMES))
        assert house.outcomes(OWN) == ([("web-1", "completed")] if accepted else [])
        assert house.outcomes(OUTCOMES) == ([] if accepted else [("web-1", "rejected")])

    in_house(scenario)


def test_a_word_about_an_unknown_request_waits_for_it_and_is_given_up() -> None:
    """It is given back a few times, in case the request is on its way, and is a dead letter then."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send("nobody", say="cancel")
            await asyncio.sleep(1)
            assert house.queues.messages(REQUESTS)
            await house.until(house.dead)
            await house.until(lambda: not house.queues.messages(REQUESTS))
        assert house.dead() == ["CONTROL_UNMATCHED"]

    in_house(scenario)


def test_a_cancel_that_overtakes_its_request_is_heard() -> None:
    """Queues reorder; a cancel that comes first cancels all the same."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process():
            house.send(say="cancel")
            await asyncio.sleep(0.5)
            house.send()
            await house.until(house.outcomes)
        assert house.outcomes() == [("web-1", "cancelled")]

    in_house(scenario)


# --- Replies --------------------------------------------------------------------------------------------------------


def test_a_worker_answers_by_the_reply_queue() -> None:
    """A task goes out by queue, its answer comes back by queue, doubled answers change nothing."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send(text="check")
            await house.until(lambda: house.queues.messages("jada-checks"))
            (sent,) = house.queues.messages("jada-checks")
            reply = json.dumps({**json.loads(sent.body), "output": {"valid": True}})
            house.queues.put(REPLIES, reply)
            house.queues.put(REPLIES, reply)
            await house.until(house.outcomes)
            await house.until(lambda: not house.queues.messages(REPLIES))
        assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def test_replies_for_nobody_and_no_replies_do_no_harm() -> None:
    """A reply for an unknown workflow is dropped with a word; what is no reply is a dead letter."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.queues.put(
                REPLIES, json.dumps({"workflow": "wf-x", "task": "t", "attempt": 1, "key": "k", "output": {}})
            )
            house.queues.put(REPLIES, "rubbish")
            await house.until(lambda: not house.queues.messages(REPLIES))
        assert house.dead() == ["NOT_JSON"]
        assert {"reply.unmatched", "reply.unreadable"} <= set(house.log.events())

    in_house(scenario)


# --- The store in trouble -------------------------------------------------------------------------------------------


def test_a_store_in_trouble_accepts_nothing_says_so_once_and_goes_on() -> None:
    """Nothing is lost, and the log has one line for the beginning and one for the end."""

    async def scenario(house: House) -> None:
        async with house.process():
            await house.until(lambda: house.watcher.is_ready)
            house.store.unavailable = "disk full"
            house.send()
            await asyncio.sleep(60)
            house.send("web-2")
            await asyncio.sleep(60)
            assert house.planner.questions == []
            assert len(house.queues.messages(REQUESTS)) == 2
            assert any("disk full" in line for line in house.watcher.lines)
            house.store.unavailable = None
            await house.until(lambda: len(house.outcomes()) == 2)
        assert house.log.events().count("store.unavailable") == 1
        assert house.log.events().count("store.available") == 1

    in_house(scenario)


@pytest.mark.parametrize("fault", ["before", "after"])
def test_commits_that_fail_or_whose_answer_is_lost_are_made_once(fault: Any) -> None:
    """The same batch is appended again; one that is there already counts as appended."""

    async def scenario(house: House) -> None:
        house.store.faults += [fault] * 3
        async with house.process():
            house.send()
            await house.until(house.outcomes)
        assert house.calls() == ["trips.search", "rooms.hold"]
        workflow = house.durable()
        assert workflow is not None
        assert workflow.terminal == "completed"

    in_house(scenario)


def test_a_superseded_process_ends() -> None:
    """Once another process has the store, this one stops with the journal's error."""

    async def scenario(house: House) -> None:
        world = house.world()
        async with house.process(world) as orchestrator:
            await house.until(lambda: house.watcher.is_ready)
            await MemoryJournal(house.store, name="another").open()
            house.send()
            running = next(t for t in asyncio.all_tasks() if "run" in repr(t.get_coro()) and "Orchestrator" in repr(t))
            with pytest.raises(JournalSupersededError):
                await running
            del orchestrator

    in_house(scenario)


class _Broken(QuietWatcher):
    """A watcher that fails once the daemon is up: an error of ours, in a part that should never end."""

    def status(self, line: str) -> None:
        """Fail."""
        if self.is_ready:
            raise RuntimeError("the status cannot be told")


def test_nothing_goes_on_lame() -> None:
    """When a part of the daemon ends by an error, the whole of it ends with that, and a next start goes on."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        world = replace(house.world(), watcher=_Broken())
        await world.journal.open()
        house.send()
        running = asyncio.create_task(Orchestrator(world, house.tunables()).run())
        with pytest.raises(RuntimeError, match="the status cannot be told"):
            await running
        house.store.kill_holder()
        house.planner.release()
        async with house.process():
            await house.until(lambda: house.outcomes() == [("web-1", "completed")])

    in_house(scenario)


# --- One bad workflow among others ----------------------------------------------------------------------------------


def spoil(house: House, request_id: str, entry: Entry) -> WorkflowId:
    """Put an entry into a stored workflow that cannot be there."""
    workflow_id = workflow_id_of(RequestId(request_id))
    stored = house.store.workflows[workflow_id]
    house.store.workflows[workflow_id] = Stored(workflow_id, stored.head, (*stored.entries, entry))
    return workflow_id


def test_an_unreadable_workflow_is_left_alone_and_the_others_go_on() -> None:
    """What cannot be folded is said loudly, is not touched, and keeps nobody else from going on."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process():
            house.send("bad")
            house.send("good")
            await house.until(lambda: len(house.planner.questions) == 2)
        bad = spoil(house, "bad", Entry(3, house.clock.now(), CallDue("nobody", "do")))  # type: ignore[arg-type]
        house.planner.release()
        async with house.process():
            await house.until(house.outcomes)
        assert house.outcomes() == [("good", "completed")]
        assert "workflow.unreadable" in house.log.events()
        assert len(house.store.workflows[bad].entries) == 3

    in_house(scenario)


def test_a_workflow_that_makes_us_fail_is_set_aside() -> None:
    """A booking whose own catalogue is lost is quarantined with its story; the next one is served."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process():
            house.send("old")
            await house.until(lambda: house.planner.questions)
        house.store.catalogues.clear()
        house.catalogue = replace(house.catalogue, version=type(house.catalogue.version)("another"))
        house.planner.release()
        async with house.process():
            house.send("new")
            await house.until(house.outcomes)
        assert house.outcomes() == [("new", "completed")]
        old = house.durable("old")
        assert old is not None
        assert old.quarantined is not None
        assert "catalogue" in old.quarantined

    in_house(scenario)


# --- Stop, start, reload --------------------------------------------------------------------------------------------


def test_a_workflow_on_which_deciding_raises_is_set_aside_until_released() -> None:
    """A fault of ours in one booking is told with its story; the next one is served; released, it goes on."""

    class Faulty(dict[ActionName, Action]):
        is_faulty = False

        def get(self, name: ActionName, default: Any = None) -> Any:
            if self.is_faulty and name == "rooms.hold":
                raise RuntimeError("a fault of ours")
            return super().get(name, default)

    async def scenario(house: House) -> None:
        actions = Faulty(house.catalogue.actions)
        house.catalogue = replace(house.catalogue, actions=actions)

        def hold(call: AgentCall) -> Succeeded:
            actions.is_faulty = "hold" in call.action
            return Succeeded(house.agents.do(call))

        house.functions.add("jada-rooms", hold)
        async with house.process():
            house.send("broken")
            await house.until(lambda: "law.broken" in house.log.events())
            await house.until(lambda: (found := house.durable("broken")) and found.quarantined)
            found = house.durable("broken")
            assert found is not None
            assert "a fault of ours" in (found.quarantined or "")
            house.send("good", text="check")
            await house.until(lambda: house.queues.messages("jada-checks"))
            (sent,) = house.queues.messages("jada-checks")
            house.queues.put(REPLIES, json.dumps({**json.loads(sent.body), "output": {"valid": True}}))
            await house.until(house.outcomes)
            assert house.outcomes() == [("good", "completed")]
            actions.is_faulty = False
            house.send("broken", say="release")
            await house.until(lambda: len(house.outcomes()) == 2)
        assert house.outcomes()[1] == ("broken", "completed")
        assert house.agents.books.doubled == []

    in_house(scenario)


def test_a_message_that_is_not_deleted_comes_again_and_is_known() -> None:
    """The queue refuses to forget it: said, and no second booking."""

    async def scenario(house: House) -> None:
        house.queues.script(REQUESTS, "delete", QueueFault())
        async with house.process():
            house.send()
            await house.until(house.outcomes)
            await house.until(lambda: not house.queues.messages(REQUESTS))
        assert "message.not_deleted" in house.log.events()
        assert len(house.store.workflows) == 1
        assert house.calls() == ["trips.search", "rooms.hold"]

    in_house(scenario)


def test_a_drain_sees_what_is_in_flight_to_its_end() -> None:
    """Nothing new is received or started; what is in flight ends, and the rest waits in the store."""

    async def scenario(house: House) -> None:
        gate = asyncio.Event()

        async def slowly(call: AgentCall) -> JsonObject:
            await gate.wait()
            return house.agents.do(call)

        house.functions.add("jada-trips", slowly)
        async with house.process() as orchestrator:
            house.send()
            await house.until(lambda: house.functions.calls)
            orchestrator.stop()
            orchestrator.stop()
            await asyncio.sleep(1)
            house.send("late")
            assert house.watcher.is_stopping
            gate.set()
            await house.until(lambda: "daemon.drained" in house.log.events())
        assert house.calls() == ["trips.search"]
        assert len(house.queues.messages(REQUESTS)) == 1
        async with house.process():
            await house.until(lambda: len(house.outcomes()) == 2)
        assert house.calls().count("trips.search") == 2

    in_house(scenario)


def test_a_drain_waits_for_the_commit_under_way() -> None:
    """An answer whose commit is under way is not at rest: its outcome is still told before the process ends."""

    async def scenario(house: House) -> None:
        house.append_delay_s = 1.0
        async with house.process() as orchestrator:
            house.send()
            await house.until(lambda: "rooms.hold" in house.calls())
            orchestrator.stop()
            await house.until(lambda: "daemon.drained" in house.log.events())
        assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def test_a_drain_has_an_end() -> None:
    """What does not end within the bound is parked, and taken up at the next start."""

    async def scenario(house: House) -> None:
        async def never(call: AgentCall) -> JsonObject:
            await asyncio.sleep(10**6)
            return house.agents.do(call)

        house.functions.add("jada-trips", never)
        world = house.world()
        await world.journal.open()
        async with house.process(world, drain_ms=3_000) as orchestrator:
            house.send()
            await house.until(lambda: house.functions.calls)
            began = asyncio.get_running_loop().time()
            orchestrator.stop()
            await house.until(lambda: f"daemon.{Ended.PARKED.value}" in house.log.events())
            assert asyncio.get_running_loop().time() - began < 4
        house.functions.add("jada-trips", house.agents.do)
        async with house.process():
            await house.until(house.outcomes)
        assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def test_what_was_under_way_is_taken_up_after_a_kill() -> None:
    """Killed while planning, while calling, while telling: it goes on, and no effect is made twice."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process():
            house.send()
            await house.until(lambda: house.planner.questions)
        house.planner.release()
        house.queues.script(OUTCOMES, "send", *[QueueFault()] * 3)
        async with house.process():
            await house.until(lambda: "rooms.hold" in house.calls())
        async with house.process():
            await house.until(house.outcomes)
        assert house.outcomes() == [("web-1", "completed")]
        assert house.agents.books.doubled == []

    in_house(scenario)


def test_slots_are_granted_among_all_that_are_taken_up() -> None:
    """After a kill the first call is that of the booking that comes first by priority, however late it was accepted."""
    bookings = TURN_EVENTS_MAX + 1
    bounds: dict[str, Any] = {"calls_in_flight_max": 1, "workflows_in_flight_max": bookings}

    async def scenario(house: House) -> None:
        def all_wait() -> bool:
            heads = [stored.head for stored in house.store.workflows.values()]
            return len(heads) == bookings and all(head.status == "running" for head in heads)

        house.functions.script("jada-trips", Hang())
        async with house.process(**bounds):
            for number in range(TURN_EVENTS_MAX):
                house.send(f"web-{number}", priority=1)
            house.send("urgent", priority=9)
            await house.until(all_wait)
        house.functions.calls.clear()
        async with house.process(**bounds):
            await house.until(house.calls)
            assert house.functions.calls[0][1].request_id == "urgent"

    in_house(scenario)


def test_lanes_survive_a_kill() -> None:
    """Requests that share an ordering key run one after another, in order of arrival, before and after a restart."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process():
            house.send("first", key="k")
            await asyncio.sleep(1)
            house.send("second", key="k")
            house.send("apart", key="other")
            await asyncio.sleep(1)
            assert sorted(q.request.request_id for q in house.planner.questions) == ["apart", "first"]
        house.planner.release()
        async with house.process():
            await house.until(lambda: len(house.outcomes()) == 3)
        order = [request_id for request_id, _ in house.outcomes()]
        assert order.index("first") < order.index("second")

    in_house(scenario)


def test_a_retry_waits_for_its_lane() -> None:
    """Who is tried again stands behind whoever is under way in its lane, before and after a restart."""

    async def scenario(house: House) -> None:
        house.planner.fail(UNPLANNABLE)
        async with house.process():
            house.send("first", key="k")
            await house.until(lambda: house.outcomes() == [("first", "failed")])
            house.planner.hold()
            house.send("second", key="k")
            await house.until(lambda: len(house.planner.questions) == 2)
            house.send("first", say="retry")
            await asyncio.sleep(1)
        async with house.process():
            await asyncio.sleep(1)
            assert {q.request.request_id for q in house.planner.questions[1:]} == {"second"}
            house.planner.release()
            await house.until(lambda: len(house.outcomes()) == 3)
        assert house.outcomes() == [("first", "failed"), ("second", "completed"), ("first", "completed")]

    in_house(scenario)


def test_what_never_got_a_plan_is_planned_anew_with_the_present_catalogue() -> None:
    """An operator who mended the catalogue and tries again is not answered by the one that was wrong."""

    async def scenario(house: House) -> None:
        house.planner.fail(UNPLANNABLE)
        mended = replace(house.catalogue, version=CatalogueVersion("mended"))
        async with house.process() as orchestrator:
            house.send("web-1")
            await house.until(lambda: house.outcomes() == [("web-1", "failed")])
            await orchestrator.reload(replace(house.tunables(), catalogue=mended))
            house.send("web-1", say="retry")
            await house.until(lambda: len(house.outcomes()) == 2)
        durable = house.durable()
        assert durable is not None
        assert durable.plan is not None
        assert durable.plan.catalogue_version == durable.catalogue_version == "mended"
        assert house.planner.questions[-1].catalogue.version == "mended"

    in_house(scenario)


def test_a_reload_holds_for_the_next_booking_only() -> None:
    """A running workflow keeps the model that it began with."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process() as orchestrator:
            house.send("before")
            await house.until(lambda: house.planner.questions)
            await orchestrator.reload(house.tunables(model="model-2"))
            house.send("after")
            await house.until(lambda: len(house.planner.questions) == 2)
            house.planner.release()
            await house.until(lambda: len(house.outcomes()) == 2)
        models = {q.request.request_id: q.model for q in house.planner.questions}
        assert models == {"before": "model-1", "after": "model-2"}

    in_house(scenario)


# --- Telling, receiving, waiting ------------------------------------------------------------------------------------


def test_an_outcome_is_published_until_it_is_published() -> None:
    """A queue that fails a dozen times gets the outcome in the end, and the operator is told meanwhile."""

    async def scenario(house: House) -> None:
        house.queues.script(OUTCOMES, "send", *[QueueFault()] * 12)
        async with house.process():
            house.send()
            await house.until(house.outcomes)
            await house.until(lambda: house.store.workflows[workflow_id_of(RequestId("web-1"))].head.done)
        assert house.outcomes() == [("web-1", "completed")]
        assert "outcome.stuck" in house.log.events()

    in_house(scenario)


def test_receivers_take_no_more_than_there_is_room_for() -> None:
    """With room for three bookings, three messages are taken; the others stay in the queue, visible to others."""

    async def scenario(house: House) -> None:
        house.planner.hold()
        async with house.process(workflows_in_flight_max=3, receivers=3) as orchestrator:
            for number in range(20):
                house.send(f"web-{number}")
            await asyncio.sleep(30)
            assert orchestrator.in_memory == 3
            assert len(house.queues.messages(REQUESTS)) == 17
            taken = await house.queues.source(REQUESTS).receive(10)
            assert all(delivery.receive_count == 1 for delivery in taken)
            house.planner.release()
            await house.until(lambda: len(house.outcomes()) == 20)

    in_house(scenario)


def test_a_queue_that_cannot_be_reached_is_complained_of_once() -> None:
    """Receiving goes on by itself when the queue is back."""

    async def scenario(house: House) -> None:
        house.queues.script(REQUESTS, "receive", *[QueueFault()] * 6)
        async with house.process(receivers=1):
            house.send()
            await house.until(house.outcomes)
        assert house.log.events().count("queue.unreachable") == 1
        assert house.log.events().count("queue.reachable") == 1

    in_house(scenario)


def test_a_fault_in_an_adapter_strands_nobody() -> None:
    """An adapter that raises what it should not is an unknown outcome, and is looked up."""

    class Faulty(FakeFunctions):
        async def call(self, target: Any, call: AgentCall) -> Any:
            if call.action == "rooms.hold" and call.attempt == 1:
                raise RuntimeError("a fault of ours")
            return await super().call(target, call)

    async def scenario(house: House) -> None:
        faulty = Faulty()
        for name in house.catalogue.agents:
            faulty.add(f"jada-{name}", house.agents.do)
        async with house.process(house.world(functions=faulty)):
            house.send()
            await house.until(house.outcomes)
        assert house.outcomes() == [("web-1", "completed")]

    in_house(scenario)


def test_a_fault_in_the_planners_adapter_is_asked_again() -> None:
    """What it raises that it should not is no answer, and costs the booking a wait; the operator sees it."""

    class Faulty(ScriptedPlanner):
        faults = 2

        async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
            if self.faults:
                self.faults -= 1
                raise RuntimeError("a fault of ours")
            return await super().propose(question, on_task)

    async def scenario(house: House) -> None:
        async with house.process(house.world(planner=Faulty(plan_of))):
            house.send()
            await house.until(house.outcomes)
        assert house.outcomes() == [("web-1", "completed")]
        backed_off = [
            entry.record
            for entry in house.store.workflows[workflow_id_of(RequestId("web-1"))].entries
            if isinstance(entry.record, PlannerBackedOff)
        ]
        assert [record.failure.code for record in backed_off] == ["PLANNER_ADAPTER_FAULT"] * 2

    in_house(scenario)


def test_what_is_planned_goes_on_while_nothing_can_be_planned() -> None:
    """A key that was taken away keeps new bookings waiting, and no other: the one under way is completed."""

    async def scenario(house: House) -> None:
        async with house.process():
            house.send("web-1", text="check")
            await house.until(lambda: house.queues.messages("jada-checks"))
            stopped = PlannerError("stopped", Failure("MODEL_KEY_REFUSED", "no"))
            house.planner.fail(*[stopped] * 5)
            house.send("web-2")
            await house.until(lambda: len(house.planner.questions) == 2)
            (sent,) = house.queues.messages("jada-checks")
            house.queues.put(REPLIES, json.dumps({**json.loads(sent.body), "output": {"valid": True}}))
            await house.until(house.outcomes)
            assert house.outcomes() == [("web-1", "completed")]
            await house.until(lambda: len(house.outcomes()) == 2)

    in_house(scenario)


def test_a_clock_that_jumps_neither_loses_nor_hastens_a_timer() -> None:
    """After a jump forward a due timer fires within half a minute; after one back, it waits for its instant."""

    async def main() -> None:
        clock = VirtualClock(asyncio.get_running_loop())
        fired: list[tuple[str, int]] = []
        timers = Timers(clock, lambda workflow_id: fired.append((workflow_id, clock.now())))
        due = clock.now() + 3_600_000
        timers.set(WorkflowId("a"), due)  # type: ignore[arg-type] # an instant
        timers.set(WorkflowId("b"), None)
        clock.skew_ms = 3_600_000
        await asyncio.sleep(31)
        assert [name for name, _ in fired] == ["a"]
        timers.set(WorkflowId("c"), clock.now() + 10_000)  # type: ignore[arg-type] # an instant
        due = clock.now() + 10_000
        clock.skew_ms -= 600_000
        await asyncio.sleep(500)
        assert len(fired) == 1
        await asyncio.sleep(200)
        assert [name for name, _ in fired] == ["a", "c"]
        assert fired[1][1] >= due
        timers.close()
        assert len(timers) == 0

    run_virtually(main())


def test_a_message_that_makes_reading_fail_stops_nothing() -> None:
    """It is left to its queue, loudly; the others are received."""

    def fails_on_poison(message: Message, model: str) -> ParsedRequest:
        if message.body == "poison":
            raise RecursionError("a fault of ours")
        return parse_request(message, model)

    async def scenario(house: House) -> None:
        world = house.world()
        async with house.process(replace(world, wire=replace(world.wire, parse_request=fails_on_poison))):
            house.queues.put(REQUESTS, "poison")
            house.send()
            await house.until(house.outcomes)
        assert "message.unacceptable" in house.log.events()
        assert [message.body for message in house.queues.messages(REQUESTS)] == ["poison"]

    in_house(scenario)


def test_a_fault_in_telling_is_told_and_tried_again() -> None:
    """Whatever the sink raises, the outcome is published until it is published."""

    async def scenario(house: House) -> None:
        sink = house.queues.outcomes(DEAD)

        class Faulty:
            tries = 0

            async def publish(self, outcome: OutcomeMessage) -> None:
                self.tries += 1
                if self.tries == 1:
                    raise KeyError("a fault of ours")
                await sink.publish(outcome)

            async def dead_letter(self, message: Message, failure: Failure) -> None:
                await sink.dead_letter(message, failure)

            async def close(self) -> None:
                await sink.close()

        async with house.process(house.world(outcomes=Faulty())):
            house.send()
            await house.until(house.outcomes)
        assert house.log.events().count("outcome.stuck") == 1

    in_house(scenario)
