"""Reading the books: what was really done, so that "nothing doubled or half-made" is checked against the world.

found = audit("inventory.db")
assert not found.doubled and not found.miscounted
assert not found.half_made({"web-1": "completed", "web-2": "compensated"})
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from jada_orchestrator.sandbox.inventory.books import Books
from jada_orchestrator.sandbox.inventory.money import to_money
from jada_orchestrator.sandbox.inventory.offers import offer_by_id

UNDONE: Final = frozenset({"failed", "compensated", "cancelled", "rejected", "needs_clarification"})
"""Statuses of a workflow after which nothing of it may stand."""


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect that was made. `subject` is what it made or touched, `undoes` what it undid."""

    number: int
    action: str
    key: str
    workflow_id: str
    request_id: str
    task_id: str
    attempt: int
    subject: str
    undoes: str | None
    at_ms: int


@dataclass(frozen=True, slots=True)
class Doubled:
    """One effect made more than once: under one key, or under several for one task with more than one standing."""

    action: str
    workflow_id: str
    task_id: str
    keys: tuple[str, ...]
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in the world by the doing of one request."""

    request_id: str
    holds: tuple[str, ...] = ()
    authorizations: tuple[str, ...] = ()
    bookings: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    """Those that were not given back in full."""
    orders: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    messages: tuple[str, ...] = ()
    booked: tuple[tuple[str, int], ...] = ()
    """(currency, cents) of the bookings that stand, and of the changes that were paid for."""
    captured: tuple[tuple[str, int], ...] = ()
    """(currency, cents) captured by this request."""
    refunded: tuple[tuple[str, int], ...] = ()
    """(currency, cents) of those captures that were given back since, by whatever request."""
    undone_later: bool = False
    """Whether a booking or capture of this request was cancelled, changed or refunded since."""

    @property
    def kept(self) -> tuple[tuple[str, int], ...]:
        """(currency, cents) captured and not given back."""
        left = Counter(dict(self.captured))
        left.subtract(dict(self.refunded))
        return tuple((currency, cents) for currency, cents in sorted(left.items()) if cents)

    @property
    def everything(self) -> tuple[str, ...]:
        """The ids of all that stands."""
        return (
            *self.holds,
            *self.authorizations,
            *self.bookings,
            *self.captures,
            *self.orders,
            *self.changes,
            *self.messages,
        )

    @property
    def nothing(self) -> bool:
        """Whether nothing stands (a message that was sent is not counted: it cannot be unsent)."""
        return not (self.holds or self.authorizations or self.bookings or self.orders or self.changes or self.kept)

    def describe(self) -> str:
        """What stands, in a line."""
        parts = [*self.holds, *self.authorizations, *self.bookings, *self.orders, *self.changes]
        parts += [f"{cents / 100:.2f} {currency} kept" for currency, cents in self.kept]
        return ", ".join(parts) or "nothing"


@dataclass(frozen=True, slots=True)
class HalfMade:
    """A request whose outcome and whose traces in the world do not agree."""

    request_id: str
    status: str | None
    why: str


@dataclass(frozen=True, slots=True)
class Findings:
    """The books at one moment."""

    effects: tuple[Effect, ...]
    doubled: tuple[Doubled, ...]
    miscounted: tuple[str, ...]
    """Stock whose taken units are more than there are, or not those of the holds and bookings."""
    requests: Mapping[str, Standing]

    def standing(self, request_id: str) -> Standing:
        """What stands by the doing of a request; nothing for one that the world has never heard of."""
        return self.requests.get(request_id, Standing(request_id))

    def effects_of(self, request_id: str) -> tuple[Effect, ...]:
        """The effects of a request in the order in which they were made."""
        return tuple(effect for effect in self.effects if effect.request_id == request_id)

    def half_made(self, outcomes: Mapping[str, str]) -> tuple[HalfMade, ...]:
        """Every request whose status is not borne out by the books.

        `outcomes` is request id to terminal status. A request with effects and no outcome is lost. After `UNDONE`
        statuses nothing may stand; after `completed` no hold or authorization may be left over, and what is booked is
        what was captured. `needs_attention` is not judged here: its outcome names what stands.
        """
        found = []
        for request_id in sorted({*self.requests, *outcomes}):
            status, standing = outcomes.get(request_id), self.standing(request_id)
            why = _disagreement(status, standing)
            if why is not None:
                found.append(HalfMade(request_id, status, why))
        return tuple(found)

    def money(self) -> dict[str, dict[str, Any]]:
        """Money captured, given back and kept in all, per currency."""
        sums: dict[str, Counter[str]] = defaultdict(Counter)
        for standing in self.requests.values():
            for currency, cents in standing.captured:
                sums[currency]["captured"] += cents
            for currency, cents in standing.refunded:
                sums[currency]["refunded"] += cents
        return {
            currency: {
                "captured": to_money(both["captured"], currency),
                "refunded": to_money(both["refunded"], currency),
                "kept": to_money(both["captured"] - both["refunded"], currency),
            }
            for currency, both in sorted(sums.items())
        }


def audit(path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> Findings:
    """Reads the books at a path, in one consistent view; changes nothing but the file's own housekeeping."""
    with contextlib.closing(Books(path, clock=clock)) as books, books.reading() as connection:
        effects = tuple(Effect(**dict(row)) for row in connection.execute("SELECT * FROM effects ORDER BY number"))
        requests = _standing(connection, books.now_ms())
        return Findings(effects, _doubled(effects, requests), _miscounted(connection, books.seed), requests)


def _disagreement(status: str | None, standing: Standing) -> str | None:
    if status is None:
        return (
            None if standing.nothing and not standing.messages else f"has no outcome, and stands: {standing.describe()}"
        )
    if status in UNDONE:
        return None if standing.nothing else f"was to leave nothing behind, and stands: {standing.describe()}"
    if status != "completed":
        return None
    if standing.authorizations:
        return f"is complete, and still sets money aside: {', '.join(standing.authorizations)}"
    if standing.bookings and standing.holds:
        return f"is complete, and still holds: {', '.join(standing.holds)}"
    if not standing.undone_later and standing.booked != standing.kept:
        return f"is complete, and booked {_sums(standing.booked)} but was paid {_sums(standing.kept)}"
    return None


def _sums(sums: tuple[tuple[str, int], ...]) -> str:
    return " and ".join(f"{cents / 100:.2f} {currency}" for currency, cents in sums) or "nothing"


def _doubled(effects: tuple[Effect, ...], requests: Mapping[str, Standing]) -> tuple[Doubled, ...]:
    """Several rows under one key are several effects, except that one cancellation may cover several bookings."""
    standing = {subject for one in requests.values() for subject in one.everything}
    by_key: dict[tuple[str, ...], list[Effect]] = defaultdict(list)
    by_task: dict[tuple[str, ...], list[Effect]] = defaultdict(list)
    for effect in effects:
        by_key[effect.action, effect.key, effect.undoes or ""].append(effect)
        if effect.undoes is None and effect.subject in standing:
            by_task[effect.workflow_id, effect.task_id, effect.action].append(effect)
    groups = [group for group in (*by_key.values(), *by_task.values()) if len(group) > 1]
    found = {}
    for group in groups:
        first = group[0]
        keys = tuple(dict.fromkeys(effect.key for effect in group))
        subjects = tuple(effect.subject for effect in group)
        found[subjects] = Doubled(first.action, first.workflow_id, first.task_id, keys, subjects)
    return tuple(found.values())


def _standing(connection: sqlite3.Connection, now_ms: int) -> dict[str, Standing]:
    """Per request, what stands now; expired holds and authorizations do not, even if nobody has swept them yet."""
    things: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    sums: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    later: set[str] = set()
    known = {row["request_id"] for row in connection.execute("SELECT DISTINCT request_id FROM effects")}
    for name, query in _STANDING.items():
        for row in connection.execute(query, {"now": now_ms}):
            things[row["request_id"]][name].append(row["id"])
    for row in connection.execute("SELECT * FROM bookings"):
        if row["state"] == "booked":
            sums[row["request_id"]]["booked"][row["currency"]] += row["total"]
        if row["state"] != "booked" or row["changed"]:
            later.add(row["request_id"])
    for row in connection.execute(
        "SELECT changes.request_id, due, currency FROM changes JOIN bookings USING (booking_id)"
        " WHERE changes.state = 'made'"
    ):
        sums[row["request_id"]]["booked"][row["currency"]] += row["due"]
    for row in connection.execute("SELECT * FROM captures"):
        sums[row["request_id"]]["captured"][row["currency"]] += row["amount"]
        if row["refunded"]:
            sums[row["request_id"]]["refunded"][row["currency"]] += row["refunded"]
            later.add(row["request_id"])
    return {
        request_id: Standing(
            request_id,
            holds=tuple(things[request_id]["holds"]),
            authorizations=tuple(things[request_id]["authorizations"]),
            bookings=tuple(things[request_id]["bookings"]),
            captures=tuple(things[request_id]["captures"]),
            orders=tuple(things[request_id]["orders"]),
            changes=tuple(things[request_id]["changes"]),
            messages=tuple(things[request_id]["messages"]),
            booked=_positive(sums[request_id]["booked"]),
            captured=_positive(sums[request_id]["captured"]),
            refunded=_positive(sums[request_id]["refunded"]),
            undone_later=request_id in later,
        )
        for request_id in {*known, *things, *sums}
    }


_STANDING: Final = {
    "holds": "SELECT request_id, hold_id AS id FROM holds WHERE state = 'held' AND expires_ms > :now",
    "authorizations": "SELECT request_id, authorization_id AS id FROM authorizations"
    " WHERE state = 'authorized' AND expires_ms > :now",
    "bookings": "SELECT request_id, booking_id AS id FROM bookings WHERE state = 'booked'",
    "captures": "SELECT request_id, capture_id AS id FROM captures WHERE refunded < amount",
    "orders": "SELECT request_id, order_id AS id FROM orders WHERE state = 'open'",
    "changes": "SELECT request_id, change_id AS id FROM changes WHERE state = 'made'",
    "messages": "SELECT request_id, message_id AS id FROM messages",
}


def _positive(counted: Counter[str]) -> tuple[tuple[str, int], ...]:
    return tuple((currency, cents) for currency, cents in sorted(counted.items()) if cents)


def _miscounted(connection: sqlite3.Connection, seed: str) -> tuple[str, ...]:
    wanted: Counter[tuple[str, str, str]] = Counter()
    for query in (
        "SELECT offer_id FROM holds WHERE state = 'held'",
        "SELECT offer_id FROM bookings WHERE state = 'booked'",
    ):
        for row in connection.execute(query):
            for unit in offer_by_id(seed, row["offer_id"]).units:
                wanted[unit.kind, unit.item, unit.day] += unit.quantity
    faults = []
    for row in connection.execute("SELECT * FROM stock"):
        what, taken = (
            f"{row['kind']} {row['item']} on {row['day']}",
            wanted.pop((row["kind"], row["item"], row["day"]), 0),
        )
        if row["taken"] != taken:
            faults.append(f"{what}: {row['taken']} taken, {taken} held and booked")
        if row["taken"] > row["capacity"]:
            faults.append(f"{what}: {row['taken']} taken of {row['capacity']}")
    faults += [
        f"{kind} {item} on {day}: {count} held and booked, none taken" for (kind, item, day), count in wanted.items()
    ]
    return tuple(faults)
