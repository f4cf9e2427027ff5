"""The descriptor budget: one number from the operating system, divided among everything that opens connections (law 9).

Pure: it is told what holds, and says what each pool gets, or what line would have to change.
"""

from __future__ import annotations

from dataclasses import dataclass

RESERVE = 48
"""Store and its lock, logs, epoll, listener, DNS, files that are read at start, and headroom for what is closing."""
_FLOORS = {"functions": 4, "queues": 8, "model": 2}
"""Below these a pool cannot do its work: two long polls, a send, a delete and a look-up for queues, twice over."""


class TooFewDescriptorsError(Exception):
    """The process may not open as many files as the least that it needs.

    Raised at start. It means that the limit is too low for any useful work; the operator raises it by the line in
    the message.
    """


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


def divide(limit: int, *, functions: int, queues: int, model: int) -> DescriptorBudget:
    """Divide a limit among the pools: each gets what it wants while that fits, else a share of what there is.

    The shares are in proportion to what is wanted, and never below what a pool needs at least.

    Raises: TooFewDescriptorsError.
    """
    asked = {"functions": functions, "queues": queues, "model": model}
    wanted = {name: max(_FLOORS[name], count) for name, count in asked.items()}
    least = RESERVE + sum(_FLOORS.values())
    if limit < least:
        raise TooFewDescriptorsError(
            f"this process may open {limit} files; it needs {least} at least. "
            "Set LimitNOFILE=524288 in the service's unit file (or `ulimit -n` in the shell) and start again."
        )
    available = limit - RESERVE
    if sum(wanted.values()) > available:
        spare = available - sum(_FLOORS.values())
        above = {name: count - _FLOORS[name] for name, count in wanted.items()}
        total = sum(above.values())
        wanted = {name: _FLOORS[name] + spare * count // total for name, count in above.items()}
    return DescriptorBudget(limit, RESERVE, **wanted)
