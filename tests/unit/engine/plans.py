"""Small plans that the tests of the engine share."""

from __future__ import annotations

from typing import Final

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.testing.catalogues import Ref, proposal, task

PRICE: Final = {"amount": "100.00", "currency": "USD"}


def one(action: str = "rooms.hold", *, optional: bool = False, **args: Json) -> JsonObject:
    """A plan of one task, `hold`."""
    return proposal(task("hold", action, optional=optional, **(args or {"offer_id": "o-1"})))


def booking() -> JsonObject:
    """Search, hold, authorize, book, pay: each on the one before."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("authorize", "cards.authorize", amount=Ref("hold.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("authorize.authorization_id")),
        task(
            "capture",
            "cards.capture",
            after=["book"],
            authorization_id=Ref("authorize.authorization_id"),
            amount=Ref("hold.total"),
        ),
        result={"booking": "book.booking_id"},
    )


def two_holds() -> JsonObject:
    """Two holds beside each other, and a booking of each, beside each other."""
    return proposal(
        task("hold_a", "rooms.hold", offer_id="a"),
        task("hold_b", "seats.hold", offer_id="b"),
        task("book_a", "rooms.book", after=["hold_b"], hold_id=Ref("hold_a.hold_id"), authorization_id="x"),
        task("book_b", "seats.book", after=["hold_a"], hold_id=Ref("hold_b.hold_id"), authorization_id="x"),
        task("capture", "cards.capture", after=["book_a", "book_b"], authorization_id="x", amount=PRICE),
    )


def captures(*amounts: str, currency: str = "USD") -> JsonObject:
    """So many payments beside each other."""
    return proposal(
        *(
            task(f"pay_{n}", "cards.capture", authorization_id=f"x-{n}", amount={"amount": a, "currency": currency})
            for n, a in enumerate(amounts)
        )
    )
