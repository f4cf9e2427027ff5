"""The descriptor budget: one number from the operating system, divided among everything that opens connections (law 9).

Pure: it is told what holds and what is in use, and says what each pool gets, what line would have to change, and how
much more may be taken in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RESERVED: Final[dict[str, tuple[int, str]]] = {
    "store": (8, "the journal's file, log and index, for the writer and two readers, and the lock"),
    "loop": (6, "epoll, wake-ups, signals, standard streams"),
    "log": (3, "the log, and the service manager's sockets"),
    "web": (11, "control socket and health page, and who is asking there just now"),
    "names": (4, "look-ups in the name service, each for a moment"),
    "headroom": (16, "files read at start and on reload, and connections that are closing"),
}
"""What is kept for everything that has no pool: so many, and what for."""
RESERVE: Final = sum(count for count, _ in RESERVED.values())
_FLOORS: Final = {"functions": 4, "queues": 8, "model": 2}
"""Below these a pool cannot do its work: two long polls, a send, a delete and a look-up for queues, twice over."""
LEAST: Final = RESERVE + sum(_FLOORS.values())
PRESSURE_LEFT: Final = RESERVED["headroom"][0]
"""With no more than these left nothing is taken in; reached only when something is open that nobody was given."""


class TooFewDescriptorsError(Exception):
    """The process may not open as many files as the least that it needs.

    Raised at start. It means that the limit is too low for any useful work; the operator raises it by the line in
    the message.
    """


@dataclass(frozen=True, slots=True)
class Weights:
    """How the pools share what is too little for all: a pool of weight 2 gets twice the share of what it wants."""

    functions: float = 1.0
    queues: float = 1.0
    model: float = 1.0


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operating system says. None: it does not say (ProcSubset=pid hides ``fs.nr_open``)."""

    soft: int
    hard: int
    nr_open: int | None = None
    ceiling: int | None = None
    """What the operator set as the most that is wanted."""

    @property
    def is_clamped(self) -> bool:
        """Whether the hard limit is the kernel's own: systemd and the kernel cut whatever is asked above it."""
        return self.nr_open is not None and self.hard >= self.nr_open

    def wanted_soft(self) -> int:
        """Return what the soft limit is to be raised to: the hard one, but never above the ceiling; never lowered."""
        return max(self.soft, self.hard if self.ceiling is None else min(self.hard, self.ceiling))


@dataclass(frozen=True, slots=True)
class DescriptorBudget:
    """What each pool may open; `limit` is what held, `reserve` what is kept for everything else."""

    limit: int
    reserve: int
    functions: int
    queues: int
    model: int

    @property
    def headroom(self) -> int:
        """What nobody was given."""
        return self.limit - self.reserve - self.functions - self.queues - self.model


def divide(limit: int, *, functions: int, queues: int, model: int, weights: Weights | None = None) -> DescriptorBudget:
    """Divide a limit among the pools: each gets what it wants while that fits, else a share of what there is.

    The shares are in proportion to what is wanted and to the weights, never above what is wanted, and never below what
    a pool needs at least.

    Raises: TooFewDescriptorsError.
    """
    asked = {"functions": functions, "queues": queues, "model": model}
    wanted = {name: max(_FLOORS[name], count) for name, count in asked.items()}
    if limit < LEAST:
        raise TooFewDescriptorsError(
            f"this process may open {limit} files; it needs {LEAST} at least. "
            "Set LimitNOFILE=524288 in the service's unit file (or `ulimit -n` in the shell) and start again."
        )
    available = limit - RESERVE
    if sum(wanted.values()) > available:
        wanted = _share(available - sum(_FLOORS.values()), wanted, weights or Weights())
    return DescriptorBudget(limit, RESERVE, **wanted)


def _share(spare: int, wanted: Mapping[str, int], weights: Weights) -> dict[str, int]:
    """Give out `spare` above the floors; what a pool cannot use of its share goes to the others."""
    above = {name: count - _FLOORS[name] for name, count in wanted.items()}
    given = dict.fromkeys(wanted, 0)
    hungry = {name for name, count in above.items() if count > 0}
    while hungry and spare > 0:
        claims = {name: getattr(weights, name) * above[name] for name in hungry}
        total = sum(claims.values())
        shares = {name: int(spare * claim / total) for name, claim in claims.items()}
        full = {name for name in hungry if given[name] + shares[name] >= above[name]}
        if not full:
            given = {name: given[name] + shares.get(name, 0) for name in given}
            break
        for name in full:
            spare -= above[name] - given[name]
            given[name] = above[name]
        hungry -= full
    return {name: _FLOORS[name] + count for name, count in given.items()}


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One line of the ledger, for the start-up log, `jada doctor` and `jada status`."""

    line: str
    given: int
    what_for: str


def ledger(budget: DescriptorBudget) -> list[LedgerRow]:
    """Return the whole budget line by line; the lines add up to the limit."""
    pools = [
        LedgerRow("functions", budget.functions, "calls of Lambda functions at once"),
        LedgerRow("queues", budget.queues, "polls, sends and deletes on SQS at once"),
        LedgerRow("model", budget.model, "questions to the model at once"),
    ]
    kept = [LedgerRow(name, count, what_for) for name, (count, what_for) in RESERVED.items()]
    return [*pools, *kept, LedgerRow("spare", budget.headroom, "given to nobody")]


def ledger_text(budget: DescriptorBudget, limits: Limits) -> str:
    """Return the ledger as a table of plain text, with what holds in its first line."""
    clamped = f", cut to the kernel's fs.nr_open of {limits.nr_open}" if limits.is_clamped else ""
    ceiling = f", of which the settings want {limits.ceiling} at most" if limits.ceiling is not None else ""
    first = f"{budget.limit} files may be open (hard limit {limits.hard}{clamped}{ceiling}):"
    rows = ledger(budget)
    width = len(str(max(row.given for row in rows)))
    return "\n".join([first, *(f"  {row.line:<10} {row.given:>{width}}  {row.what_for}" for row in rows)])


def admissible(limit: int, in_use: int) -> int:
    """Return how many more messages may be taken in with so many descriptors in use.

    Each may open one connection before pools bound it, so intake slows down as the end comes near and stops before it.
    """
    return max(0, limit - in_use - PRESSURE_LEFT)
