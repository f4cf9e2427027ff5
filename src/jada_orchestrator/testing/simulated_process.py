"""One life of the simulated process: started on what is durable, killed at any await, stopped, or overtaken.

Killing takes everything of the process at the same moment, and nothing of it runs afterwards: its tasks are known by
the context that they inherit from its first one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextvars import Context, ContextVar, copy_context
from dataclasses import replace
from typing import Any, Final

from jada_orchestrator.domain.catalogue import Agent, AgentLimits, Catalogue, LambdaTransport, SqsTransport, Transport
from jada_orchestrator.domain.ids import CatalogueVersion
from jada_orchestrator.ports.journal import JournalError, JournalSupersededError
from jada_orchestrator.ports.queues import Delivery
from jada_orchestrator.runtime.orchestrator import Ended, Orchestrator
from jada_orchestrator.runtime.world import Tunables, World
from jada_orchestrator.testing.aws import FakeQueues, FakeSource
from jada_orchestrator.testing.catalogues import travel_catalogue
from jada_orchestrator.testing.quiet import QuietWatcher
from jada_orchestrator.testing.simulated_frontend import OUTCOMES
from jada_orchestrator.testing.simulated_journal import SimulatedJournal

_PROCESS: Final[ContextVar[Life | None]] = ContextVar("process", default=None)
_RETENTION_MS: Final = 60_000
"""Short enough for what ended early to be retired while the rest goes on and frontends ask again."""
_STOPS_WITHIN_S: Final = 5.0
"""A process that was told that another one has taken over must be gone after this."""


def _second_catalogue(first: Catalogue) -> Catalogue:
    """The same actions at other functions and more workers, with less patience and narrower bounds."""
    agents = {
        name: replace(agent, transport=_other(agent), limits=AgentLimits(concurrency=3, rate_per_second=5))
        for name, agent in first.agents.items()
    }
    actions = {name: replace(action, timeout_ms=12_000) for name, action in first.actions.items()}
    return Catalogue(CatalogueVersion("test-catalogue-2"), agents, actions)


def _other(agent: Agent) -> Transport:
    if agent.name in {"cards", "seats"}:
        return SqsTransport(f"jada-{agent.name}")
    if isinstance(agent.transport, LambdaTransport):
        return LambdaTransport(f"{agent.transport.function}-2")
    return agent.transport


WORK_QUEUES: Final = ("jada-checks", "jada-mail", "jada-cards", "jada-seats")
"""Where workers of either catalogue wait for tasks."""
_FIRST: Final = travel_catalogue()
CATALOGUES: Final = (_FIRST, _second_catalogue(_FIRST))
"""Made once: schemas that stay the same objects keep their compiled checkers."""


def tunables_with(catalogue: Catalogue) -> Tunables:
    """Return the settings of a simulated process."""
    return Tunables(
        catalogue=catalogue,
        model="simulated-model",
        outcome_queue=OUTCOMES,
        reply_to_allowed=frozenset({OUTCOMES}),
        calls_in_flight_max=20,
        workflows_in_flight_max=100,
        receivers=2,
        drain_ms=3_000,
        retention_ms=_RETENTION_MS,
    )


def install_task_factory(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task that a process creates be known to it."""

    def create(
        on: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, Any],
        context: Context | None = None,
        **more: Any,  # noqa: ANN401 - whatever else the loop wants to tell a task
    ) -> asyncio.Task[Any]:
        life = _PROCESS.get() if context is None else context.get(_PROCESS)
        task = asyncio.Task(coroutine, loop=on, context=context, **more)
        if life is not None:
            life.tasks.append(task)
        return task

    loop.set_task_factory(create)  # type: ignore[arg-type] # the stubs want a protocol without **more


class Life:
    """One process, from its start to its end."""

    def __init__(
        self,
        journal: SimulatedJournal,
        catalogue: Catalogue,
        world_of: Callable[[Life], World],
        object_to: Callable[[str], None],
    ) -> None:
        """Begin unborn."""
        self.journal = journal
        self.tasks: list[asyncio.Task[Any]] = []
        self.watcher = QuietWatcher()
        self.received: dict[str, Delivery] = {}
        """By handle, messages that were received and not yet settled in any way."""
        self.orchestrator: Orchestrator | None = None
        self.ended: Ended | None = None
        self._catalogue = catalogue
        self._world_of = world_of
        self._object = object_to
        self._main: asyncio.Task[None] | None = None

    @property
    def is_over(self) -> bool:
        """Whether the process has ended, of itself or not."""
        return self._main is not None and self._main.done()

    def start(self) -> None:
        """Begin to run, in a context of its own."""
        context = copy_context()
        context.run(_PROCESS.set, self)
        self._main = asyncio.get_running_loop().create_task(self._run(), context=context)

    async def _run(self) -> None:
        try:
            await self.journal.open()
            self.orchestrator = Orchestrator(self._world_of(self), tunables_with(self._catalogue))
            self.ended = await self.orchestrator.run()
        except JournalSupersededError:
            return
        except JournalError as error:
            if self.watcher.is_ready:  # before that, whoever watches over the process starts it again
                self._object(f"the process ended by trouble of the store that passes: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not have ended the process
            self._object(f"the process ended by itself: {type(error).__name__}: {error}")

    def kill(self) -> None:
        """End everything at once. Nothing of the process runs after the loop's present round."""
        for task in self.tasks:
            task.cancel()

    async def over(self) -> None:
        """Wait until nothing of the process is left, and check that nothing is."""
        main = self._main
        assert main is not None, "it was started"
        await asyncio.wait([main])
        left = [task for task in self.tasks if not task.done()]
        if left:
            await asyncio.wait(left, timeout=1)
            left = [task for task in left if not task.done()]
        if left:
            self._object(f"{len(left)} tasks outlive their process: {left[0].get_coro()}")
        if self.ended is Ended.DRAINED and self.received:
            self._object(f"{len(self.received)} messages were received, and neither deleted, given back nor dead")
        self.tasks.clear()

    async def stop(self) -> None:
        """Ask it to stop, and see that it does."""
        if self.orchestrator is None:
            self.kill()
        else:
            self.orchestrator.stop()
        assert self._main is not None, "it was started"
        _, left = await asyncio.wait([self._main], timeout=90)
        if left:
            self._object("it was asked to stop, and did not within 90 seconds")
            self.kill()
        await self.over()

    async def reload(self, catalogue: Catalogue) -> None:
        """Take another catalogue, or keep the old one when the store fails."""
        if self.orchestrator is not None and self.watcher.is_ready and not self.is_over:
            await self.orchestrator.reload(tunables_with(catalogue))
            self._catalogue = catalogue

    def check_superseded(self) -> None:
        """A process that learned that another one has taken over is gone soon."""
        learned_at = self.journal.superseded_at
        if learned_at is None or self.is_over:
            return
        if asyncio.get_running_loop().time() - learned_at > _STOPS_WITHIN_S:
            self._object("a process was told that another one had taken over, and goes on")


class SimulatedSource(FakeSource):
    """`MessageSource` of one process: remembers what was received and not yet settled."""

    def __init__(
        self,
        queues: FakeQueues,
        queue: str,
        received: dict[str, Delivery],
        deleting: Callable[[list[Delivery]], None] = lambda _: None,
    ) -> None:
        """Read a queue by name; `deleting` sees what is about to be deleted."""
        super().__init__(queues, queue)
        self._received = received
        self._deleting = deleting

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for messages; see the port."""
        deliveries = await super().receive(messages_max)
        self._received.update((delivery.handle, delivery) for delivery in deliveries)
        return deliveries

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Delete messages; see the port."""
        self._settle(deliveries)
        self._deleting(list(deliveries))
        await super().delete(deliveries)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Make messages visible again after a while; see the port."""
        self._settle(deliveries)
        await super().give_back(deliveries, after_ms=after_ms)

    def _settle(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            self._received.pop(delivery.handle, None)
