"""Keeping what is ours: the lease is renewed, trust in it measured, and what ended instances owned is claimed.

Trust counts on this machine's own clock, from before a renewal was asked for, so it ends before the store can believe
that the lease has run out. A pause of the process or the machine goes by on that clock as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Container, Coroutine, Iterable, Sequence
from typing import Any, Final

from jada_orchestrator.domain.events import Event, RequestArrived, RequestRefused
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.ports.journal import (
    JournalAmbiguousError,
    JournalLeaseLostError,
    JournalUnavailableError,
    Stored,
)
from jada_orchestrator.ports.ownership import Ownership, Taken, Wanted
from jada_orchestrator.runtime.templated import TemplatedPlanner
from jada_orchestrator.runtime.world import World

CLAIM_WORKFLOWS_MAX: Final = 200
"""Workflows claimed at once: several instances that take over share what there is in pieces of this size."""
_RENEWALS_PER_LEASE: Final = 3
_RETRY_S: Final = 0.2
_TEMPLATES_RETRY_S: Final = 5.0


class Keeper:
    """Ownership as the runtime sees it. Without a port `Ownership` the whole journal is ours."""

    def __init__(self, world: World, wake: Callable[[], None]) -> None:
        """Begin without trust; `begin` earns it. `wake` lets a turn go round, in which what is due is claimed."""
        self.claim_due = False
        """There may be something to claim: the next turn does."""
        self.left = 0
        """Workflows that nobody works on, because only a newer version can read them; as last looked."""
        self._world = world
        self._journal = world.journal
        self._ownership = world.ownership
        self._wake = wake
        self._trusted_until_s = 0.0

    @property
    def is_trusted(self) -> bool:
        """Whether nobody else can have taken over yet: only then may anything leave the process."""
        return self._ownership is None or self._ownership.elapsed_s() < self._trusted_until_s

    def check(self) -> None:
        """Raise JournalLeaseLostError when the trust has run out: nothing more may be started, ever."""
        if not self.is_trusted:
            raise JournalLeaseLostError(
                "the lease could not be renewed in time, and other instances may have taken over: nothing more may be "
                "done by this one"
            )

    async def begin(self) -> None:
        """Earn trust before anything is done; an answer later than a lease is worth nothing. Raises: JournalError."""
        if self._ownership is None:
            return
        lease_s = self._ownership.lease_ms / 1_000
        try:
            async with asyncio.timeout(lease_s):
                await self._renew(self._ownership)
        except TimeoutError as error:
            raise JournalUnavailableError(
                f"the store did not answer the first renewal of the lease within its {lease_s:g} s"
            ) from error

    def loops(self) -> list[Coroutine[Any, Any, None]]:
        """Return what has to run for as long as the process acts; each ends by JournalLeaseLostError only."""
        if self._ownership is None:
            return []
        loops = [self._hold(self._ownership), self._listen(self._ownership)]
        templates = self._world.templates
        return loops if templates is None else [*loops, self._follow_templates(self._ownership, templates)]

    async def take(self, wanted: Sequence[Wanted]) -> Taken:
        """Return what may be acted upon of what something came for; see `Ownership.take`. Raises: JournalError."""
        if self._ownership is not None:
            return await self._ownership.take(wanted)
        return Taken(await self._journal.load([each.workflow_id for each in wanted]))

    async def claim(self, room: int) -> AsyncIterator[Stored]:
        """Yield what is to be taken up: once all that is unfinished, or what no live instance owns, as room allows.

        Raises: JournalError.
        """
        self.claim_due = False
        if self._ownership is None:
            async for stored in self._journal.unfinished():
                yield stored
            return
        while room > 0:
            claimed = await self._ownership.claim(min(room, CLAIM_WORKFLOWS_MAX))
            for stored in claimed:
                yield stored
            if not claimed:
                self._note_left(await self._ownership.left())
                return
            room -= len(claimed)

    def _note_left(self, left: int) -> None:
        """Say it when workflows are left to newer programs, and when none is any more."""
        before, self.left = self.left, left
        if left > before:
            message = (
                f"{left} workflows whose instance has ended have records of a newer version, which this one cannot "
                "read: they wait for an instance of that version. Start one"
            )
            self._world.log.emit("error", "workflows.left", message, workflows=left)
        elif before and not left:
            self._world.log.emit("warning", "workflows.not_left", "No workflow waits for a newer version any more")

    @property
    def may_release(self) -> bool:
        """Whether there are others that could take up what this process gives up."""
        return self._ownership is not None

    async def release(self, workflows: Sequence[WorkflowId]) -> None:
        """Give workflows up at once; see `Ownership.release`. Raises: JournalError."""
        if self._ownership is not None:
            await self._ownership.release(workflows)

    async def _hold(self, ownership: Ownership) -> None:
        """Renew the lease, a few times in its length, for ever."""
        while True:
            try:
                async with asyncio.timeout(self._trusted_until_s - ownership.elapsed_s()):
                    await self._renew(ownership)
            except (JournalUnavailableError, JournalAmbiguousError, TimeoutError):
                self.check()
                await asyncio.sleep(_RETRY_S)
            else:
                await asyncio.sleep(ownership.lease_ms / 1_000 / _RENEWALS_PER_LEASE)
                self.check()

    async def _listen(self, ownership: Ownership) -> None:
        """Claim as soon as another instance says that it has left."""
        while True:
            await ownership.woken()
            self._due()

    async def _follow_templates(self, ownership: Ownership, templates: TemplatedPlanner) -> None:
        """Know the templates that other instances learn, pin and let go."""
        while True:
            await ownership.templates_told()
            while True:
                try:
                    await templates.load()
                except (JournalUnavailableError, JournalAmbiguousError):
                    await asyncio.sleep(_TEMPLATES_RETRY_S)
                else:
                    break

    async def _renew(self, ownership: Ownership) -> None:
        asked_at_s = ownership.elapsed_s()
        renewed = await ownership.renew()
        self._trusted_until_s = asked_at_s + ownership.lease_ms / 1_000
        if renewed.unclaimed:
            self._due()
        else:
            self._note_left(0)
        budgets = self._world.budgets
        if budgets is not None and budgets.limits.any:
            day, spent = budgets.told(self._world.clock.now())
            budgets.learn(day, await ownership.share_spending(day, spent), self._world.clock.now())

    def _due(self) -> None:
        self.claim_due = True
        self._wake()


def wanted_for(workflow_id: WorkflowId, event: Event) -> Wanted:
    """Return what an event wants: a request may begin its workflow, everything else is about one that there is."""
    match event:
        case RequestArrived(request=request):
            return Wanted(workflow_id, may_begin=True, ordering_key=request.ordering_key)
        case RequestRefused():
            return Wanted(workflow_id, may_begin=True)
        case _:
            return Wanted(workflow_id)


def missing_of(wanted: Iterable[Wanted], *known: Container[WorkflowId]) -> list[Wanted]:
    """Return what is wanted and not known, each id once; of several wants for one id, one that may begin it counts."""
    missing: dict[WorkflowId, Wanted] = {}
    for each in wanted:
        id_ = each.workflow_id
        if not any(id_ in some for some in known) and (each.may_begin or id_ not in missing):
            missing[id_] = each
    return list(missing.values())
