"""What simulated instances reach outside of the store: agents, workers, the model, queues; and who sees them do it.

Calls are on their way for a while and arrive also when their caller has gone, as packets do. Everything that leaves an
instance is seen leaving: by then the instance must not have been ended, because another one may have begun with its
work. What is then held up on its way is another matter, for which calls have keys and deadlines.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final

from jada_orchestrator.domain.catalogue import LambdaTransport, SqsTransport
from jada_orchestrator.domain.events import Failed, Lost, Succeeded
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.agents import AgentCall, CallEnded, WorkerSender
from jada_orchestrator.ports.planner import Planner, PlannerAnswer, PlannerQuestion, TaskListener
from jada_orchestrator.ports.queues import Delivery, MessageSource, OutcomeMessage, OutcomeSink
from jada_orchestrator.testing.fleet_store import FleetJournal, drawn_pause_s
from jada_orchestrator.testing.pausing import PausingLoop
from jada_orchestrator.testing.shared_journal import SharedStore
from jada_orchestrator.testing.simulated_agents import AgentRefusal, SimulatedAgents
from jada_orchestrator.testing.virtual_time import VirtualClock


class FleetAgents:
    """The agents, over one set of books.

    A call is executed when it arrives, whatever has become of its caller by then; one that arrives after its deadline
    is not executed.
    """

    def __init__(self, clock: VirtualClock, dice: random.Random, loop: PausingLoop) -> None:
        """Begin with empty books."""
        self.agents: Final = SimulatedAgents(clock.now, self._refuse)
        self._clock = clock
        self._dice = dice
        self._loop = loop
        self._on_their_way: set[asyncio.Task[CallEnded]] = set()

    async def call(self, call: AgentCall) -> CallEnded:
        """Make one attempt."""
        task = self._loop.outside(self._arrive(call))
        self._on_their_way.add(task)
        task.add_done_callback(self._on_their_way.discard)
        try:
            async with asyncio.timeout(max(0, call.timeout_ms) / 1_000):
                return await asyncio.shield(task)
        except TimeoutError:
            return CallEnded(Lost(Failure("CALL_TIMEOUT", "no answer came in time")))

    async def _arrive(self, call: AgentCall) -> CallEnded:
        slow = self._dice.random() < 0.1
        await asyncio.sleep(self._dice.uniform(3, 25) if slow else self._dice.uniform(0.01, 2))
        if self._clock.now() > call.deadline:
            return CallEnded(Lost(Failure("CALL_TIMEOUT", "it arrived too late")))
        answer = self.answer(call)
        await asyncio.sleep(self._dice.uniform(0.01, 1))
        lost = self._dice.random() < 0.03
        return CallEnded(Lost(Failure("CUT", "the answer was lost"))) if lost else CallEnded(answer)

    def answer(self, call: AgentCall) -> Succeeded | Failed:
        """Do what is asked, and say how it ended."""
        try:
            return Succeeded(self.agents.do(call))
        except AgentRefusal as refusal:
            return Failed(Failure(refusal.code, "no"), retryable=refusal.retryable, answered=True)

    def _refuse(self, call: AgentCall) -> None:
        verb = call.action.partition(".")[2]
        if verb in {"hold", "book", "capture"} and self._dice.random() < 0.06:
            raise AgentRefusal("SOLD_OUT")
        if self._dice.random() < 0.03:
            raise AgentRefusal("BUSY", retryable=True)


class Gangway:
    """The only way off an instance. It is watched, and now and then the instance is paused on it."""

    def __init__(
        self, journal: FleetJournal, dice: random.Random, loop: PausingLoop, report: Callable[[str], None]
    ) -> None:
        """Watch the instance that has this journal; what is wrong is told to `report`."""
        self._journal = journal
        self._dice = dice
        self._loop = loop
        self._report = report

    async def leave(self, what: str) -> None:
        """See that whatever leaves may leave."""
        self.see(what)
        await self.pause()

    def see(self, what: str) -> None:
        """See that what is handed over now may leave."""
        number = self._journal.number
        if number and not self._journal.shared.is_alive(number):
            self._report(f"{what} left instance {number}, which had been ended")

    async def pause(self) -> None:
        """Be paused now and then."""
        if self._dice.random() < 0.004:
            self._loop.pause(self._journal.process, drawn_pause_s(self._dice))
            await asyncio.sleep(0)


class WatchedFunctions:
    """The port `FunctionCaller` of one instance."""

    def __init__(self, gangway: Gangway, agents: FleetAgents) -> None:
        """Take who watches, and who is called."""
        self._gangway = gangway
        self._agents = agents

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Make one attempt; see the port."""
        await self._gangway.leave(f"{call.action} for {call.workflow_id}")
        return await self._agents.call(call)

    async def close(self) -> None:
        """Do nothing."""


class WatchedWorkers:
    """The port `WorkerSender` of one instance."""

    def __init__(self, gangway: Gangway, workers: WorkerSender) -> None:
        """Take who watches, and who sends."""
        self._gangway = gangway
        self._workers = workers

    def post(self, target: SqsTransport, call: AgentCall) -> asyncio.Future[CallEnded | None] | None:
        """Take over every other attempt at once: it has left by then, and its message is on its way."""
        if call.attempt % 2 == 0:
            return None
        self._gangway.see(f"{call.action} for {call.workflow_id}")
        return asyncio.ensure_future(self._carry(target, call))

    async def send(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        """Give one attempt to a worker; see the port."""
        self._gangway.see(f"{call.action} for {call.workflow_id}")
        return await self._carry(target, call)

    async def _carry(self, target: SqsTransport, call: AgentCall) -> CallEnded | None:
        await self._gangway.pause()
        return await self._workers.send(target, call)

    async def close(self) -> None:
        """Do nothing."""


class WatchedPlanner:
    """The port `Planner` of one instance."""

    def __init__(self, gangway: Gangway, planner: Planner) -> None:
        """Take who watches, and who answers."""
        self._gangway = gangway
        self._planner = planner

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Ask; see the port."""
        await self._gangway.leave(f"a question for {question.workflow_id}")
        return await self._planner.propose(question, on_task)

    async def close(self) -> None:
        """Do nothing."""


class WatchedOutcomes:
    """The port `OutcomeSink` of one instance."""

    def __init__(self, gangway: Gangway, outcomes: OutcomeSink) -> None:
        """Take who watches, and who sends."""
        self._gangway = gangway
        self._outcomes = outcomes

    async def publish(self, outcome: OutcomeMessage) -> None:
        """Send an outcome; see the port."""
        await self._gangway.leave("an outcome")
        await self._outcomes.publish(outcome)

    async def dead_letter(self, message: Message, failure: Failure) -> None:
        """Send a dead letter; see the port."""
        await self._gangway.leave("a dead letter")
        await self._outcomes.dead_letter(message, failure)

    async def close(self) -> None:
        """Do nothing."""


class WatchedReplies:
    """The port `MessageSource` of one instance on the reply queue.

    Who deletes a reply must have owned its workflow at some time, or have handed it over.
    """

    def __init__(
        self,
        journal: FleetJournal,
        source: MessageSource,
        workflow_of: Callable[[str], WorkflowId],
        report: Callable[[str], None],
    ) -> None:
        """Take the queue, how a reply tells its workflow, and who is told what is wrong."""
        self._journal = journal
        self._source = source
        self._workflow_of = workflow_of
        self._report = report

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for replies; see the port."""
        return await self._source.receive(messages_max)

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete replies; see the port."""
        for delivery in deliveries:
            self._look(self._journal.shared, self._workflow_of(delivery.message.body), delivery)
        await self._source.delete(deliveries)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Make replies visible again; see the port."""
        await self._source.give_back(deliveries, after_ms=after_ms)

    async def close(self) -> None:
        """Do nothing."""

    def _look(self, store: SharedStore, workflow_id: WorkflowId, delivery: Delivery) -> None:
        number = self._journal.number
        owned = number in store.owned_ever.get(workflow_id, ())
        if number and not owned and delivery.message_id not in store.handed_over:
            self._report(f"a reply for {workflow_id} was deleted by instance {number}, which never owned it")
