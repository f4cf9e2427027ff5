"""Small wrongs done to the way instances share a store, to see whether the simulator of several notices.

As in `mutations`: a mutation replaces functions, and takes them out again when its block ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jada_orchestrator.ports.journal import Append, JournalCorruptError, JournalUnavailableError, Stored
from jada_orchestrator.ports.ownership import Ownership, Wanted
from jada_orchestrator.runtime.intake import Intake
from jada_orchestrator.runtime.ownership import Keeper
from jada_orchestrator.runtime.turn import Turns
from jada_orchestrator.testing import journal
from jada_orchestrator.testing.fleet_store import FleetJournal
from jada_orchestrator.testing.journal import MemoryJournal
from jada_orchestrator.testing.shared_journal import SharedJournal
from tests.simulation.mutations import Mutation

# --- The store's side -------------------------------------------------------------------------------------------------


def _whoever_it_is(self: SharedJournal) -> None:
    self._check_available()
    if self.number == 0:
        raise JournalUnavailableError("the journal is not open")


def _write_whatever_comes(self: FleetJournal, batch: Any) -> None:
    MemoryJournal._write(self, batch)  # noqa: SLF001
    self._noted.note(batch, self.number)


async def _claim_nothing(self: SharedJournal, workflows_max: int) -> Sequence[Any]:
    return ()


def _every_lease_is_over(self: SharedJournal, number: int) -> bool:
    return number != self.number and not self.shared.members[number].ended


def _no_margin(self: SharedJournal, number: int) -> bool:
    member = self.shared.members[number]
    return number != self.number and not member.ended and self.shared.now_s() > member.lease_until_s - 2


def _any_lane(self: SharedJournal, key: str | None) -> bool:
    return True


def _take_all(self: SharedJournal, wanted: Wanted) -> bool:
    self.shared.give(wanted.workflow_id, self.number)
    return True


def _read_everything(self: SharedJournal, workflow_id: Any) -> bool:
    return True


# --- The instance's side ----------------------------------------------------------------------------------------------


async def _claim_once(self: Turns) -> None:
    self.keeper.claim_due = False


_hand_over = Intake._hand_over  # noqa: SLF001


async def _forget(self: Intake, kind: Any, wanted: Any, delivery: Any, settler: Any) -> None:
    settler.delete(delivery)


async def _forget_replies(self: Intake, kind: Any, wanted: Any, delivery: Any, settler: Any) -> None:
    if kind == "reply":
        settler.delete(delivery)
    else:
        await _hand_over(self, kind, wanted, delivery, settler)


def _check_nothing(self: Keeper) -> None:
    return None


def _retire_all(self: SharedJournal, workflow_id: Any) -> bool:
    return True


_appended: Final = journal._appended  # noqa: SLF001


def _forget_what_a_tombstone_stands_for(before: Stored | None, append: Append) -> Stored | None:
    if before is not None and before.head.retired and append.entries[0].seq <= before.entries[0].seq:
        raise JournalCorruptError("record 1 is another one than the one that was to be written")
    return _appended(before, append)


async def _trust_from_the_answer(self: Keeper, ownership: Ownership) -> None:
    renewed = await ownership.renew()
    self._trusted_until_s = ownership.elapsed_s() + ownership.lease_ms / 1_000
    if renewed.unclaimed:
        self._due()


_elapsed = FleetJournal.elapsed_s


def _time_of_day(self: FleetJournal) -> float:
    return self._clock.offset_s + self._loop.time() * 0.5


class _StandsStill:
    """A clock that stops while its process is paused, as CPU time does."""

    def __init__(self) -> None:
        self.paused_s: dict[object, float] = {}
        self.seen_at_s: dict[object, float] = {}

    def elapsed_s(self, journal: FleetJournal) -> float:
        """Return the time less every gap in which the process asked nothing."""
        now = _elapsed(journal)
        gap = now - self.seen_at_s.get(journal, now)
        self.seen_at_s[journal] = now
        if gap > 5:
            self.paused_s[journal] = self.paused_s.get(journal, 0.0) + gap
        return now - self.paused_s.get(journal, 0.0)


_still = _StandsStill()


def _stands_still(self: FleetJournal) -> float:
    return _still.elapsed_s(self)


_IS_TRUSTED: Final = (Keeper, "is_trusted", property(lambda self: True))

FLEET_MUTATIONS: Final = (
    Mutation(
        "append whatever the epoch is",
        ((SharedJournal, "_check_ours", _whoever_it_is), (FleetJournal, "_write", _write_whatever_comes)),
    ),
    Mutation("act on after the trust has ended", (_IS_TRUSTED,)),
    Mutation("do not look at the trust after a commit", ((Keeper, "check", _check_nothing),)),
    Mutation("count the trust from the answer", ((Keeper, "_renew", _trust_from_the_answer),), caught_within=250),
    Mutation("measure trust by a clock that is slow", ((FleetJournal, "elapsed_s", _time_of_day),)),
    Mutation("measure trust by a clock that pauses stop", ((FleetJournal, "elapsed_s", _stands_still),)),
    Mutation("end instances whose lease is good", ((SharedJournal, "_has_expired", _every_lease_is_over),)),
    Mutation("end instances a little early", ((SharedJournal, "_has_expired", _no_margin),), caught_within=250),
    Mutation("claim and take what one cannot read", ((SharedJournal, "can_read", _read_everything),)),
    Mutation("leave alone what ended instances owned", ((SharedJournal, "claim", _claim_nothing),)),
    Mutation("claim at the start only", ((Turns, "_claim", _claim_once),)),
    Mutation("delete what is another's and hand nothing over", ((Intake, "_hand_over", _forget),)),
    Mutation("drop a reply that reached the wrong one", ((Intake, "_hand_over", _forget_replies),)),
    Mutation("let a lane be anybody's", ((SharedJournal, "_take_lane", _any_lane),)),
    Mutation("take a workflow from its owner", ((SharedJournal, "_take", _take_all),)),
    Mutation("retire what somebody has taken", ((SharedJournal, "_may_retire", _retire_all),), caught_within=250),
    Mutation(
        "find a commit that was made again in the way of a tombstone",
        ((journal, "_appended", _forget_what_a_tombstone_stands_for),),
        caught_within=250,
    ),
)
