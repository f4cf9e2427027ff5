"""Budgets of money for the model's calls: per booking, per tenant and UTC day, and in all per UTC day.

Before a call its price is reserved; afterwards what it cost is settled. Pure; instants are UTC.

Where several instances share the day's budgets, each tells what it has spent and may spend at worst (`told`), and
counts what the others told (`learn`).

A call is let through when what is spent, what all other calls under way may cost *at worst*, and what this one is
*expected* to cost stay within the budget together. So a budget is never exceeded by more than the error of one call's
estimate, however many calls are under way: while there is plenty, calls go side by side; near the end, one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, TypeAlias

from jada_orchestrator.domain.instants import UtcMs

Scope: TypeAlias = Literal["booking", "tenant_day", "day"]

DAY_MS = 86_400_000
WARN_SHARE = Decimal("0.8")
"""A budget that is used to this share is warned of, once a day."""


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """US dollars; None: no budget."""

    booking: Decimal | None = None
    tenant_day: Decimal | None = None
    day: Decimal | None = None

    @property
    def any(self) -> bool:
        """Tell whether there is any budget."""
        return self.booking is not None or self.tenant_day is not None or self.day is not None


@dataclass(frozen=True, slots=True)
class Price:
    """What a call is expected to cost, and what it may cost at worst."""

    expected: Decimal
    worst: Decimal


@dataclass(frozen=True, slots=True)
class Reservation:
    """Money kept for one call; settle it exactly once."""

    number: int
    tenant: str
    price: Price
    booking: str = ""


@dataclass(frozen=True, slots=True)
class Busy:
    """The budget may suffice once other calls under way are settled."""

    scope: Scope


@dataclass(frozen=True, slots=True)
class Short:
    """The budget does not suffice. `until`: when its period turns; None for a booking's, which never does."""

    scope: Scope
    spent: Decimal
    limit: Decimal
    until: UtcMs | None


@dataclass(frozen=True, slots=True)
class NearlySpent:
    """A budget came to 80 per cent. `tenant` is empty for the day's budget of all."""

    scope: Scope
    tenant: str
    spent: Decimal
    limit: Decimal


class Budgets:
    """What was spent on the present UTC day, and what is reserved."""

    def __init__(self, limits: BudgetLimits | None = None) -> None:
        """Begin a day with nothing spent; `restore` brings what the journal knows of it."""
        self.limits = limits or BudgetLimits()
        self._day = -1
        self._spent = Decimal(0)
        self._spent_by: dict[str, Decimal] = {}
        self._elsewhere: dict[str, Decimal] = {}
        """By tenant, what other instances told for the present day."""
        self._reserved: dict[int, Reservation] = {}
        self._numbers = 0
        self._warned: set[tuple[Scope, str]] = set()

    def restore(self, spent: Iterable[tuple[str, Decimal]], now: UtcMs) -> None:
        """Count what tenants spent earlier on the present day."""
        self._turn(now)
        for tenant, usd in spent:
            self._count(tenant, usd)

    def told(self, now: UtcMs) -> tuple[int, dict[str, Decimal]]:
        """Return the present day (since 1970, UTC) and by tenant what was spent here, and may be at worst."""
        self._turn(now)
        spent = dict(self._spent_by)
        for each in self._reserved.values():
            spent[each.tenant] = spent.get(each.tenant, Decimal(0)) + each.price.worst
        return self._day, spent

    def learn(self, day: int, elsewhere: Mapping[str, Decimal], now: UtcMs) -> None:
        """Count what other instances have spent; what they told of another day counts for nothing."""
        self._turn(now)
        self._elsewhere = dict(elsewhere) if day == self._day else {}

    def look(
        self, tenant: str, spent_on_booking: Decimal, price: Price, now: UtcMs, *, booking: str = ""
    ) -> Busy | Short | None:
        """Return why a call may not go now, or None when `reserve` may follow in the same breath.

        `booking` tells of which other calls under way the booking's budget pays, too.
        """
        self._turn(now)
        limit = self.limits.booking
        found: Busy | None = None
        if limit is not None:
            if spent_on_booking + price.expected > limit:
                return Short("booking", spent_on_booking, limit, None)
            same = (each.price.worst for each in self._reserved.values() if booking and each.booking == booking)
            if spent_on_booking + sum(same, Decimal(0)) + price.expected > limit:
                found = Busy("booking")
        turns_at = UtcMs((self._day + 1) * DAY_MS)
        for scope, whose, day_limit, spent in self._day_budgets(tenant, now):
            if spent + price.expected > day_limit:
                return Short(scope, spent, day_limit, turns_at)
            others = (each.price.worst for each in self._reserved.values() if whose in {"", each.tenant})
            if spent + sum(others, Decimal(0)) + price.expected > day_limit:
                found = Busy(scope)
        return found

    def reserve(self, tenant: str, price: Price, *, booking: str = "") -> Reservation:
        """Keep a call's money, which `look` has just allowed."""
        self._numbers += 1
        reservation = Reservation(self._numbers, tenant, price, booking)
        self._reserved[reservation.number] = reservation
        return reservation

    def settle(self, reservation: Reservation, cost: Decimal, now: UtcMs) -> list[NearlySpent]:
        """Replace a reservation by what the call cost, on the day on which it ended; return what to warn of."""
        del self._reserved[reservation.number]
        self._turn(now)
        self._count(reservation.tenant, cost)
        found = []
        for scope, whose, limit, spent in self._day_budgets(reservation.tenant, now):
            if spent >= limit * WARN_SHARE and (scope, whose) not in self._warned:
                self._warned.add((scope, whose))
                found.append(NearlySpent(scope, whose, spent, limit))
        return found

    def spent_in_all(self, now: UtcMs) -> Decimal:
        """Return what was spent on the present day, here and elsewhere."""
        self._turn(now)
        return self._spent + sum(self._elsewhere.values(), Decimal(0))

    def spent_by(self, tenant: str, now: UtcMs) -> Decimal:
        """Return what a tenant spent on the present day, here and elsewhere."""
        self._turn(now)
        return self._spent_by.get(tenant, Decimal(0)) + self._elsewhere.get(tenant, Decimal(0))

    def _day_budgets(self, tenant: str, now: UtcMs) -> list[tuple[Scope, str, Decimal, Decimal]]:
        """Return the budgets of the day that there are: scope, whose (empty: everybody's), limit, spent."""
        found: list[tuple[Scope, str, Decimal, Decimal]] = []
        if self.limits.tenant_day is not None:
            found.append(("tenant_day", tenant, self.limits.tenant_day, self.spent_by(tenant, now)))
        if self.limits.day is not None:
            found.append(("day", "", self.limits.day, self.spent_in_all(now)))
        return found

    def _count(self, tenant: str, usd: Decimal) -> None:
        self._spent += usd
        self._spent_by[tenant] = self._spent_by.get(tenant, Decimal(0)) + usd

    def _turn(self, now: UtcMs) -> None:
        """Begin a new day when it has come; a clock that goes back brings no money back."""
        day = now // DAY_MS
        if day > self._day:
            self._day = day
            self._spent = Decimal(0)
            self._spent_by.clear()
            self._elsewhere.clear()
            self._warned.clear()
