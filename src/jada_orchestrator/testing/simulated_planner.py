"""What the simulated model says: good plans of several kinds, wrong ones, questions, refusals, and nothing at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import PlannerFailureKind
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.limits import REVISION_WAIT_MAX_MS
from jada_orchestrator.domain.revision import Past
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.ports.planner import PlannerAnswer, PlannerError, PlannerQuestion, TaskListener
from jada_orchestrator.testing.catalogues import Ref, proposal, task, travel_proposal
from jada_orchestrator.testing.planner import FAKE_USAGE, tasks_in
from jada_orchestrator.testing.revisions import revision_of
from jada_orchestrator.testing.simulated_fate import Fate

KINDS: Final = (
    "whole",
    "whole",
    "room",
    "optional",
    "irreversible",
    "twice",
    "look",
    "branches",
    "list",
    "stand_in",
    "mixed",
    "asked",
)
_PASSING: Final[tuple[PlannerFailureKind, ...]] = ("wait", "wait", "stopped", "bad_answer")


def answer(fate: Fate, question: PlannerQuestion) -> str | JsonObject:
    """Answer a question. Raises: PlannerError."""
    if fate.strikes("planner"):
        raise PlannerError(
            fate.dice("planner kind").choice(_PASSING),
            Failure("SIMULATED", "the model is not well"),
            usage=Usage(usd="0.01"),
        )
    if fate.strikes("planner_gives_up"):
        raise PlannerError("permanent", Failure("SIMULATED", "the model cannot take this request"))
    if question.choice is not None:
        return {"index": 0 if fate.strikes("bad_plan") else len(question.choice.options) - 1}
    if question.past is not None:
        return _revision(fate, question.past)
    if fate.strikes("refusing_plan"):
        return proposal(outcome="refuse", reason="This is no booking.")
    if len(question.clarifications) < 2 and fate.strikes("question"):
        return proposal(outcome="clarify", reason="The day is missing.", questions=["On which day?"])
    good = plan_for(question.request.text.split()[0])
    return _wrong(fate, good) if fate.strikes("bad_plan") else good


def _revision(fate: Fate, past: Past) -> str | JsonObject:
    """Answer the question for a revision: with a good one mostly, else with a refusal, a question, or a wrong one."""
    if fate.strikes("no_revision"):
        refusal = proposal(outcome="refuse", reason="There is no other way.")
        return fate.dice("no revision").choice(
            [refusal, proposal(outcome="clarify", reason="?", questions=["Which one?"])]
        )
    good = revision_of(past)
    if good["outcome"] != "plan" or not fate.strikes("bad_revision"):
        return good
    succeeded = [one.planned for one in past.tasks if one.state == "succeeded"]
    changed = [task(one.id, one.action, city="Elsewhere") for one in succeeded]
    again = [task(one.planned.id, one.planned.action) for one in past.tasks if one.state == "failed"]
    wrong: list[str | JsonObject] = [
        "Another room, perhaps?",
        {**good, "tasks": [*good["tasks"], *changed]},
        {**good, "tasks": again},
    ]
    return fate.dice("wrong revision").choice(wrong)


class SimulatedPlanner:
    """Implements `ports.planner.Planner`: now and then its answers arrive task by task, break off, or were otherwise.

    What was told of and what is answered in the end may differ: a question that breaks off is put again. Revisions
    come too late now and then.
    """

    def __init__(self, fate: Fate, asked: Callable[[PlannerQuestion], None]) -> None:
        """Take the run's fate, and who is told of each question."""
        self._fate = fate
        self._asked = asked

    async def propose(self, question: PlannerQuestion, on_task: TaskListener | None = None) -> PlannerAnswer:
        """Answer, or fail; see the port."""
        self._asked(question)
        await asyncio.sleep(0)
        if question.past is not None and self._fate.strikes("late_revision"):
            await asyncio.sleep(self._fate.between(1, 2 * REVISION_WAIT_MAX_MS / 1_000, "late revisions"))
        said = answer(self._fate, question)
        text = said if isinstance(said, str) else json.dumps(said)
        if on_task is not None and self._fate.strikes("streamed"):
            await self._stream(text, on_task)
        return PlannerAnswer(text=text, model=question.model, usage=FAKE_USAGE, latency_ms=0, first_token_ms=0)

    async def close(self) -> None:
        """Nothing is held."""

    async def _stream(self, text: str, on_task: TaskListener) -> None:
        fate = self._fate
        changed = fate.strikes("streamed_otherwise")
        for told in tasks_in(text):
            on_task(told.replace("Lisbon", "Faro").replace("Porto", "Braga") if changed else told)
            await asyncio.sleep(fate.between(0, 2, "streaming"))
            if fate.strikes("broke_off"):
                failure = Failure("SIMULATED", "the answer broke off")
                raise PlannerError("bad_answer", failure, usage=Usage(usd="0.01"))


def _wrong(fate: Fate, good: JsonObject) -> str | JsonObject:
    text = json.dumps(good)
    unknown = task("one", "rooms.unheard_of")
    circle = [task("one", "checks.request", after=["two"]), task("two", "checks.request", after=["one"])]
    blind = task("one", "rooms.hold", offer_id=Ref("nobody.offers[0].offer_id"))
    hasty = task("one", "cards.capture", authorization_id="a-1", amount={"amount": "1.00", "currency": "USD"})
    wrong: list[str | JsonObject] = [
        text[: len(text) // 2],
        "I would book a room.",
        proposal(unknown),
        proposal(*circle),
        proposal(blind),
        {**good, "tasks": [hasty, *good["tasks"]]},
        {**good, "tasks": [*good["tasks"], good["tasks"][-1]]},
    ]
    return fate.dice("wrong plan").choice(wrong)


def plan_for(kind: str) -> JsonObject:
    """Return the proposal for a kind of simulated request."""
    match kind:
        case "look":
            return proposal(task("rooms", "trips.search", city="Lisbon"), result={"offers": "rooms.offers"})
        case "room":
            return _room()
        case "optional":
            base = _room()
            base["tasks"].append(task("extra", "trips.search", city="Porto", optional=True))
            base["tasks"].append(
                task("extra_hold", "seats.hold", optional=True, offer_id=Ref("extra.offers[0].offer_id"))
            )
            base["tasks"][3]["after"] = ["extra_hold"]
            return base
        case "irreversible":
            base = _room()
            base["tasks"].append(task("print", "tickets.print", booking_id=Ref("book.booking_id")))
            base["tasks"].append(task("mail", "mail.send", after=["print"], text="Booked."))
            return base
        case "twice":
            return _two_payments()
        case "asked":
            return _asked()
        case "branches":
            return _branches()
        case "list":
            return _list()
        case "stand_in":
            return _stand_in()
        case "mixed":
            return _mixed()
        case _:
            return travel_proposal()


def _room() -> JsonObject:
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("authorize", "cards.authorize", amount=Ref("hold.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("authorize.authorization_id")),
        result={"booking": "book.booking_id"},
    )


def _asked() -> JsonObject:
    """A room that a person approves of, and a seat that another one may deny; both are booked a little later."""
    base = _room()
    base["tasks"] += [
        task("agree", "jada.approve", question="Shall it be this room?", expires_in=900),
        task("seat_too", "jada.approve", question="And a seat?", expires_in=60, optional=True),
        task("rest", "jada.wait", after=["agree"], seconds=30),
        task("pick", "jada.choose", options=Ref("[rooms.offers[0], rooms.offers[0]]"), criteria="the quiet one"),
        task("seats", "trips.search", optional=True, when="seat_too.approved", city="Porto"),
        task("seat", "seats.hold", optional=True, offer_id=Ref("seats.offers[0].offer_id")),
    ]
    base["tasks"][3]["after"] = ["rest", "seat", "pick"]
    return base


def _two_payments() -> JsonObject:
    """Two stays, each paid by itself, side by side: what bounds the sum must look at both."""
    tasks = []
    for city in ("lisbon", "porto"):
        tasks += [
            task(f"{city}_rooms", "trips.search", city=city),
            task(f"{city}_hold", "rooms.hold", offer_id=Ref(f"{city}_rooms.offers[0].offer_id")),
            task(f"{city}_authorize", "cards.authorize", amount=Ref(f"{city}_hold.total")),
        ]
    for city, other in (("lisbon", "porto"), ("porto", "lisbon")):
        paid = Ref(f"{city}_authorize.authorization_id")
        waits = [f"{other}_authorize"]
        tasks += [
            task(f"{city}_book", "rooms.book", after=waits, hold_id=Ref(f"{city}_hold.hold_id"), authorization_id=paid),
            task(
                f"{city}_capture",
                "cards.capture",
                after=[f"{city}_book"],
                authorization_id=paid,
                amount=Ref(f"{city}_authorize.amount"),
            ),
        ]
    return proposal(*tasks, result={"captures": "[lisbon_capture.capture_id, porto_capture.capture_id]"})


def _branches() -> JsonObject:
    """A seat where an optional search found something, and another room where it did not; both are paid together."""
    found, missed = "extra != `null`", "extra == `null`"
    paid = Ref("authorize.authorization_id")
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("extra", "trips.search", city="Porto", optional=True),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("seat", "seats.hold", when=found, offer_id="offer-extra"),
        task("spare", "rooms.hold", when=missed, offer_id="offer-spare"),
        task("quote", "quotes.add", totals=Ref("[hold.total, not_null(seat.total, spare.total)]")),
        task("authorize", "cards.authorize", amount=Ref("quote.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=paid),
        task("book_seat", "seats.book", when=found, hold_id=Ref("seat.hold_id"), authorization_id=paid),
        task("book_spare", "rooms.book", when=missed, hold_id=Ref("spare.hold_id"), authorization_id=paid),
        task(
            "capture",
            "cards.capture",
            after=["book", "book_seat", "book_spare"],
            authorization_id=paid,
            amount=Ref("authorize.amount"),
        ),
        result={"seat": "book_seat.booking_id", "spare": "book_spare.booking_id"},
    )


def _list() -> JsonObject:
    """Every offer of two searches is held and booked, one call each; the sum is paid once."""
    paid = Ref("authorize.authorization_id")
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("more", "trips.search", city="Porto"),
        task("hold", "rooms.hold", for_each="[rooms.offers, more.offers][]", offer_id=Ref("item.offer_id")),
        task("quote", "quotes.add", totals=Ref("hold[*].total")),
        task("authorize", "cards.authorize", amount=Ref("quote.total")),
        task("book", "rooms.book", for_each="hold", hold_id=Ref("item.hold_id"), authorization_id=paid),
        task("print", "tickets.print", for_each="book", booking_id=Ref("item.booking_id")),
        result={"bookings": "book[*].booking_id", "tickets": "print[*].ticket_id"},
    )


def _stand_in() -> JsonObject:
    """A room, or else a seat, or else another room; and an order, or else another one, by an agent without keys."""
    base = _room()
    base["tasks"][2:2] = [
        task("seat", "seats.hold", instead_of="hold", on_codes=_CODES, offer_id=Ref("rooms.offers[0].offer_id")),
        task("last", "rooms.hold", instead_of="seat", on_codes=_CODES, offer_id="offer-last"),
    ]
    price = {"amount": "100.00", "currency": "USD"}
    base["tasks"] += [
        task("order", "orders.create", after=["book"], total=Ref("hold.total")),
        task("other_order", "orders.create", instead_of="order", on_codes=_CODES, after=["book"], total=price),
    ]
    base["result"].append({"name": "order", "value": "order.order_id"})
    return base


_CODES: Final = ("SOLD_OUT", "NOT_TODAY")


def _mixed() -> JsonObject:
    """A list that is called under a condition, and paid call by call, or else not at all."""
    found, paid = "extra != `null`", Ref("authorize.authorization_id")
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("extra", "trips.search", city="Porto", optional=True),
        task(
            "hold",
            "seats.hold",
            when=found,
            for_each="[rooms.offers, rooms.offers][]",
            offer_id=Ref("item.offer_id"),
            guests=Ref("index"),
        ),
        task("authorize", "cards.authorize", amount=Ref("rooms.offers[0].price")),
        task("pay", "cards.capture", when=found, for_each="hold", authorization_id=paid, amount=Ref("item.total")),
        task(
            "capture",
            "cards.capture",
            after=["pay"],
            authorization_id=paid,
            amount=Ref("rooms.offers[0].price"),
        ),
        task(
            "less",
            "cards.capture",
            instead_of="capture",
            on_codes=["OVER_BUDGET"],
            authorization_id="a",
            amount=_LITTLE,
        ),
        result={"paid": "pay[*].capture_id", "captured": "capture.capture_id"},
    )


_LITTLE: Final = {"amount": "1.00", "currency": "USD"}
