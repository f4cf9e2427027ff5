"""The simulator: the real runtime and engine in a world that goes wrong, on virtual time, replayable by its seed.

One seed draws a world: requests (some doubled, some in conflict, some cancelled), agents that fail, crash, answer
twice, late or not at all, queues and a journal that fail, a planner that errs, a process that is killed at any await,
stopped or overtaken, and begun again on what was durable, a clock that jumps. After a while the world is well, and
everything must come to its end. Then the books are read, and the laws checked:

===================================================================  ==================================================
no effect leaves before its record is durable, under one key, by     `simulated_witness`, at every call
the catalogue that it was planned with, after what it depends on,
within its bounds; undoing goes backwards
no append after being superseded; one lane, one at a time            `simulated_witness`, at every commit
a message is deleted after its workflow is durable; received =       `simulated_frontend`, `simulated_process`
deleted + given back + dead
outcomes are durable first, and say the same each time               `simulated_witness`, at every outcome
every request ends, exactly once for each time that it was taken     `simulated_checks`, at the end
up, and its frontend is told; effects stand, are undone, or are
named; money keeps its bound; no key with two inputs
conflicts are told; poison is kept whole, with its reason            `simulated_frontend`, at the end
no task outlives its process; nothing stays in memory                `simulated_process`, at each end
===================================================================  ==================================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final

from jada_orchestrator.domain.catalogue import Catalogue, LambdaTransport, SqsTransport
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.limits import LOOKUP_SAFETY_MS
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.journal import JournalError
from jada_orchestrator.ports.planner import PlannerQuestion
from jada_orchestrator.runtime.world import Wire, World
from jada_orchestrator.testing.journal import MemoryStore
from jada_orchestrator.testing.quiet import NoLog
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents
from jada_orchestrator.testing.simulated_checks import check_ends, revisions_in
from jada_orchestrator.testing.simulated_fate import Fate, Odds
from jada_orchestrator.testing.simulated_frontend import (
    DEAD_LETTERS,
    OUTCOMES,
    REPLIES,
    REQUESTS,
    Frontends,
    encode_outcome,
)
from jada_orchestrator.testing.simulated_journal import SimulatedJournal
from jada_orchestrator.testing.simulated_network import (
    SimulatedFunctions,
    SimulatedSender,
    SimulatedWorker,
    decode_reply,
    encode_task,
)
from jada_orchestrator.testing.simulated_planner import SimulatedPlanner
from jada_orchestrator.testing.simulated_process import (
    CATALOGUES,
    WORK_QUEUES,
    Life,
    SimulatedSource,
    install_task_factory,
)
from jada_orchestrator.testing.simulated_queues import SimulatedQueues
from jada_orchestrator.testing.simulated_report import Report, fingerprint_of, story_of
from jada_orchestrator.testing.simulated_witness import Witness
from jada_orchestrator.testing.virtual_time import VirtualClock, VirtualTimeLoop, run_virtually

PATIENCE_S: Final = 7_200.0
"""Virtual time after which a booking that has not ended is held to be stranded."""
BOOKINGS: Final = 3
"""Enough for two to meet in a lane, and a third beside them."""
_HOLD_MS: Final = 900_000
_UNDOING: Final = frozenset({"release", "void", "cancel", "refund", "tear"})
_HOUR_MS: Final = 3_600_000


def simulate(seed: int, odds: Odds | None = None, *, bookings: int = BOOKINGS) -> Report:
    """Run one seed to its end and check the laws. Deterministic: the same seed and code give the same report."""
    return run_virtually(_Simulation(seed, odds if odds is not None else Odds(), bookings).run())


class _Simulation:
    """One run."""

    def __init__(self, seed: int, odds: Odds, bookings: int) -> None:
        self._report = Report(seed, odds, bookings)
        self._store = MemoryStore()

    async def run(self) -> Report:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop), "simulations run on virtual time"
        self._loop = loop
        install_task_factory(loop)
        report = self._report
        self._clock = VirtualClock(loop)
        self._fate = fate = Fate(report.seed, report.odds, self._clock)
        self._catalogue = fate.dice("catalogue").choice(CATALOGUES)
        self._agents = SimulatedAgents(self._clock.now, self._refuse, self._hold_ms, self._price)
        self._functions = SimulatedFunctions(self._agents, fate, self._dispatched)
        versions = {catalogue.version: catalogue for catalogue in CATALOGUES}
        self._witness = Witness(self._store, self._agents.books, versions, self._functions.executing, self._clock.now)
        self._frontends = Frontends(fate, self._clock, report.bookings)
        self._queues = SimulatedQueues(self._clock, fate, frozenset({REQUESTS, REPLIES, OUTCOMES}), self._put)
        self._queues.create(REQUESTS, REPLIES, OUTCOMES, DEAD_LETTERS, *WORK_QUEUES)
        self._frontends.queues, self._frontends.witness = self._queues, self._witness
        background = [loop.create_task(work) for work in self._background()]
        await self._live()
        for task in background:
            task.cancel()
        await asyncio.wait(background)
        self._finish()
        return report

    def _background(self) -> list[Coroutine[Any, Any, None]]:
        workers = [
            SimulatedWorker(self._agents, self._fate, self._queues, self._clock, queue, REPLIES).run()
            for queue in WORK_QUEUES
        ]
        return [*workers, self._frontends.send()]

    def _finish(self) -> None:
        report = self._report
        report.virtual_s, report.rounds, report.mishaps = self._loop.time(), self._loop.rounds, self._fate.drawn
        check_ends(self._store, self._agents.books, self._witness, self._frontends, report.outcomes)
        stories = {workflow_id: self._witness.entries(workflow_id) for workflow_id in self._store.workflows}
        report.revisions = revisions_in(stories.values())
        for queue in (REQUESTS, REPLIES):
            if self._queues.messages(queue):
                self._witness.object(f"{len(self._queues.messages(queue))} messages are left in {queue}")
        for sentence, workflow_id in self._witness.broken.items():
            report.broken.append(sentence if workflow_id is None else f"{workflow_id}: {sentence}")
            if workflow_id is not None and workflow_id in stories:
                report.stories[workflow_id] = story_of(stories[workflow_id])
        everything = [entry.record for entries in stories.values() for entry in entries]
        everything += [stored.entries[0].record for stored in self._store.workflows.values() if stored.head.retired]
        report.records.update(type(record).__name__ for record in everything)
        report.fingerprint = fingerprint_of((s.workflow_id, s.entries) for s in self._store.workflows.values())

    # --- The process, again and again ---------------------------------------------------------------------------------

    async def _live(self) -> None:
        """Run the process, end it now and then, and let the last one come to rest."""
        fate = self._fate
        life = self._begin()
        for _ in range(fate.dice("kills").randint(0, fate.odds.kills_per_run) if fate.odds.kills_per_run else 0):
            life = await self._end_somehow(life)
            self._report.kills += 1
        give_up_at = self._loop.time() + PATIENCE_S
        while self._loop.time() < give_up_at and not self._at_rest():
            await asyncio.sleep(1)
            if life.is_over:  # whoever watches over the process starts it again
                await life.over()
                life = self._begin()
        await self._check_memory(life)
        await life.stop()
        await self._functions.settle()

    async def _check_memory(self, life: Life) -> None:
        """What is durably done leaves the memory soon after a store that answers has told so.

        A commit whose answer was lost is asked about again, and the store may be down just then: that time is spared.
        """
        left_s = 30
        while left_s > 0:
            if life.orchestrator is None or not life.orchestrator.in_memory or not self._at_rest():
                return
            await asyncio.sleep(1)
            left_s -= self._store.unavailable is None
        self._witness.object("finished workflows stay in memory")

    async def _end_somehow(self, life: Life) -> Life:
        """Let a process live for a while and end in one of the ways in which processes do; return the next one."""
        fate = self._fate
        reload = self._loop.create_task(self._reload(life)) if fate.strikes("reload") else None
        after_s = fate.between(0, 20, "kills") ** 2 / 20
        if fate.strikes("second_process"):
            await asyncio.sleep(after_s)
            following = self._begin()
            await asyncio.sleep(fate.between(0, 15, "kills"))
            life.check_superseded()
            life.kill()
        elif fate.strikes("stop"):
            await asyncio.sleep(after_s)
            await life.stop()
            following = None
        else:
            await self._kill(life, after_s)
            following = None
        await life.over()
        if reload is not None:
            reload.cancel()
            with suppress(asyncio.CancelledError):
                await reload
        if following is None:
            await self._be_away()
            following = self._begin()
        return following

    async def _kill(self, life: Life, after_s: float) -> None:
        """Kill at an await: chosen by the time, or by counting the rounds of the loop, which hits every one of them."""
        dice = self._fate.dice("kills")
        if dice.random() < 0.4:
            await asyncio.sleep(after_s)
            life.kill()
            return
        killed = asyncio.Event()

        def kill() -> None:
            life.kill()
            killed.set()

        self._loop.call_after_rounds(dice.randint(1, 2 ** dice.randint(3, 9)), kill)
        await killed.wait()

    async def _be_away(self) -> None:
        fate = self._fate
        self._store.kill_holder()
        if fate.strikes("clock_jump"):
            self._clock.skew_ms += fate.dice("clock").randint(-30_000, LOOKUP_SAFETY_MS - 500)
        if fate.strikes("long_night"):
            await self._functions.settle()  # what runs comes to its end long before the process is back
            self._clock.skew_ms += round(fate.between(1, 200) * _HOUR_MS)
        if fate.strikes("redeployed"):
            self._catalogue = self._other_catalogue()
        await asyncio.sleep(fate.between(0, 5, "kills"))

    async def _reload(self, life: Life) -> None:
        await asyncio.sleep(self._fate.between(0, 5, "reloads"))
        with suppress(JournalError):  # then the old one holds
            await life.reload(self._other_catalogue())
            self._catalogue = self._other_catalogue()

    def _other_catalogue(self) -> Catalogue:
        return CATALOGUES[1] if self._catalogue is CATALOGUES[0] else CATALOGUES[0]

    def _begin(self) -> Life:
        journal = SimulatedJournal(self._store, self._fate, self._witness)
        life = Life(journal, self._catalogue, self._world, self._witness.object)
        life.start()
        return life

    def _at_rest(self) -> bool:
        if not self._frontends.is_done or any(self._queues.messages(q) for q in (REQUESTS, REPLIES, *WORK_QUEUES)):
            return False
        return all(stored.head.done for stored in self._store.workflows.values())

    def _world(self, life: Life) -> World:
        queues, frontends = self._queues, self._frontends
        return World(
            journal=life.journal,
            planner=SimulatedPlanner(self._fate, self._asked),
            functions=self._functions,
            workers=SimulatedSender(queues.workers(encode_task), self._dispatched),
            requests=SimulatedSource(queues, REQUESTS, life.received, frontends.deleting),
            replies=SimulatedSource(queues, REPLIES, life.received),
            outcomes=queues.outcomes(DEAD_LETTERS),
            clock=self._clock,
            log=NoLog(),
            watcher=life.watcher,
            wire=Wire(parse_request=frontends.parse, parse_reply=decode_reply, encode_outcome=encode_outcome),
        )

    # --- The world around it ------------------------------------------------------------------------------------------

    def _dispatched(self, target: LambdaTransport | SqsTransport, call: AgentCall) -> None:
        self._witness.dispatched(target, call)

    def _put(self, queue: str, body: str) -> None:
        if queue == OUTCOMES:
            self._witness.published(body)
            self._frontends.told(body)

    def _asked(self, question: PlannerQuestion) -> None:
        workflow = self._witness.durable(question.workflow_id)
        if workflow is None or workflow.planning.call == 0:
            self._witness.object("the planner was asked before that was durable", question.workflow_id)

    def _refuse(self, call: AgentCall) -> None:
        fate = self._fate
        if call.action.rpartition(".")[2] in _UNDOING:
            if fate.strikes("undo_refused"):
                raise AgentRefusal("BUSY", retryable=True)
            if fate.strikes("undo_refused_for_good"):
                raise AgentRefusal("NOT_TODAY")
            return
        if fate.strikes("refused"):
            raise AgentRefusal("BUSY", retryable=True)
        if fate.strikes("refused_for_good"):
            raise AgentRefusal("SOLD_OUT")

    def _hold_ms(self) -> int:
        return round(self._fate.between(500, 4_000, "holds")) if self._fate.strikes("short_hold") else _HOLD_MS

    def _price(self) -> JsonObject:
        return {"amount": "110.00" if self._fate.strikes("price_changed") else "100.00", "currency": "USD"}
