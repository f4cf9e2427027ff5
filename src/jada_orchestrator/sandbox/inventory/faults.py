"""Faults to order: how a test or a demo makes an agent slow, failing, crashing or talking twice.

| mode | argument | what the agent does |
|---|---|---|
| `slow` | seconds (`2`) | waits before it does its work |
| `late` | seconds (`2`) | does its work, then waits before it answers |
| `together` | a number of calls (`2`) | does its work, then waits until so many calls have done theirs |
| `fail` | a code (`SOLD_OUT`), or `CODE:retryable` | refuses before it does its work |
| `fail` | `CODE:after:ACTION` | refuses once the same workflow's ACTION (`flights.ticket`) has had its effect |
| `crash` | `before`, `after`, `before:exit`, `after:exit` | raises, or ends its process, before or after its work |
| `cut` | `before`, `after`, with seconds if wanted (`after:30`) | hangs (a worker: never answers), then breaks |
| `twice` | none | an SQS worker answers two times |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory.books import Books

Mode: TypeAlias = Literal["slow", "late", "together", "fail", "crash", "cut", "twice"]

ALWAYS: Final = -1
_ARGUMENTS: Final[dict[Mode, tuple[str, str]]] = {
    "slow": (r"\d+(\.\d+)?", "seconds, such as 2 or 0.5"),
    "late": (r"\d+(\.\d+)?", "seconds, such as 2 or 0.5"),
    "together": (r"[1-9]\d*", "a number of calls, such as 2"),
    "fail": (
        r"[A-Z][A-Z0-9_]*(:retryable|:after:[a-z0-9_]+\.[a-z0-9_]+)?",
        "a code such as SOLD_OUT, SOLD_OUT:retryable, or SOLD_OUT:after:flights.ticket",
    ),
    "crash": (r"(before|after)(:exit)?", "before, after, before:exit or after:exit"),
    "cut": (r"(before|after)(:\d+(\.\d+)?)?", "before or after, with seconds if wanted: after:30"),
    "twice": (r"", "nothing"),
}
_DEFAULTS: Final[dict[Mode, str]] = {
    "slow": "2",
    "late": "2",
    "together": "2",
    "fail": "AGENT_UNWELL",
    "crash": "before",
    "cut": "after",
    "twice": "",
}


class BadFault(ValueError):
    """Raised by `order` for a mode or an argument that does not exist: read the text and order it again."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One order; it strikes `remaining` times more (`ALWAYS`: without end), requests that match a GLOB."""

    number: int
    action: str
    mode: Mode
    argument: str
    remaining: int
    request: str

    @property
    def moment(self) -> str:
        """What precedes the colon of the argument: `before` or `after` the work, or the code."""
        return self.argument.partition(":")[0]

    def refusal(self) -> AgentError:
        """What an agent says that was told to `fail`."""
        return AgentError(self.moment, "ordered to fail", retryable=self.detail == "retryable")

    @property
    def awaited(self) -> str | None:
        """The action whose effect a `fail` waits for, if it waits for one."""
        before, _, action = self.detail.partition(":")
        return action if before == "after" and self.mode == "fail" else None

    @property
    def detail(self) -> str:
        """What follows the colon of the argument."""
        return self.argument.partition(":")[2]


def order(
    books: Books, action: str, mode: str, argument: str | None = None, *, times: int = 1, request: str = "*"
) -> Fault:
    """Orders a fault for the next `times` calls of an action (a GLOB: `flights.*`) by requests that match.

    Raises `BadFault`.
    """
    if mode not in _ARGUMENTS:
        raise BadFault(f"there is no fault {mode}; there are: {', '.join(get_args(Mode))}")
    known: Mode = mode
    given = _DEFAULTS[known] if argument is None else argument
    pattern, meaning = _ARGUMENTS[known]
    if re.fullmatch(pattern, given) is None:
        raise BadFault(f"the argument of {mode} is {meaning}, not {given!r}")
    with books.writing() as connection:
        number = connection.execute(
            "INSERT INTO faults (action, mode, argument, remaining, request) VALUES (?, ?, ?, ?, ?)",
            (action, known, given, times, request),
        ).lastrowid
    assert number is not None
    return Fault(number, action, known, given, times, request)


def clear(books: Books) -> None:
    """Withdraws every order."""
    with books.writing() as connection:
        connection.execute("DELETE FROM faults")


def ordered(books: Books) -> list[Fault]:
    """What is ordered and has not struck as often as it was to."""
    with books.reading() as connection:
        rows = connection.execute("SELECT * FROM faults WHERE remaining != 0 ORDER BY number").fetchall()
    return [Fault(**dict(row)) for row in rows]


def has_come(books: Books, workflow_id: str, action: str) -> bool:
    """Whether an action of the workflow has had its effect: what a fault with `after` waits for."""
    find = "SELECT 1 FROM effects WHERE workflow_id = ? AND action = ? LIMIT 1"
    with books.reading() as connection:
        return connection.execute(find, (workflow_id, action)).fetchone() is not None


def arrive(books: Books, fault: Fault) -> None:
    """Counts a call that has done its work: the order's argument is how many are still to come."""
    with books.writing() as connection:
        count = "UPDATE faults SET argument = CAST(argument AS INTEGER) - 1 WHERE number = ?"
        connection.execute(count, (fault.number,))


def are_together(books: Books, fault: Fault) -> bool:
    """Whether all calls of an order have arrived, or the order was withdrawn."""
    find = "SELECT 1 FROM faults WHERE number = ? AND CAST(argument AS INTEGER) > 0"
    with books.reading() as connection:
        return connection.execute(find, (fault.number,)).fetchone() is None


def take(books: Books, action: str, request_id: str) -> Fault | None:
    """The oldest order that strikes this call, counted down; None for nearly every call, which then writes nothing."""
    find = "SELECT * FROM faults WHERE remaining != 0 AND ? GLOB action AND ? GLOB request ORDER BY number LIMIT 1"
    with books.reading() as connection:
        if connection.execute(find, (action, request_id)).fetchone() is None:
            return None
    with books.writing() as connection:
        row = connection.execute(find, (action, request_id)).fetchone()
        if row is None:
            return None
        connection.execute(
            "UPDATE faults SET remaining = remaining - 1 WHERE number = ? AND remaining > 0", (row["number"],)
        )
        return Fault(**dict(row))
