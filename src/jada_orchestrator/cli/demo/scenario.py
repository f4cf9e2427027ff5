"""What the demo books, what is arranged to go wrong, and what has to come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from jada_orchestrator.domain.workflow import Status
from jada_orchestrator.sandbox.inventory import Books, faults, stock
from jada_orchestrator.service.views import Seen

_DAYS_AHEAD: Final = 60
RACERS: Final = ("demo-race-1", "demo-race-2")
LOST: Final = "demo-lost"


@dataclass(frozen=True, slots=True)
class Act:
    """One booking: what is asked for, what it shows, and the statuses that it may end with."""

    request_id: str
    text: str
    shows: str
    expected: frozenset[Status]

    def body(self) -> dict[str, Any]:
        """Return the request as it goes on the queue."""
        return {
            "schema": "jada.request/1",
            "request_id": self.request_id,
            "tenant": "demo",
            "text": self.text,
            "metadata": {"channel": "demo"},
        }


def acts(today: date) -> tuple[Act, ...]:
    """Return the bookings; all days are ahead of `today`, so that the demo works in every year."""
    day = today + timedelta(days=_DAYS_AHEAD)

    def on(days: int) -> str:
        return (day + timedelta(days=days)).isoformat()

    done = frozenset({Status.COMPLETED})
    undone = frozenset({Status.COMPENSATED})
    race = done | undone | {Status.FAILED}
    return (
        Act(
            "demo-trip",
            f"Two of us, customer c-118, from Boston to Lisbon {on(0)} to {on(7)}, with a hotel, under $6,000 all in.",
            "flight and hotel for two",
            done,
        ),
        Act(
            "demo-tour",
            f"Customer c-204, one traveller: Boston to Paris on {on(3)}, Paris to Rome on {on(7)}, "
            f"Rome to Boston on {on(12)}.",
            "three flights, several cities",
            done,
        ),
        Act(
            "demo-hotel",
            f"A hotel in Barcelona for 2 guests from {on(10)} to {on(14)}, customer c-77.",
            "a hotel alone",
            done,
        ),
        Act(
            "demo-undone",
            f"Customer c-31, two travellers, Boston to Rome {on(5)} to {on(9)}, flight, hotel and car.",
            "the hotel fails half way: all is undone",
            undone,
        ),
        Act(
            "demo-unclear",
            "I would like to go to Rome.",
            "too little is said: it asks",
            frozenset({Status.NEEDS_CLARIFICATION}),
        ),
        Act(
            LOST,
            f"Customer c-118, one traveller, Boston to Paris {on(20)} to {on(24)}, flight only.",
            "the payment's answer is lost: looked up, not paid twice",
            done,
        ),
        *(
            Act(
                racer,
                f"Customer {customer}, one traveller, one way from Boston to Lisbon on {on(30)}.",
                "two want the last seat: one gets it",
                race,
            )
            for racer, customer in zip(RACERS, ("c-118", "c-204"), strict=True)
        ),
    )


def arrange(books: Books, today: date) -> None:
    """Order what goes wrong: a hotel that refuses, a payment whose function dies after paying, a last seat."""
    # Only once the flight is ticketed, so that there is always a ticket to undo.
    faults.order(books, "hotels.book", "fail", "ROOM_GONE:after:flights.ticket", request="demo-undone")
    faults.order(books, "payments.capture", "crash", "after", request=LOST)
    # Both racers see the seat before either takes it.
    racers = len(RACERS)
    faults.order(books, "flights.search", "together", str(racers), times=racers, request="demo-race-*")
    stock.last_seats(books, "BOS", "LIS", today + timedelta(days=_DAYS_AHEAD + 30), 1)


def surprises(played: tuple[Act, ...], seen: Mapping[str, Seen]) -> list[str]:
    """Return what came out otherwise than expected, a sentence each; empty when all is well."""
    found = []
    for act in played:
        one = seen.get(act.request_id)
        status = None if one is None else one.workflow.status
        if status is None or status not in act.expected:
            wanted = " or ".join(sorted(each.value for each in act.expected))
            found.append(f"{act.request_id} is {'not there' if status is None else status.value}, expected {wanted}")
    winners = [racer for racer in RACERS if racer in seen and seen[racer].workflow.status is Status.COMPLETED]
    if len(winners) != 1:
        found.append(f"{len(winners)} bookings got the one last seat")
    if LOST in seen and not any(task.do.lookups for task in seen[LOST].workflow.tasks.values()):
        found.append(f"{LOST} was never looked up")
    return found
