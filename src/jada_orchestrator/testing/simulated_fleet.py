"""Several simulated instances over one store, on virtual time: killed, paused, cut off, drained, slow, clocks apart.

One seed is one run: so many requests, and troubles at instants and of kinds that follow from the seed. What is checked
on the way is that nothing leaves an instance which has been ended (`fleet_agents`); at the end, what people and agents
saw: every request ends once, nothing was made twice or left half-made, lanes kept their order.
``python -m jada_orchestrator.testing.simulated_fleet --seeds 50000 --jobs 2``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import math
import multiprocessing
import random
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from jada_orchestrator.domain.documents import digest_of_text
from jada_orchestrator.domain.events import RequestArrived, Succeeded
from jada_orchestrator.domain.ids import RequestId, WorkflowId, workflow_id_of
from jada_orchestrator.domain.request import Message
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine import fold
from jada_orchestrator.engine.audit import breaches
from jada_orchestrator.ports.agents import AgentCall
from jada_orchestrator.ports.journal import JournalCorruptError, JournalError
from jada_orchestrator.ports.queues import AgentReply, UnreadableReply
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import ParsedRequest, Tunables, Wire, World
from jada_orchestrator.testing.aws import FakeQueues
from jada_orchestrator.testing.catalogues import Ref, proposal, request, task, travel_catalogue
from jada_orchestrator.testing.fleet_agents import (
    FleetAgents,
    Gangway,
    WatchedFunctions,
    WatchedOutcomes,
    WatchedPlanner,
    WatchedReplies,
    WatchedWorkers,
)
from jada_orchestrator.testing.fleet_store import (
    JUMP_S_MAX,
    FleetJournal,
    FleetStore,
    MachineClock,
    StoreClock,
    drawn_pause_s,
)
from jada_orchestrator.testing.garbage import collected_afterwards, settle_down
from jada_orchestrator.testing.pausing import PausingLoop
from jada_orchestrator.testing.planner import ScriptedPlanner
from jada_orchestrator.testing.quiet import NoLog, QuietWatcher
from jada_orchestrator.testing.virtual_time import VirtualClock, run_virtually

INSTANCES: Final = 3
REQUESTS_MOST: Final = 10
TROUBLES_MOST: Final = 8
_END_S: Final = 3_600.0
_TELL_EVERY: Final = 500
UPGRADES: Final = 0.25
"""Of all runs so many are rolling upgrades."""
LATE_AGAIN: Final = 0.2
"""Of all requests so many come once more after a while, when they are mostly over, and retired."""
AGAIN_AT_THE_END: Final = 0.2
"""Of all requests so many come once more just when they are over, and about to be retired."""
RETENTION_MS: Final = 1_500
"""Short enough for what ends to be retired while the troubles go on, by whichever instance."""
ORPHAN_S_MAX: Final = 14.0
"""How long a workflow may be nobody's while one instance is well."""
REQUESTS, REPLIES, OUTCOMES, DEAD = "requests", "replies", "outcomes", "dead-letters"
_WORK: Final = ("jada-checks", "jada-mail")
_FINAL: Final = frozenset({"completed", "failed", "compensated", "cancelled", "rejected", "needs_attention"})


def _plan() -> dict[str, Any]:
    return proposal(
        task("check", "checks.request"),
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", after=["check"], offer_id=Ref("rooms.offers[0].offer_id")),
        task("authorize", "cards.authorize", amount=Ref("hold.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("authorize.authorization_id")),
        task(
            "capture",
            "cards.capture",
            after=["book"],
            authorization_id=Ref("authorize.authorization_id"),
            amount=Ref("authorize.amount"),
        ),
        result={"booking": "book.booking_id"},
    )


@dataclass(slots=True)
class Ship:
    """One life of one instance, on a machine of its own."""

    journal: FleetJournal
    clock: VirtualClock
    watcher: QuietWatcher = field(default_factory=QuietWatcher)
    orchestrator: Orchestrator | None = None
    main: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Run:
    """What came of one seed."""

    seed: int
    broken: list[str] = field(default_factory=list)
    troubles: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    handed_over: int = 0
    retired: int = 0
    repeated: int = 0
    """Commits made again whose workflow had been retired meanwhile."""


class Fleet:
    """The world of one run."""

    def __init__(self, seed: int) -> None:
        """Begin with nothing running."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, PausingLoop), "a fleet needs a loop on which instances can be paused"
        self._loop = loop
        self.found = Run(seed)
        self._dice = random.Random(seed)
        self._clock = VirtualClock(loop)
        self._store_clock = StoreClock(loop)
        self._store = FleetStore(now_s=self._store_clock.now_s)
        self._queues = FakeQueues(self._clock)
        self._queues.create(REQUESTS, REPLIES, OUTCOMES, DEAD, *_WORK)
        self._agents = FleetAgents(self._clock, self._dice, loop)
        self._calls: list[AgentCall] = []
        self._ships: list[Ship] = []
        self._is_upgrade = self._dice.random() < UPGRADES
        """Whether instances of two versions run side by side."""
        self._requests: dict[str, str | None] = {}
        """By request id its ordering key."""
        self._again: list[asyncio.Task[None]] = []
        """Those who send requests once more."""

    async def sail(self) -> Run:
        """Run it to its end and look at what is left."""
        workers = [self._loop.outside(self._work(queue)) for queue in _WORK]
        for _ in range(self._dice.randint(2, INSTANCES)):
            self._launch()
        sending = self._loop.outside(self._send())
        watching = self._loop.outside(self._watch_orphans())
        for _ in range(self._dice.randint(1, TROUBLES_MOST)):
            await asyncio.sleep(self._dice.uniform(0.1, 12))
            await self._befall()
        await sending
        self._store.unavailable = None
        if not self._alive() or self._is_upgrade:
            self._is_upgrade = False
            self._launch()
        await self._wait_for_the_end()
        await self._drain_all()
        if self._store.mail:  # handed over while all were leaving: whoever comes next takes it
            self._launch()
            await self._wait_for_the_end()
            await self._drain_all()
        for each in (*workers, *self._again, watching):
            each.cancel()
        await asyncio.gather(*workers, *self._again, watching, return_exceptions=True)
        self._check()
        return self.found

    # --- What happens ---------------------------------------------------------------------------------------------

    def _launch(self) -> Ship:
        clock = MachineClock.drawn(self._dice)
        reads = 1 if self._is_upgrade and self._dice.random() < 0.5 else 2
        ship = Ship(FleetJournal(self._store, self._dice, self._loop, clock, reads), VirtualClock(self._loop))
        ship.clock.skew_ms = clock.wall_off_ms
        ship.main = self._loop.run_in(ship.journal, self._live(ship))
        self._ships.append(ship)
        return ship

    async def _live(self, ship: Ship) -> None:
        """One life; when its lease was lost, or the store was away at its start, another one begins."""
        try:
            await ship.journal.open()
            ship.orchestrator = Orchestrator(self._world(ship), _tunables())
            await ship.orchestrator.run()
        except JournalError as error:
            if isinstance(error, JournalCorruptError):
                self._object(f"an instance found the store damaged: {error}")
            with suppress(JournalError):
                await ship.journal.close()
            self._loop.later(1, self._launch)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not have ended the process
            self._object(f"an instance ended by itself: {type(error).__name__}: {error}")

    async def _befall(self) -> None:
        alive = self._alive()
        kind = self._dice.choice(("kill", "cut", "cut", "pause", "pause", "drain", "outage", "launch", "clock"))
        self.found.troubles[kind] = self.found.troubles.get(kind, 0) + 1
        loop = self._loop
        ship = self._dice.choice(alive) if alive else None
        if kind == "launch" or ship is None:
            if len(alive) < INSTANCES + 1:
                self._launch()
        elif kind == "kill":
            await self._end(ship)
            loop.later(self._dice.uniform(0.5, 20), self._launch)
        elif kind == "cut":
            ship.journal.is_cut = True
            loop.later(self._dice.uniform(0.5, 30), partial(_mend, ship.journal))
        elif kind == "pause":
            loop.pause(ship.journal, drawn_pause_s(self._dice))
        elif kind == "clock":
            forward_s = JUMP_S_MAX - max(self._store_clock.jumped_s, 0)
            self._store_clock.jumped_s += self._dice.uniform(-5, forward_s) if self._store_clock.jumped_s >= 0 else 0
        elif kind == "drain":
            await self._drain(ship)
            loop.later(self._dice.uniform(0.1, 5), self._launch)
        else:
            self._store.unavailable = "the store is down (a planted fault)"
            loop.later(self._dice.uniform(0.1, 25), self._recover)

    def _recover(self) -> None:
        self._store.unavailable = None

    async def _end(self, ship: Ship) -> None:
        """Kill an instance: what it had in memory is gone, its lease goes on until somebody ends it."""
        if ship.main is not None:
            self._loop.resume(ship.journal)
            ship.main.cancel()
            await asyncio.gather(ship.main, return_exceptions=True)

    async def _drain_all(self) -> None:
        while alive := self._alive():  # one that lost its lease meanwhile has begun anew
            for ship in alive:
                await self._drain(ship)

    async def _drain(self, ship: Ship) -> None:
        if ship.orchestrator is not None:
            ship.orchestrator.stop()
        if ship.main is not None:
            _, late = await asyncio.wait([ship.main], timeout=120)
            if late:
                await self._end(ship)
        with suppress(JournalError):
            await ship.journal.close()

    async def _send(self) -> None:
        for number in range(self._dice.randint(2, REQUESTS_MOST)):
            key = self._dice.choice([None, None, "customer:1", "customer:2"])
            self._requests[f"web-{number}"] = key
            body = json.dumps({"id": f"web-{number}", "key": key})
            for _ in range(2 if self._dice.random() < 0.3 else 1):
                self._queues.put(REQUESTS, body)
            if self._dice.random() < LATE_AGAIN:
                self._loop.later(self._dice.uniform(5, 40), partial(self._queues.put, REQUESTS, body))
            if self._dice.random() < AGAIN_AT_THE_END:
                self._again.append(self._loop.outside(self._send_again(f"web-{number}", body)))
            await asyncio.sleep(self._dice.uniform(0, 5))

    async def _send_again(self, name: str, body: str) -> None:
        """Send a request once more, around the time at which it is retired."""
        while name not in self._told():  # noqa: ASYNC110 - virtual time
            await asyncio.sleep(0.5)
        await asyncio.sleep(self._dice.uniform(0, 2 * RETENTION_MS / 1_000))
        self._queues.put(REQUESTS, body)

    async def _work(self, queue: str) -> None:
        """A queue worker: does what it is sent, and answers on the reply queue."""
        source = self._queues.source(queue)
        while True:
            for delivery in await source.receive(10):
                await asyncio.sleep(self._dice.uniform(0.01, 3))
                call = self._calls[int(delivery.message.body)]
                if self._clock.now() <= call.deadline and isinstance(self._agents.answer(call), Succeeded):
                    self._queues.put(REPLIES, delivery.message.body)
                await source.delete([delivery])

    async def _wait_for_the_end(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                while set(self._told()) < set(self._requests) or self._store.mail:  # noqa: ASYNC110 - virtual time
                    await asyncio.sleep(1)

    async def _watch_orphans(self) -> None:
        """See that what ended instances owned is taken over, while there is an instance that could."""
        able_since = asyncio.get_running_loop().time()
        orphan_since: dict[WorkflowId, float] = {}
        while True:
            await asyncio.sleep(2)
            now = asyncio.get_running_loop().time()
            if not any(self._is_able(ship) for ship in self._alive()):
                able_since = now + 2  # also while nobody is left who can read everything
            orphans = self._store.orphans(also_expired=True)
            orphan_since = {id_: orphan_since.get(id_, now) for id_ in orphans}
            for id_, since in orphan_since.items():
                if now - max(since, able_since) > ORPHAN_S_MAX:
                    self._object(f"{id_} was nobody's for {ORPHAN_S_MAX} s")
                    orphan_since[id_] = math.inf

    def _is_able(self, ship: Ship) -> bool:
        running = ship.orchestrator is not None and not ship.orchestrator.is_stopping and ship.journal.reads > 1
        return running and not (ship.journal.is_cut or self._store.unavailable or self._loop.is_paused(ship.journal))

    def _alive(self) -> list[Ship]:
        return [ship for ship in self._ships if ship.main is not None and not ship.main.done()]

    # --- What is seen ---------------------------------------------------------------------------------------------

    def _told(self) -> dict[str, set[tuple[str, str]]]:
        """Return by request id the ids and types of the final outcomes that were told."""
        told: dict[str, set[tuple[str, str]]] = {}
        for message in self._queues.messages(OUTCOMES):
            body = json.loads(message.body)
            if body["type"] in _FINAL:
                told.setdefault(body["request_id"], set()).add((body["id"], body["type"]))
        return told

    def _object(self, sentence: str) -> None:
        self.found.broken.append(sentence)

    def _check(self) -> None:
        told, books = self._told(), self._agents.agents.books
        for name in self._requests:
            ends = told.get(name, set())
            workflow_id = workflow_id_of(RequestId(name))
            standing = [effect.action for effect in books.standing(workflow_id)]
            if len(ends) != 1:
                self._object(f"{name} has {len(ends)} outcomes: {sorted(ends)}")
                continue
            [(_, kind)] = ends
            self.found.outcomes[kind] = self.found.outcomes.get(kind, 0) + 1
            whole = sorted(standing) == ["cards.authorize", "cards.capture", "rooms.book", "rooms.hold"]
            if kind == "completed" and not whole:
                self._object(f"{name} completed, and this stands: {standing}")
            if kind in {"failed", "compensated"} and standing:
                self._object(f"{name} {kind}, and this stands: {standing}")
            if kind not in {"completed", "failed", "compensated"}:
                self._object(f"{name} ended as {kind}")
        self.found.broken += [*self._store.broken, *books.doubled, *books.changed_inputs]
        self.found.handed_over = self._store.letters
        self.found.repeated = self._store.repeated
        if self._store.mail:
            self._object(f"{len(self._store.mail)} messages were handed over and never taken")
        self._check_journal()

    def _check_journal(self) -> None:
        lanes: dict[str, list[Workflow]] = {}
        began, ended = self._store.began, self._store.ended
        for workflow_id, stored in self._store.workflows.items():
            workflow = fold(workflow_id, stored.entries)
            if workflow.retired is not None:
                whole = fold(workflow_id, self._store.replaced[workflow_id])
                self._check_tombstone(workflow, whole)
                workflow = whole
            self.found.broken += [f"{workflow_id}: {sentence}" for sentence in breaches(workflow)]
            if workflow.quarantined is not None or not workflow.is_terminal:
                self._object(f"{workflow_id} is {Status(workflow.status).value}")
            if workflow.request is not None and workflow.request.ordering_key is not None:
                lanes.setdefault(workflow.request.ordering_key, []).append(workflow)
        for key, lane in lanes.items():
            in_order = sorted(lane, key=lambda each: began.get(each.workflow_id, math.inf))
            for before, after in itertools.pairwise(in_order):
                if began.get(after.workflow_id, math.inf) < ended.get(before.workflow_id, math.inf):
                    self._object(f"in the lane {key} {after.workflow_id} began before {before.workflow_id} had ended")

    def _check_tombstone(self, workflow: Workflow, whole: Workflow) -> None:
        """See that what stays of a workflow tells what it was, and that nothing but telling happened to it since."""
        self.found.retired += 1
        for sentence in breaches(workflow):
            self._object(f"{workflow.workflow_id}, retired: {sentence}")
        for name in ("request_id", "digest", "terminal", "created_at", "finished_at", "usage", "cancelled"):
            if getattr(workflow, name) != getattr(whole, name):
                self._object(f"{workflow.workflow_id} is another one since it was retired, by its {name}")
        if [each.outcome_id for each in workflow.outcomes] != [whole.outcomes[-1].outcome_id]:
            self._object(f"{workflow.workflow_id} has another outcome since it was retired")

    # --- Wiring ---------------------------------------------------------------------------------------------------

    def _world(self, ship: Ship) -> World:
        gangway = Gangway(ship.journal, self._dice, self._loop, self._object)
        replies = self._queues.source(REPLIES)
        return World(
            journal=ship.journal,
            ownership=ship.journal,
            planner=WatchedPlanner(gangway, ScriptedPlanner(lambda _: _plan())),
            functions=WatchedFunctions(gangway, self._agents),
            workers=WatchedWorkers(gangway, self._queues.workers(self._encode)),
            requests=self._queues.source(REQUESTS),
            replies=WatchedReplies(ship.journal, replies, self._workflow_of_reply, self._object),
            outcomes=WatchedOutcomes(gangway, self._queues.outcomes(DEAD)),
            clock=ship.clock,
            log=NoLog(),
            watcher=ship.watcher,
            wire=Wire(_parse_request, self._parse_reply, _encode_outcome),
        )

    def _encode(self, call: AgentCall) -> str:
        self._calls.append(call)
        return str(len(self._calls) - 1)

    def _workflow_of_reply(self, text: str) -> WorkflowId:
        return self._calls[int(text)].workflow_id

    def _parse_reply(self, text: str) -> AgentReply | UnreadableReply:
        call = self._calls[int(text)]
        return AgentReply(
            call.workflow_id, call.task_id, call.attempt, call.idempotency_key, Succeeded(self._agents.agents.do(call))
        )


def _mend(journal: FleetJournal) -> None:
    journal.is_cut = False


def _tunables() -> Tunables:
    return Tunables(
        catalogue=_CATALOGUE,
        model="simulated-model",
        outcome_queue=OUTCOMES,
        reply_to_allowed=frozenset({OUTCOMES}),
        calls_in_flight_max=20,
        workflows_in_flight_max=100,
        receivers=1,
        drain_ms=3_000,
        retention_ms=RETENTION_MS,
    )


def _parse_request(message: Message, model: str) -> ParsedRequest:
    body = json.loads(message.body)
    wish = replace(request("room", request_id=body["id"]), ordering_key=body["key"])
    return RequestArrived(wish, digest_of_text(message.body), message, model)


def _encode_outcome(outcome_id: str, outcome_type: str, at: int, content: Mapping[str, Any]) -> str:
    return json.dumps({"id": outcome_id, "type": outcome_type, "request_id": content["request_id"]})


_CATALOGUE: Final = travel_catalogue()


def simulate_fleet(seed: int) -> Run:
    """Run one seed."""

    async def main() -> Run:
        return await Fleet(seed).sail()

    with collected_afterwards():
        return run_virtually(main(), PausingLoop)


def main() -> int:
    """Run many seeds over several processes; return 1 when a law was broken in one of them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", metavar="N", type=int, default=1_000, help="how many seeds to run (1000)")
    parser.add_argument("--from", dest="first", metavar="K", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--jobs", metavar="J", type=int, default=2, help="processes (2)")
    arguments = parser.parse_args()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    failing = handed_over = retired = repeated = 0
    troubles: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    with multiprocessing.Pool(arguments.jobs, settle_down) as pool:
        for done, found in enumerate(pool.imap_unordered(simulate_fleet, seeds, chunksize=20), start=1):
            if done % _TELL_EVERY == 0:
                sys.stderr.write(f"{done} seeds, {failing} failing\n")
            failing += bool(found.broken)
            handed_over += found.handed_over
            retired += found.retired
            repeated += found.repeated
            for sums, counts in ((troubles, found.troubles), (outcomes, found.outcomes)):
                for name, count in counts.items():
                    sums[name] = sums.get(name, 0) + count
            for sentence in found.broken[:3]:
                sys.stdout.write(f"seed {found.seed}: {sentence}\n")
                sys.stdout.flush()
    sys.stdout.write(
        f"{len(seeds)} seeds, {failing} failing; outcomes {outcomes}; troubles {troubles}; {handed_over} handed over; "
        f"{retired} retired, {repeated} commits made again after that\n"
    )
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
