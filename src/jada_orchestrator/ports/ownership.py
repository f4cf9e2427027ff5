"""Ownership: which workflows are this process's to act upon, when several processes share one store.

An *instance* is one life of one process. It holds a lease, which the store's clock alone measures, and owns workflows;
what it owns nobody else acts upon until its lease has run out and somebody has ended it. A lane (an ordering key) is
owned as a whole, so that its order is kept by one instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol, TypeAlias

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.journal import Stored
from jada_orchestrator.ports.queues import Delivery, MessageSource


@dataclass(frozen=True, slots=True)
class Wanted:
    """A workflow for which something came. `ordering_key` is known where it may begin with this."""

    workflow_id: WorkflowId
    may_begin: bool = False
    """What came is a request: where there is no such workflow yet, one begins."""
    ordering_key: str | None = None


@dataclass(frozen=True, slots=True)
class Taken:
    """What may be acted upon. A wanted workflow that is in neither does not exist, and may begin here if it may."""

    stored: Mapping[WorkflowId, Stored]
    elsewhere: frozenset[WorkflowId] = frozenset()
    """Another instance's: what came for them is to be handed over."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """What the store told when a lease was renewed."""

    unclaimed: bool = False
    """There may be workflows whose owner has ended."""
    mail: bool = False
    """There may be messages that were handed over."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as lists show it. `ended` is empty while it lives; it owns `workflows` unfinished ones."""

    number: int
    holder: str
    version: str
    since: UtcMs
    lease_until: UtcMs
    ended: Literal["", "drained", "expired"]
    workflows: int


MailKind: TypeAlias = Literal["request", "reply"]


class Mailbox(MessageSource, Protocol):
    """Messages of one kind that were handed over. What this instance receives is for workflows that it may act upon.

    A message stays in the store until it is deleted, and goes to whoever owns its workflow by then.
    """

    async def put(self, delivery: Delivery, workflow_id: WorkflowId, ordering_key: str | None) -> None:
        """Hand a message over to the owner of its workflow, or of the lane that it wants to join.

        Guarantees: when it returns the message is durable, and may be deleted where it came from.
        Raises: QueueError.
        """


class Ownership(Protocol):
    """The lease of this instance and what it owns, from the journal's `open` to its `close`, which ends the instance.

    All of them raise JournalUnavailableError (try again), and JournalSupersededError when the instance has ended: then
    this process must act no more.
    """

    @property
    def number(self) -> int:
        """Which instance it is, of all that the store ever had, from 1 on."""

    @property
    def lease_ms(self) -> int:
        """How long a renewal is good for, counted from before it was asked for."""

    @property
    def requests(self) -> Mailbox:
        """Requests and control messages that other instances received."""

    @property
    def replies(self) -> Mailbox:
        """Replies that other instances received."""

    def elapsed_s(self) -> float:
        """Return seconds that pass on this machine, also while the process or the machine is paused."""

    async def renew(self) -> Renewed:
        """Hold the lease for another `lease_ms`."""

    async def take(self, wanted: Sequence[Wanted]) -> Taken:
        """Make those workflows ours that nobody owns, and return all that are ours with their entries.

        Guarantees: when it returns, no other instance can begin or take any of them until this one has ended.
        """

    async def claim(self, workflows_max: int) -> Sequence[Stored]:
        """Make unfinished workflows ours whose owner has ended, oldest first, whole lanes at a time.

        Those with records that this program cannot read are left alone, with their lanes. Ends instances whose lease
        has run out for long enough. An empty answer means that nothing is left to claim now.
        After a call that failed, the answer may name workflows that are ours already.
        """

    async def left(self) -> int:
        """Count the unfinished workflows whose owner has ended and that only a newer program can read."""

    async def release(self, workflows: Sequence[WorkflowId]) -> None:
        """Give up workflows at once, with the lanes of their keys, while this instance goes on with the rest.

        Of a lane all unfinished workflows have to be named, or none. Guarantees: when it returns, they may be claimed,
        and the others have been told so. May be repeated after a call that failed.
        """

    async def share_spending(self, day: int, spent: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        """Tell what this instance has spent on a day, in US dollars by tenant, and return what all others have.

        Guarantees: what an instance told counts for its day also after it has ended.
        """

    async def forget_ended(self, kept_ms: int, spending_since: int) -> int:
        """Forget some instances that ended longer ago than that and left nothing, and return how many they were.

        What was spent on days before `spending_since` (days since 1970) is forgotten as well. Guarantees: an instance
        that was forgotten counts as ended, as before.
        """

    async def woken(self) -> None:
        """Return when another instance has told that there may be something to claim."""

    async def templates_told(self) -> None:
        """Return when the store's templates may be others than when they were last read, by whomever."""


class InstanceReader(Protocol):
    """The reader's side, for the CLI."""

    async def instances(self) -> list[Instance]:
        """Return the instances that live or ended lately, oldest first. Raises: JournalError."""

    async def close(self) -> None:
        """Release the store. May be called twice."""
