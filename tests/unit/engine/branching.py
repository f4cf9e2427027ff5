"""Plans with conditions, lists and alternatives that the tests of the engine share."""

from __future__ import annotations

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.testing.catalogues import Ref, proposal, task

DEAR = "to_number(rooms.offers[0].price.amount) > `{}`"


def conditional(above: int = 50) -> JsonObject:
    """A room, and a seat with it where the room costs more than `above` (it costs 100); both are paid together."""
    dear = DEAR.format(above)
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task("seat", "seats.hold", when=dear, offer_id=Ref("rooms.offers[0].offer_id")),
        task("quote", "quotes.add", totals=Ref("[hold.total, seat.total][?@]")),
        task("authorize", "cards.authorize", amount=Ref("quote.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("authorize.authorization_id")),
        task(
            "book_seat",
            "seats.book",
            when=dear,
            hold_id=Ref("seat.hold_id"),
            authorization_id=Ref("authorize.authorization_id"),
        ),
        result={"booking": "book.booking_id", "seat": "book_seat.booking_id"},
    )


def for_each(source: str = "rooms.offers") -> JsonObject:
    """Hold every offer that a search found, pay for all of them together, and book each."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", for_each=source, offer_id=Ref("item.offer_id"), guests=Ref("index")),
        task("quote", "quotes.add", totals=Ref("hold[*].total")),
        task("authorize", "cards.authorize", amount=Ref("quote.total")),
        task(
            "book",
            "rooms.book",
            for_each="hold",
            hold_id=Ref("item.hold_id"),
            authorization_id=Ref("authorize.authorization_id"),
        ),
        task("order", "orders.create", total=Ref("quote.total"), booking_ids=Ref("book[*].booking_id")),
        result={"bookings": "book[*].booking_id", "order": "order.order_id"},
    )


def alternative() -> JsonObject:
    """Hold one room, or, where it is sold out, another; book whichever it was."""
    return proposal(
        task("rooms", "trips.search", city="Lisbon"),
        task("hold", "rooms.hold", offer_id=Ref("rooms.offers[0].offer_id")),
        task(
            "other",
            "rooms.hold",
            instead_of="hold",
            on_codes=["SOLD_OUT", "PRICE_CHANGED"],
            offer_id=Ref("rooms.offers[0].offer_id"),
            guests=3,
        ),
        task("authorize", "cards.authorize", amount=Ref("hold.total")),
        task("book", "rooms.book", hold_id=Ref("hold.hold_id"), authorization_id=Ref("authorize.authorization_id")),
        result={"booking": "book.booking_id", "hold": "hold.hold_id", "other": "other.hold_id"},
    )
