"""A store in memory that several instances share: leases, owners, lanes and mail, with the promises of the real one.

What is durable is a `SharedStore`; each instance has a `SharedJournal` on it. `now_s` of the store is the one clock by
which leases are measured.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import Record
from jada_orchestrator.domain.template import Template
from jada_orchestrator.ports.journal import Append, JournalLeaseLostError, JournalUnavailableError, Stored
from jada_orchestrator.ports.ownership import Instance, MailKind, Renewed, Taken, Wanted
from jada_orchestrator.ports.queues import Delivery, QueueError
from jada_orchestrator.testing.journal import MemoryJournal, MemoryStore

LEASE_MS: Final = 10_000
MARGIN_MS: Final = 2_000


@dataclass(slots=True)
class Member:
    """One instance in the store."""

    name: str
    since_s: float
    lease_until_s: float
    ended: str = ""
    ended_s: float = 0.0
    unclaimed: bool = False
    reads: int = 1


@dataclass(slots=True)
class Letter:
    """One message that was handed over."""

    kind: MailKind
    workflow_id: WorkflowId
    lane: str | None
    delivery: Delivery


@dataclass(slots=True)
class SharedStore(MemoryStore):
    """A `MemoryStore` with owners. An id in `owners` without a workflow is reserved."""

    now_s: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    members: dict[int, Member] = field(default_factory=dict)
    begun: int = 0
    """Instances that there ever were."""
    owners: dict[WorkflowId, int] = field(default_factory=dict)
    lanes: dict[str, int] = field(default_factory=dict)
    formats: dict[WorkflowId, int] = field(default_factory=dict)
    """The newest format of a workflow's records, where it is not 1."""
    mail: dict[int, Letter] = field(default_factory=dict)
    letters: int = 0
    handed_over: set[str] = field(default_factory=set)
    """The ids of messages that were handed over, also of those that were taken since."""
    owned_ever: dict[WorkflowId, set[int]] = field(default_factory=dict)
    """By workflow the instances that owned it at some time."""
    spending: dict[tuple[int, int], dict[str, Decimal]] = field(default_factory=dict)
    """By day and instance: US dollars by tenant."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when something was said to all instances; each look clears it for its own."""
    listeners: list[SharedJournal] = field(default_factory=list)

    def is_alive(self, number: int | None) -> bool:
        """Tell whether an instance has not ended (its lease may have run out)."""
        return number is not None and number in self.members and not self.members[number].ended

    def begin(self, member: Member) -> int:
        """Add an instance, and return its number."""
        self.begun += 1
        self.members[self.begun] = member
        return self.begun

    def give(self, workflow_id: WorkflowId, number: int) -> None:
        """Make an instance the owner."""
        self.owners[workflow_id] = number
        self.owned_ever.setdefault(workflow_id, set()).add(number)

    def orphans(self, *, also_expired: bool = False) -> list[WorkflowId]:
        """Return the unfinished workflows whose owner has ended, or might be ended."""
        over_s = self.now_s() - MARGIN_MS / 1_000
        gone = {
            number
            for number, member in self.members.items()
            if member.ended or (also_expired and member.lease_until_s < over_s)
        }
        return [id_ for id_, stored in self.workflows.items() if not stored.head.done and self.owners.get(id_) in gone]

    def tell(self) -> None:
        """Notify every instance."""
        for listener in self.listeners:
            listener.heard()

    def tell_of_templates(self) -> None:
        """Notify every instance that templates changed."""
        for listener in self.listeners:
            listener.heard_of_templates()

    def end(self, number: int, how: str) -> None:
        """End an instance: what it owned may be claimed."""
        member = self.members.get(number)
        if member is not None and not member.ended:
            member.ended, member.unclaimed, member.ended_s = how, True, self.now_s()
            self.tell()


class SharedJournal(MemoryJournal):
    """One instance's view of a `SharedStore`, and its ownership."""

    lease_ms: Final = LEASE_MS

    def __init__(
        self,
        store: SharedStore,
        *,
        name: str = "memory",
        reads: int = 1,
        format_of: Callable[[Record], int] = lambda _: 1,
        tombstones: int = 1,
    ) -> None:
        """Begin closed. `reads` is the newest format that is read, `format_of` tells in which one a record is.

        `tombstones` is the format of what stays of workflows that are retired.
        """
        super().__init__(store, name=name)
        self.reads: Final = reads
        self._format_of = format_of
        self._tombstones = tombstones
        self.shared: Final = store
        self.number = 0
        self.requests = SharedMailbox(self, "request")
        self.replies = SharedMailbox(self, "reply")
        self._claims_told = asyncio.Event()
        self._templates_told = asyncio.Event()

    async def open(self) -> None:
        """Begin an instance; see `Journal.open`."""
        self._check_available()
        now = self.shared.now_s()
        self.number = self.shared.begin(Member(self._name, now, now + LEASE_MS / 1_000, reads=self.reads))
        self.shared.listeners.append(self)

    async def close(self) -> None:
        """End the instance; see `Journal.close`."""
        if self.number and self.shared.unavailable is None:
            self.shared.end(self.number, "drained")
        if self in self.shared.listeners:
            self.shared.listeners.remove(self)
        self.number = 0

    # --- Ownership ------------------------------------------------------------------------------------------------

    def elapsed_s(self) -> float:
        """Return the store's own clock: there is one machine; see `Ownership.elapsed_s`."""
        return self.shared.now_s()

    async def renew(self) -> Renewed:
        """Hold the lease; see `Ownership.renew`."""
        await asyncio.sleep(0)
        self._check_ours()
        store = self.shared
        store.members[self.number].lease_until_s = store.now_s() + LEASE_MS / 1_000
        unclaimed = any(member.unclaimed or self._has_expired(number) for number, member in store.members.items())
        if store.mail:
            self.heard()
        return Renewed(unclaimed, bool(store.mail))

    async def take(self, wanted: Sequence[Wanted]) -> Taken:
        """Make ours what nobody owns; see `Ownership.take`."""
        await asyncio.sleep(0)
        self._check_ours()
        stored: dict[WorkflowId, Stored] = {}
        elsewhere: set[WorkflowId] = set()
        for each in wanted:
            if not self._take(each):
                elsewhere.add(each.workflow_id)
            elif each.workflow_id in self.shared.workflows:
                stored[each.workflow_id] = self.shared.workflows[each.workflow_id]
        return Taken(stored, frozenset(elsewhere))

    async def claim(self, workflows_max: int) -> Sequence[Stored]:
        """Make ours what ended instances owned; see `Ownership.claim`."""
        await asyncio.sleep(0)
        self._check_ours()
        store = self.shared
        for number in list(store.members):
            if self._has_expired(number):
                store.end(number, "expired")
        claimed: list[WorkflowId] = []
        for number, member in store.members.items():
            if member.unclaimed and len(claimed) < workflows_max:
                claimed += self._claim_of(number, workflows_max - len(claimed))
                left = any(owner == number and self._is_unfinished(id_) for id_, owner in store.owners.items())
                member.unclaimed = left or number in store.lanes.values()
        return [found for id_, found in store.workflows.items() if id_ in set(claimed)]

    async def left(self) -> int:
        """Count what only newer programs can take up; see `Ownership.left`."""
        self._check_available()
        return sum(not self.can_read(id_) for id_ in self.shared.orphans())

    def can_read(self, workflow_id: WorkflowId) -> bool:
        """Tell whether all records of a workflow are of formats that are known here."""
        return self.shared.formats.get(workflow_id, 1) <= self.reads

    async def release(self, workflows: Sequence[WorkflowId]) -> None:
        """Give workflows up; see `Ownership.release`. They are then owned by an instance that has ended."""
        await asyncio.sleep(0)
        self._check_ours()
        store = self.shared
        now = store.now_s()
        gone = store.begin(Member(f"given up by {self.number}", now, now))
        for id_ in workflows:
            if store.owners.get(id_) == self.number and self._is_unfinished(id_):
                store.owners[id_] = gone
                key = store.workflows[id_].head.ordering_key
                if key is not None and store.lanes.get(key) == self.number:
                    store.lanes[key] = gone
        store.end(gone, "drained")

    async def share_spending(self, day: int, spent: Mapping[str, Decimal]) -> Mapping[str, Decimal]:
        """Tell and learn; see `Ownership.share_spending`."""
        await asyncio.sleep(0)
        self._check_available()
        self.shared.spending.setdefault((day, self.number), {}).update(spent)
        others: dict[str, Decimal] = {}
        for (other_day, number), told in self.shared.spending.items():
            for tenant, usd in told.items() if other_day == day and number != self.number else ():
                others[tenant] = others.get(tenant, Decimal(0)) + usd
        return others

    async def forget_ended(self, kept_ms: int, spending_since: int) -> int:
        """Forget instances that ended long ago; see `Ownership.forget_ended`."""
        await asyncio.sleep(0)
        self._check_ours()
        store = self.shared
        owning = {owner for id_, owner in store.owners.items() if self._is_unfinished(id_)} | set(store.lanes.values())
        over_s = store.now_s() - kept_ms / 1_000
        gone = [
            number
            for number, member in store.members.items()
            if member.ended and not member.unclaimed and member.ended_s < over_s and number not in owning
        ]
        for number in gone:
            del store.members[number]
        for told in [told for told in store.spending if told[0] < spending_since]:
            del store.spending[told]
        return len(gone)

    async def woken(self) -> None:
        """Wait to be told; see `Ownership.woken`."""
        await self._claims_told.wait()
        self._claims_told.clear()

    async def put_template(self, template: Template) -> None:
        """Keep a template, and tell everybody; see `Journal.put_template`."""
        await super().put_template(template)
        self.shared.tell_of_templates()

    async def drop_template(self, key: str) -> None:
        """Let a template go, and tell everybody; see `Journal.drop_template`."""
        await super().drop_template(key)
        self.shared.tell_of_templates()

    async def templates_told(self) -> None:
        """Wait to be told; see `Ownership.templates_told`."""
        await self._templates_told.wait()
        self._templates_told.clear()

    def heard_of_templates(self) -> None:
        """Templates may have changed."""
        self._templates_told.set()

    def heard(self) -> None:
        """Something was said to all instances."""
        self._claims_told.set()
        self.requests.wake()
        self.replies.wake()

    def check_available(self) -> None:
        """See that the store can be reached. Raises: JournalUnavailableError."""
        self._check_available()

    def instances(self) -> list[Instance]:
        """Return all instances of the store."""
        return [
            Instance(
                number,
                member.name,
                "test",
                UtcMs(round(member.since_s * 1_000)),
                UtcMs(round(member.lease_until_s * 1_000)),
                member.ended,  # type: ignore[arg-type] # one of the three
                sum(o == number and self._is_unfinished(i) for i, o in self.shared.owners.items()),
            )
            for number, member in self.shared.members.items()
        ]

    # --- Inside ---------------------------------------------------------------------------------------------------

    def _has_expired(self, number: int) -> bool:
        member = self.shared.members[number]
        late_s = self.shared.now_s() - member.lease_until_s
        return number != self.number and not member.ended and late_s > MARGIN_MS / 1_000

    def _is_unfinished(self, workflow_id: WorkflowId) -> bool:
        stored = self.shared.workflows.get(workflow_id)
        return stored is not None and not stored.head.done

    def _take(self, wanted: Wanted) -> bool:
        """Make one ours, and tell whether it is, or does not exist and is nobody's."""
        store = self.shared
        owner = store.owners.get(wanted.workflow_id)
        stored = store.workflows.get(wanted.workflow_id)
        if stored is not None:
            ended = owner is None or (stored.head.done and not store.is_alive(owner))
            free = ended and self.can_read(wanted.workflow_id)
        else:
            free = owner is None and wanted.may_begin and self._take_lane(wanted.ordering_key)
            if owner is None and not wanted.may_begin:
                return True
        if free:
            store.give(wanted.workflow_id, self.number)
        return store.owners.get(wanted.workflow_id) == self.number

    def _take_lane(self, key: str | None) -> bool:
        return key is None or self.shared.lanes.setdefault(key, self.number) == self.number

    def _claim_of(self, number: int, workflows_max: int) -> list[WorkflowId]:
        store = self.shared
        for reserved in [id_ for id_, owner in store.owners.items() if owner == number and id_ not in store.workflows]:
            del store.owners[reserved]
        left = [id_ for id_ in store.workflows if store.owners.get(id_) == number and self._is_unfinished(id_)]
        mine = [id_ for id_ in left if self.can_read(id_)]
        closed = {store.workflows[id_].head.ordering_key for id_ in left if not self.can_read(id_)}
        lanes = [key for key, owner in store.lanes.items() if owner == number and key not in closed][:workflows_max]
        for key in lanes:
            store.lanes[key] = self.number
        claimed = [id_ for id_ in mine if store.workflows[id_].head.ordering_key in lanes]
        others = [
            id_ for id_ in mine if store.lanes.get(store.workflows[id_].head.ordering_key or "") != number
            and id_ not in claimed
        ]  # fmt: skip
        claimed += others[: max(0, workflows_max - len(claimed))]
        for id_ in claimed:
            store.give(id_, self.number)
        return claimed

    def _may_retire(self, workflow_id: WorkflowId) -> bool:
        store = self.shared
        all_can_read = all(member.ended or member.reads >= self._tombstones for member in store.members.values())
        return all_can_read and not store.is_alive(store.owners.get(workflow_id))

    def _put_tombstone(self, append: Append) -> None:
        super()._put_tombstone(append)
        self.shared.formats[append.workflow_id] = self._tombstones
        self.shared.owners.pop(append.workflow_id, None)

    def _write(self, batch: Sequence[Append]) -> None:
        store = self.shared
        for append in batch:
            if store.owners.get(append.workflow_id, self.number) != self.number:
                raise JournalLeaseLostError(f"{append.workflow_id} belongs to another instance")
        super()._write(batch)
        for append in batch:
            needed = max([self._format_of(entry.record) for entry in append.entries], default=1)
            store.formats[append.workflow_id] = max(needed, store.formats.get(append.workflow_id, 1))
            stored = store.workflows[append.workflow_id]
            if stored.head.done:
                store.owners.pop(append.workflow_id, None)
            else:
                store.give(append.workflow_id, self.number)

    def _check_ours(self) -> None:
        self._check_available()
        if self.number == 0:
            raise JournalUnavailableError("the journal is not open")
        if not self.shared.is_alive(self.number):
            raise JournalLeaseLostError(f"instance {self.number} has ended: this process must stop")


class SharedMailbox:
    """One kind of mail of one instance."""

    def __init__(self, journal: SharedJournal, kind: MailKind) -> None:
        """Begin with nothing in hand."""
        self._journal = journal
        self._kind: Final = kind
        self._in_hand: set[int] = set()
        self._told = asyncio.Event()

    def wake(self) -> None:
        """There may be mail."""
        self._told.set()

    async def put(self, delivery: Delivery, workflow_id: WorkflowId, ordering_key: str | None) -> None:
        """Hand a message over; see `Mailbox.put`."""
        await asyncio.sleep(0)
        self._check_available()
        store = self._journal.shared
        store.letters += 1
        store.handed_over.add(delivery.message_id)
        store.mail[store.letters] = Letter(self._kind, workflow_id, ordering_key, delivery)
        store.tell()

    async def receive(self, messages_max: int) -> Sequence[Delivery]:
        """Wait for mail; see `MessageSource.receive`."""
        await self._told.wait()
        self._check_available()
        self._told.clear()
        store = self._journal.shared
        found = [
            number
            for number, letter in store.mail.items()
            if letter.kind == self._kind and number not in self._in_hand and self._is_ours(letter)
        ][:messages_max]
        if len(found) == messages_max:
            self._told.set()
        self._in_hand.update(found)
        return [
            Delivery(letter.delivery.message, str(number), letter.delivery.message_id, letter.delivery.receive_count, 0)
            for number in found
            for letter in [store.mail[number]]
        ]

    async def delete(self, deliveries: Sequence[Delivery]) -> None:
        """Take messages out; see `MessageSource.delete`."""
        self._in_hand.difference_update(int(delivery.handle) for delivery in deliveries)
        self._check_available()
        for delivery in deliveries:
            self._journal.shared.mail.pop(int(delivery.handle), None)

    async def give_back(self, deliveries: Sequence[Delivery], *, after_ms: int = 0) -> None:
        """Let messages be received again; see `MessageSource.give_back`."""

        def again() -> None:
            self._in_hand.difference_update(int(delivery.handle) for delivery in deliveries)
            self._told.set()

        if after_ms:
            asyncio.get_running_loop().call_later(after_ms / 1_000, again)
        else:
            again()

    async def close(self) -> None:
        """Do nothing."""

    def _check_available(self) -> None:
        try:
            self._journal.check_available()
        except JournalUnavailableError as error:
            raise QueueError(f"the mailbox cannot be used: {error}") from error

    def _is_ours(self, letter: Letter) -> bool:
        store = self._journal.shared
        owner = store.owners.get(letter.workflow_id)
        stored = store.workflows.get(letter.workflow_id)
        if owner is None and stored is None and letter.lane is not None:
            owner = store.lanes.get(letter.lane)
        elif stored is not None and stored.head.done and not store.is_alive(owner):
            owner = None
        return owner in {None, self._journal.number} and self._journal.can_read(letter.workflow_id)
