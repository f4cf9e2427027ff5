"""One turn: take everything that waits, decide all of it, make all of it durable in one commit, reconcile.

So the batch grows with the load by itself (group commit), a task's result and its successors' `AttemptStarted` share a
commit, and one workflow alone pays one commit per level of its graph.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from jada_orchestrator.capacity.health import AgentView
from jada_orchestrator.capacity.slots import Slots
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.events import (
    Event,
    LawBroken,
    RequestArrived,
    RequestRefused,
    Resumed,
    SlotGranted,
    TimerFired,
    TurnCame,
)
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import TURN_EVENTS_MAX
from jada_orchestrator.domain.records import AttemptStarted, Entry
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine import fold, step
from jada_orchestrator.engine.audit import breaches_near
from jada_orchestrator.engine.lanes import Lanes
from jada_orchestrator.ports.journal import Append, Stored
from jada_orchestrator.ports.ownership import Wanted
from jada_orchestrator.runtime.claiming import learn_ending, sync_slots
from jada_orchestrator.runtime.counting import count, learn, note_first_call
from jada_orchestrator.runtime.following import Following
from jada_orchestrator.runtime.handing_over import idle_of
from jada_orchestrator.runtime.heads import Heads
from jada_orchestrator.runtime.health import CatalogueLostError, Health, tell_unreadable, through_trouble
from jada_orchestrator.runtime.in_memory import InMemory
from jada_orchestrator.runtime.inbox import Inbox, Item, Receipt
from jada_orchestrator.runtime.ownership import Keeper, missing_of, wanted_for
from jada_orchestrator.runtime.perform import Performer
from jada_orchestrator.runtime.retiring import Retirer
from jada_orchestrator.runtime.routing import route
from jada_orchestrator.runtime.telling import Teller
from jada_orchestrator.runtime.timers import Timers
from jada_orchestrator.runtime.world import Tunables, World

_T = TypeVar("_T")

_DURABLE: Final = Receipt.DURABLE
"""What nearly every event comes to; `domain.members` says what it costs to look it up."""
_RECOVERY_EXTENSION_S = 30.0


@dataclass(slots=True)
class _Turn:
    """What one turn has gathered so far."""

    now: UtcMs
    entries: dict[WorkflowId, list[Entry]] = field(default_factory=dict)
    touched: dict[WorkflowId, Workflow] = field(default_factory=dict)
    receipts: list[tuple[Item, Receipt]] = field(default_factory=list)
    elsewhere: set[WorkflowId] = field(default_factory=set)
    """Workflows of other instances, for which something came."""


class Turns:
    """Holds the unfinished workflows in memory and is the only one to change them."""

    def __init__(self, world: World, tunables: Tunables, inbox: Inbox) -> None:
        """Begin with nothing in memory; `recover` brings in what is unfinished."""
        self.health = Health()
        self.draining = False
        """While true, nothing new is started but telling: what is in flight ends, the rest waits for the next start."""
        self._world = world
        self._tunables = tunables
        self._inbox = inbox
        self._workflows = InMemory()
        self._heads = Heads()
        self._unreadable: set[WorkflowId] = set()
        self._brought_in: list[Workflow] = []
        """Loaded for the present turn, to be asked; those that have nothing left to do leave with it."""
        self._catalogues: dict[CatalogueVersion, Catalogue] = {tunables.catalogue.version: tunables.catalogue}
        self._turning = False
        self._taking_up = False
        """More is to be taken up at once: nothing is granted before it is there."""
        in_memory = self._workflows.__contains__
        self.retirer = Retirer(world, lambda: self._tunables, self.health, in_memory, lambda: self.draining)
        self.keeper = Keeper(world, inbox.wake)
        self._lanes = Lanes()
        self._teller = Teller(world.log)
        self._timers = Timers(world.clock, lambda workflow_id: inbox.put(Item(workflow_id, TimerFired())))
        self._rate_timer: asyncio.TimerHandle | None = None
        limits = {name: agent.limits for name, agent in tunables.catalogue.agents.items()}
        self._slots = Slots(tunables.calls_in_flight_max, limits, world.clock.now(), tunables.tenant_weights)
        self._performer = Performer(
            world,
            lambda workflow_id, event: inbox.put(Item(workflow_id, event)),
            lambda: self._tunables.outcome_queue,
            lambda: self.keeper.is_trusted,
            lambda: self._tunables.read_plans_ahead,
        )
        self._following = Following(self._performer, self._timers, self._catalogue_now, lambda: self.draining)

    # --- What others may see --------------------------------------------------------------------------------------

    @property
    def in_memory(self) -> int:
        """Workflows that are not done."""
        return len(self._workflows)

    @property
    def calls_in_flight(self) -> int:
        """Calls to agents that hold a slot."""
        return self._slots.busy

    def agents(self) -> tuple[AgentView, ...]:
        """Return how every agent fares that was called since the process began."""
        return self._slots.views()

    @property
    def at_rest(self) -> bool:
        """Whether nothing is in flight: only time, people or messages move anything now."""
        if self._turning:
            return False
        # A question that waits for the governor's leave is in no flight: the next start puts it again.
        return self._performer.calls_in_flight <= self._world.planning.waiting and self._slots.busy == 0

    @property
    def room(self) -> int:
        """How many more workflows may be brought in."""
        return self._workflows.room(self._tunables.workflows_in_flight_max)

    def count(self, status: Status) -> int:
        """Count the workflows in a status."""
        return self._workflows.count(status)

    def counts(self) -> dict[str, int]:
        """Count the unfinished workflows by status; only those statuses that occur."""
        return self._workflows.counts()

    # --- Life -----------------------------------------------------------------------------------------------------

    async def recover(self) -> int:
        """Take up everything unfinished, in ordinary turns begun with nothing in flight; return how many there were.

        Slots are granted in the last of these turns: by priority and due date among all that wait, and not among those
        that happened to be taken up first.

        Guarantees: when it returns, what was lost is durably known to be, and what may be in flight is in flight.
        Raises: JournalError.
        """
        self._teller.putting_off = True
        count = await self._bring_in()
        for more in range(count // TURN_EVENTS_MAX, -1, -1):  # what comes in meanwhile stands behind them in the inbox
            self._taking_up = more > 0
            await self.turn()
        self._teller.putting_off = False
        return count

    async def _bring_in(self) -> int:
        await self._world.journal.put_catalogue(self._tunables.catalogue)
        return await self._take_up()

    async def _take_up(self) -> int:
        """Bring in what nobody works on, as if nothing were in flight; return how many there were."""
        count = 0
        async for stored in self.keeper.claim(self.room):
            workflow = self._fold(stored) if stored.workflow_id not in self._workflows else None
            if workflow is None:
                continue
            count += 1
            self._world.watcher.extend(_RECOVERY_EXTENSION_S)
            await self._know_catalogue(workflow)
            self._admit(workflow)
            self._inbox.put(Item(workflow.workflow_id, Resumed()))
        return count

    async def _claim(self) -> None:
        """Take up what instances left that have ended."""
        claimed = await self._through_trouble(self._take_up)
        if claimed:
            message = f"{claimed} workflows of instances that have ended go on here"
            self._world.log.emit("info", "workflows.claimed", message, workflows=claimed)

    async def retune(self, tunables: Tunables) -> None:
        """Take new settings: they hold for what begins from now on. Raises: JournalError (then the old ones hold)."""
        await self._world.journal.put_catalogue(tunables.catalogue)
        self._catalogues[tunables.catalogue.version] = tunables.catalogue
        self._tunables = tunables
        limits = {name: agent.limits for name, agent in tunables.catalogue.agents.items()}
        self._slots.set_limits(tunables.calls_in_flight_max, limits, tunables.tenant_weights)
        self._inbox.wake()

    async def _give_up_idle(self) -> None:
        """Let others go on at once with what nothing is in flight of here."""
        idle = idle_of(self._workflows.values(), self._performer.busy())
        if not idle:
            return
        for workflow_id in idle:
            self._lanes.forget(self._workflows[workflow_id].lane, workflow_id)
            self._let_go(workflow_id)
            self._timers.set(workflow_id, None)
            self._heads.forget(workflow_id)
        await self._through_trouble(lambda: self.keeper.release(idle))
        message = f"{len(idle)} workflows are given up, for other instances to go on with"
        self._world.log.emit("info", "workflows.released", message, workflows=len(idle))
        self._inbox.wake()  # there may be more

    def halt(self) -> None:
        """Cancel everything in flight now, and start nothing more: others may have taken over."""
        self._performer.halt()

    async def close(self) -> None:
        """Stop timers and everything in flight; what was in flight is taken up again at the next start."""
        self._timers.close()
        if self._rate_timer is not None:
            self._rate_timer.cancel()
        self._teller.close()
        await self._performer.close()

    async def turn(self) -> int:
        """Go round once with whatever waits; return how many events were decided.

        Guarantees: when it returns, everything that it decided is durable, and only then was anything started.
        Raises: JournalSupersededError, JournalCorruptError: the process must end. Store trouble that may pass is
        waited out in here, with the batch kept.
        """
        self._turning = True  # what was taken out of the inbox is not at rest before its commit and what follows
        if self.keeper.claim_due and not self.draining:
            await self._claim()
        items = self._inbox.take()
        turn = _Turn(self._world.clock.now())
        unknown = [item for item in items if item.workflow_id not in self._workflows]
        turn.elsewhere |= await self._load(wanted_for(item.workflow_id, item.event) for item in unknown)
        for item in items:
            await self._decide_item(turn, item)
        await self._run_lanes(turn)
        await self._grant_slots(turn)
        await self._audit(turn)
        await self._commit(turn)
        self.keeper.check()
        self._after_commit(turn)
        if self.draining and self.keeper.may_release:
            await self._give_up_idle()
        self._turning = False
        self.health.turns += 1
        self.health.turned_at = asyncio.get_running_loop().time()
        return len(items)

    # --- Into memory ----------------------------------------------------------------------------------------------

    async def _load(self, wanted: Iterable[Wanted]) -> frozenset[WorkflowId]:
        """Bring in what something came for and may be acted upon here; return what is other instances'."""
        missing = missing_of(wanted, self._workflows, self._unreadable)
        if not missing:
            return frozenset()
        async with self.retirer.leaving_alone(each.workflow_id for each in missing):
            taken = await self._through_trouble(lambda: self.keeper.take(missing))
            for found in taken.stored.values():
                workflow = self._fold(found)
                if workflow is not None:
                    await self._know_catalogue(workflow)
                    self._workflows.hold(workflow)
                    self._brought_in.append(workflow)
        return taken.elsewhere

    def _fold(self, stored: Stored) -> Workflow | None:
        """Fold a stored workflow; one that cannot be folded is left alone, loudly, and the rest go on."""
        try:
            return fold(stored.workflow_id, stored.entries)
        except Exception:  # noqa: BLE001 - one unreadable workflow must not stop the others (law 10)
            self._unreadable.add(stored.workflow_id)
            tell_unreadable(self._world, stored, traceback.format_exc())
            return None

    async def _know_catalogue(self, workflow: Workflow) -> None:
        version = workflow.catalogue_version
        if version and version not in self._catalogues:
            catalogue = await self._through_trouble(lambda: self._world.journal.catalogue(version))
            if catalogue is not None:
                self._catalogues[version] = catalogue

    def _catalogue_of(self, workflow: Workflow) -> Catalogue:
        """Return the catalogue that a workflow was accepted with; never another one in its place.

        One that ended without a plan has no use for it: if it is tried again, it is planned with the present one.
        """
        if not workflow.catalogue_version or (workflow.is_terminal and workflow.plan is None):
            return self._tunables.catalogue
        catalogue = self._catalogues.get(workflow.catalogue_version)
        if catalogue is None:
            raise CatalogueLostError(
                f"the catalogue {workflow.catalogue_version}, which this booking was planned with, is not in the store"
            )
        return catalogue

    def _catalogue_now(self, workflow: Workflow) -> Catalogue:
        """Return the catalogue for what is wanted of a workflow.

        One whose own catalogue is lost was set aside: nothing that needs one is wanted for it.
        """
        return self._catalogues.get(workflow.catalogue_version, self._tunables.catalogue)

    def _admit(self, workflow: Workflow) -> None:
        self._workflows.hold(workflow)
        if workflow.lane is None:
            return
        if workflow.waits_for_turn:
            self._lanes.join(workflow.lane, workflow.workflow_id)
        else:
            self._lanes.lead(workflow.lane, workflow.workflow_id)

    # --- Deciding -------------------------------------------------------------------------------------------------

    async def _decide_item(self, turn: _Turn, item: Item) -> None:
        workflow_id, event = route(item, self._workflows.get(item.workflow_id))
        if workflow_id in self._unreadable:
            turn.receipts.append((item, Receipt.QUARANTINED))
            return
        if workflow_id != item.workflow_id:
            turn.elsewhere |= await self._load({wanted_for(workflow_id, event)})
        if workflow_id in turn.elsewhere:
            turn.receipts.append((item, Receipt.ELSEWHERE))
            return
        workflow = self._workflows.get(workflow_id)
        if workflow is None:
            if not isinstance(event, RequestArrived | RequestRefused):
                turn.receipts.append((item, Receipt.UNKNOWN_WORKFLOW))
                return
            workflow = Workflow(workflow_id)
        learn_ending(self._slots, workflow, event, turn.now)
        story = self._decide(turn, workflow, event)
        if story is not None:
            await self._set_aside(turn, workflow_id, story)
        turn.receipts.append((item, _DURABLE if story is None else Receipt.QUARANTINED))

    def _decide(self, turn: _Turn, workflow: Workflow, event: Event) -> str | None:
        """Decide one event; return None, or the story with which a workflow that makes us fail is to be set aside."""
        try:
            entries = step(workflow, event, turn.now, self._catalogue_of(workflow))
        except Exception:  # noqa: BLE001 - law 10: a breach inside one workflow quarantines that workflow, the rest go on
            return traceback.format_exc()
        workflow_id = workflow.workflow_id
        if entries:
            gathered = turn.entries.get(workflow_id)
            if gathered is None:
                turn.entries[workflow_id] = entries
            else:
                gathered += entries
        if workflow.exists:
            self._workflows[workflow_id] = turn.touched[workflow_id] = workflow
        return None

    async def _set_aside(self, turn: _Turn, workflow_id: WorkflowId, story: str) -> None:
        """Forget what this turn made of a workflow, and quarantine what is durable of it."""
        turn.entries.pop(workflow_id, None)
        turn.touched.pop(workflow_id, None)
        forgotten = self._let_go(workflow_id)
        turn.receipts = [
            (item, Receipt.QUARANTINED if item.workflow_id == workflow_id else receipt)
            for item, receipt in turn.receipts
        ]
        self._world.log.emit("critical", "law.broken", story, workflow_id=workflow_id)
        await self._load({Wanted(workflow_id)})
        workflow = self._workflows.get(workflow_id)
        if workflow is None:
            # It never became durable: its message stays in the queue and comes again; nobody waits behind it.
            self._leave_lane(forgotten)
            return
        entries = step(workflow, LawBroken(story), turn.now, self._tunables.catalogue)
        turn.entries[workflow_id] = entries
        turn.touched[workflow_id] = workflow

    def _let_go(self, workflow_id: WorkflowId) -> Workflow | None:
        """Have nothing more of a workflow in memory or in flight; return it as it was."""
        self._performer.forget(workflow_id)
        self._slots.sync(workflow_id, "", 0, {}, {})
        return self._workflows.let_go(workflow_id)

    def _leave_lane(self, workflow: Workflow | None) -> None:
        key = workflow.request.ordering_key if workflow is not None and workflow.request is not None else None
        if workflow is None or key is None:
            return
        following = self._lanes.leave(key, workflow.workflow_id)
        if following is not None:
            self._inbox.put(Item(following, TurnCame()))

    async def _run_lanes(self, turn: _Turn) -> None:
        """Let the next of a lane go when the one before it has ended."""
        for workflow in list(turn.touched.values()):
            key = workflow.request.ordering_key if workflow.request is not None else None
            if key is None:
                continue
            if workflow.lane is None:
                turn_of = self._lanes.leave(key, workflow.workflow_id)
            else:
                turn_of = workflow.workflow_id if self._lanes.join(key, workflow.workflow_id) else None
            following = self._workflows.get(turn_of) if turn_of is not None else None
            if following is not None and following.waits_for_turn:
                story = self._decide(turn, following, TurnCame())
                if story is not None:
                    await self._set_aside(turn, following.workflow_id, story)

    async def _grant_slots(self, turn: _Turn) -> None:
        """Give out slots until no call that waits may go; each grant shares the commit of what made the call ready."""
        for workflow in turn.touched.values():
            sync_slots(self._slots, workflow)
        granted = () if self.draining or self._taking_up else self._slots.grant(turn.now)
        for workflow_id, (task_id, side) in granted:
            workflow = self._workflows[workflow_id]
            before = workflow.seq
            story = self._decide(turn, workflow, SlotGranted(task_id, side))
            if story is None and workflow.seq == before:
                # It would be granted again and again.
                story = f"{side} {task_id} was granted a slot and did not take it"
            if story is not None:
                await self._set_aside(turn, workflow_id, story)
                continue
            if workflow.seq > before + 1 or not isinstance(turn.entries[workflow_id][-1].record, AttemptStarted):
                # Anything but the start of the very call that was granted, which the slots know, may change what waits.
                sync_slots(self._slots, workflow)
        self._wait_for_rates(turn)

    def _wait_for_rates(self, turn: _Turn) -> None:
        if self._rate_timer is not None:
            self._rate_timer.cancel()
            self._rate_timer = None
        instant = self._slots.next_instant()
        if instant is not None:
            wait_s = max(1, instant - turn.now) / 1_000
            self._rate_timer = asyncio.get_running_loop().call_later(wait_s, self._inbox.wake)

    async def _audit(self, turn: _Turn) -> None:
        for workflow in list(turn.touched.values()):
            entries = turn.entries.get(workflow.workflow_id, ())
            broken = breaches_near(workflow, [entry.record for entry in entries])
            if broken and workflow.quarantined is None:
                await self._set_aside(turn, workflow.workflow_id, "; ".join(broken))

    # --- Durable --------------------------------------------------------------------------------------------------

    async def _commit(self, turn: _Turn) -> None:
        batch = [
            Append(workflow_id, tuple(entries), self._heads.of(turn.touched[workflow_id]))
            for workflow_id, entries in turn.entries.items()
            if entries
        ]
        if not batch and all(item.receipt is None for item, _ in turn.receipts):
            return
        # An empty batch is appended, too, where messages wait to be settled: a process that was superseded may find
        # nothing to do in what it remembers, and must not delete what is the other one's business.
        meanwhile = asyncio.get_running_loop().call_soon(self._following.work_out, turn.touched.values())
        await self._through_trouble(lambda: self._world.journal.append(batch))
        meanwhile.cancel()  # of a store that did not wait; then it is worked out as it is carried out
        self._heads.committed(batch)
        self.health.commits += 1
        self.health.records += sum(len(append.entries) for append in batch)

    async def _through_trouble(self, act: Callable[[], Awaitable[_T]]) -> _T:
        return await through_trouble(self.health, self._world, act)

    # --- After the commit -----------------------------------------------------------------------------------------

    def _after_commit(self, turn: _Turn) -> None:
        for workflow in turn.touched.values():
            entries = turn.entries.get(workflow.workflow_id, ())
            self._workflows.look_at(workflow)
            count(self.health, entries, turn.now)
            self._teller.tell(workflow, entries)
            note_first_call(self._world.log, self.health, workflow, entries)
            learn(self._world.templates, workflow, entries, self._catalogues)
            self._following.carry_out(workflow)
            if workflow.is_done:
                self._workflows.let_go(workflow.workflow_id)
        for workflow in self._brought_in:
            if workflow.is_done:
                self._workflows.let_go(workflow.workflow_id)
        self._brought_in.clear()
        for item, receipt in turn.receipts:
            if item.receipt is not None:
                item.receipt(receipt)
