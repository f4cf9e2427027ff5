"""What is seldom known of a task or a call, kept in one frozen value that all of them share until it is.

There are a hundred thousand tasks in memory, and few of them ever need more than half of what can be known of a task.
What they seldom need is a value of its own, and its default is one object for all: nobody can change that, and whoever
changes such a field of a task gives this task a value of its own. It is read and assigned like any other field.
"""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final, Protocol, TypeVar

from msgspec import Struct, structs

from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.instants import UtcMs

_T = TypeVar("_T")


class _Field(Protocol[_T]):
    """What a field that is kept elsewhere looks like to its readers: like any other field."""

    def __get__(self, owner: object, of: type | None = None) -> _T: ...

    def __set__(self, owner: object, value: _T) -> None: ...


def _kept_in(name: str, part: str) -> Any:  # noqa: ANN401 - a field of whatever type
    """Return the field that is the field `part` of the frozen value which its owner has under `name`."""
    kept, known = attrgetter(name), attrgetter(f"{name}.{part}")

    def assign(owner: object, value: object) -> None:
        if known(owner) != value:
            setattr(owner, name, structs.replace(kept(owner), **{part: value}))

    return property(known, assign)


# --- Of calls ---------------------------------------------------------------------------------------------------------


class Trouble(Struct, frozen=True, gc=False):
    """What is known only of a call that did not go smoothly; read and changed through the `Call`, which says what."""

    refusals: int = 0
    lookups: int = 0
    attempts_before: int = 0
    lookups_before: int = 0
    maybe: bool = False
    settled_by: UtcMs = UtcMs(0)
    failure: Failure | None = None

    def told(self, failure: Failure, *, counted: bool) -> Trouble:
        """Return it with one more failure, which counts against the agent or does not."""
        refusals = self.refusals if counted else self.refusals + 1
        return Trouble(
            refusals, self.lookups, self.attempts_before, self.lookups_before, self.maybe, self.settled_by, failure
        )

    def lost(self, settled_by: UtcMs, failure: Failure, *, counted: bool) -> Trouble:
        """Return it with one more attempt whose fate is unknown, and which cannot be running after `settled_by`."""
        refusals = self.refusals if counted else self.refusals + 1
        latest = max(self.settled_by, settled_by)
        return Trouble(refusals, self.lookups, self.attempts_before, self.lookups_before, True, latest, failure)  # noqa: FBT003 - all of them in order


NO_TROUBLE: Final = Trouble()


class WithTrouble:
    """What a `Call` keeps in its `Trouble`."""

    __slots__ = ()

    refusals: _Field[int] = _kept_in("trouble", "refusals")
    """Attempts among them that do not count against the agent: they never reached it, or our own end cut them off."""
    lookups: _Field[int] = _kept_in("trouble", "lookups")
    attempts_before: _Field[int] = _kept_in("trouble", "attempts_before")
    """Attempts of an earlier effort, which count no more; numbers go on, so that none is ever given twice (law 5)."""
    lookups_before: _Field[int] = _kept_in("trouble", "lookups_before")
    """The same of lookups: each has a key of its own, under which its agent may remember what it answered."""
    maybe: _Field[bool] = _kept_in("trouble", "maybe")
    """Some attempt's fate is unknown: the effect may have happened."""
    settled_by: _Field[UtcMs] = _kept_in("trouble", "settled_by")
    """After this no lost attempt can still be running: to who asks then, an "absent" is the truth."""
    failure: _Field[Failure | None] = _kept_in("trouble", "failure")
    """The last one; kept for stories."""


# --- Of tasks ---------------------------------------------------------------------------------------------------------


class Aftermath(Struct, frozen=True, gc=False):
    """What is known only of a task that was not simply done; read and changed through the `Task`, which says what."""

    refreshes: int = 0
    refreshing: bool = False
    undoing: bool = False
    kept: bool = False
    stands: Failure | None = None
    decided: bool = False
    retired: bool = False


NO_AFTERMATH: Final = Aftermath()


class WithAftermath:
    """What a `Task` keeps in its `Aftermath`."""

    __slots__ = ()

    refreshes: _Field[int] = _kept_in("aftermath", "refreshes")
    """How often it was reserved anew."""
    refreshing: _Field[bool] = _kept_in("aftermath", "refreshing")
    """What it reserved has run out, and is given back and reserved anew."""
    undoing: _Field[bool] = _kept_in("aftermath", "undoing")
    """Undoing it was started (perhaps with asking first what became of it)."""
    kept: _Field[bool] = _kept_in("aftermath", "kept")
    """Its effect stays although the booking failed, as the request allows."""
    stands: _Field[Failure | None] = _kept_in("aftermath", "stands")
    """Why its effect could not be undone, once that is certain."""
    decided: _Field[bool] = _kept_in("aftermath", "decided")
    """Its condition was looked at, which happens once."""
    retired: _Field[bool] = _kept_in("aftermath", "retired")
    """A revision gave it up: what it did is undone while the rest goes on."""
