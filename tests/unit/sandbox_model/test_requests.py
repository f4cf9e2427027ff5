"""Which request becomes which proposal: the phrases that the scripted planner claims to understand."""

from __future__ import annotations

from typing import Any

import pytest

from jada_orchestrator.sandbox.model.planner import NO_REQUEST, propose
from jada_orchestrator.sandbox.model.proposal import Proposal
from tests.unit.sandbox_model.catalogue_text import conversation


def arguments(proposal: Proposal, task_id: str) -> dict[str, str]:
    """The arguments of one task."""
    task = next(task for task in proposal.tasks if task.id == task_id)
    return {arg.name: arg.value for arg in task.args}


def searches(proposal: Proposal) -> list[str]:
    """The ids of the searches."""
    return [task.id for task in proposal.tasks if task.action.endswith(".search")]


RETURN = {"depart_date": "2027-05-03", "return_date": "2027-05-10", "travellers": "2"}
STAY = {"city": "Lisbon", "check_in": "2027-05-03", "check_out": "2027-05-10", "guests": "2"}
MONEY_3000 = '{"amount": "3000.00", "currency": "USD"}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Two of us, Boston to Lisbon 3-10 May, a hotel near Alfama, under $3,000 all in.",
            {
                "search_flight": RETURN,
                "search_hotel": {**STAY, "near": "Alfama"},
                "airport_boston": {"query": "Boston"},
                "airport_lisbon": {"query": "Lisbon"},
                "quote": {"max_total": MONEY_3000},
            },
        ),
        ("Fly to Lisbon from Boston, leaving 3 May, returning 10 May, my wife and I", {"search_flight": RETURN}),
        ("Boston to Lisbon, May 3 to 10, 2 adults", {"search_flight": RETURN}),
        ("Boston to Lisbon May 3rd to May 10th for two", {"search_flight": RETURN}),
        ("2 people from Boston to Lisbon on 2027-05-03, back on 2027-05-10", {"search_flight": RETURN}),
        (
            "One way from BOS to LIS on 3 May 2027 for one person, business class",
            {"search_flight": {"origin": "BOS", "destination": "LIS", "travellers": "1", "cabin": "business"}},
        ),
        (
            "Berlin - Munich tomorrow, one way, 1 traveller",
            {"search_flight": {"depart_date": "2026-11-24", "travellers": "1"}},
        ),
        (
            "Return flight New York to London for a family of four, 28 December to 3 January, no hotel",
            {"search_flight": {"depart_date": "2026-12-28", "return_date": "2027-01-03", "travellers": "4"}},
        ),
        (
            "round trip from San Francisco to Tokyo leaving 2027-04-01 for 2 weeks, 2 adults and 1 child, max 5000 EUR",
            {
                "search_flight": {
                    "return_date": "2027-04-15",
                    "travellers": "3",
                    "currency": "EUR",
                    "max_price": '{"amount": "5000.00", "currency": "EUR"}',
                }
            },
        ),
        (
            "Boston to Lisbon on 3 May, Lisbon to Madrid on 7 May and Madrid to Boston on 10 May, 2 adults",
            {
                "search_flight_1": {"depart_date": "2027-05-03"},
                "search_flight_2": {"depart_date": "2027-05-07", "origin": "airport_lisbon.code"},
                "search_flight_3": {"depart_date": "2027-05-10", "destination": "airport_boston.code"},
            },
        ),
        (
            "Boston - Lisbon - Madrid - Boston, 3 May, 7 May, 10 May, for two, with hotels",
            {
                "search_flight_1": {},
                "search_flight_2": {},
                "search_flight_3": {},
                "search_hotel_1": {"city": "Lisbon", "check_in": "2027-05-03", "check_out": "2027-05-07"},
                "search_hotel_2": {"city": "Madrid", "check_in": "2027-05-07", "check_out": "2027-05-10"},
            },
        ),
        (
            "Trip to Paris and Rome from Boston, 3 people, 3 May, 7 May and 12 May, and back",
            {
                "search_flight_1": {"origin": "airport_boston.code"},
                "search_flight_2": {},
                "search_flight_3": {"destination": "airport_boston.code"},
            },
        ),
        (
            "A 4-star hotel in Lisbon for 3 nights from 3 May for two",
            {"search_hotel": {**STAY, "check_out": "2027-05-06", "min_stars": "4"}},
        ),
        ("A car in Lisbon 3-10 May", {"search_car": {"city": "Lisbon", "pick_up": "2027-05-03"}}),
        (
            "Flight + hotel + car for me: Boston to Rome, May 3 to 10",
            {
                "search_flight": {"travellers": "1"},
                "search_hotel": {"city": "Rome"},
                "search_car": {"city": "Rome", "drop_off": "2027-05-10"},
            },
        ),
        (
            "Book a flight for 2 people from Boston to Lisbon departing after 6pm on 3 May",
            {"search_flight": {"depart_after": "18:00", "travellers": "2"}},
        ),
        (
            "Boston to Lisbon, 3 May to 10 May, Two seats, and a hotel in Alfama",
            {"search_flight": RETURN, "search_hotel": {**STAY, "near": "Alfama"}},
        ),
        (
            "Trip for 2: Boston -> Paris on 1 June 2027, Paris -> Rome on 5 June, Rome -> Boston on 10 June, hotels",
            {
                "search_flight_1": {"travellers": "2"},
                "search_flight_2": {},
                "search_flight_3": {},
                "search_hotel_1": {"city": "Paris"},
                "search_hotel_2": {"city": "Rome", "check_out": "2027-06-10"},
            },
        ),
        (
            "Berlin to Gondwana City on 3 May, one traveller",
            {"search_flight": {}, "airport_gondwana_city": {"query": "Gondwana City"}},
        ),
    ],
)
def test_bookings_in_words(text: str, expected: dict[str, dict[str, str]]) -> None:
    """The text becomes a plan with exactly these searches and these arguments."""
    proposal = propose(conversation(text))
    assert proposal.outcome == "plan", proposal
    assert searches(proposal) == [task_id for task_id in expected if task_id.startswith("search_")]
    for task_id, values in expected.items():
        assert values.items() <= arguments(proposal, task_id).items()


def test_structured_fields_win_over_the_text() -> None:
    """What the frontend knows is not overruled by what the customer wrote."""
    booking = {
        "customer_id": "c-1",
        "origin": "BOS",
        "destination": "LIS",
        "depart": "2027-05-03",
        "return": "2027-05-10",
        "travellers": 2,
        "hotel": {"near": "Baixa", "stars": 3},
    }
    text = "Rome to Paris on 1 June for nine people"
    proposal = propose(
        conversation(text, booking=booking, constraints={"max_total": {"amount": "900", "currency": "EUR"}})
    )
    assert arguments(proposal, "search_flight").items() >= {**RETURN, "origin": "BOS", "currency": "EUR"}.items()
    assert arguments(proposal, "search_hotel").items() >= {"near": "Baixa", "min_stars": "3", "city": "LIS"}.items()
    assert arguments(proposal, "quote")["max_total"] == '{"amount": "900", "currency": "EUR"}'
    assert arguments(proposal, "create_order")["customer_id"] == "c-1"


def test_a_booking_without_any_text() -> None:
    """Structured fields alone are a request, legs included."""
    legs = [
        {"origin": "BOS", "destination": "LIS", "date": "2027-05-03"},
        {"origin": "LIS", "destination": "MAD", "date": "2027-05-07"},
    ]
    proposal = propose(conversation("", booking={"customer_id": "c-1", "legs": legs, "passengers": ["A B", "C D"]}))
    assert searches(proposal) == ["search_flight_1", "search_flight_2"]
    assert arguments(proposal, "search_flight_2").items() >= {"origin": "LIS", "travellers": "2"}.items()


@pytest.mark.parametrize(
    ("text", "tasks"),
    [
        ("Cancel order ord-12", ["cancel_flights", "cancel_hotels", "cancel_cars", "refund_payment", "cancel_order"]),
        ("Please cancel the hotel in order ord-9f3a", ["cancel_hotels", "refund_payment"]),
        ("Cancel my last booking", ["list_orders", "cancel_flights", "cancel_order"]),
        (
            "Change the flight of order ord-12 from Boston to Lisbon to 5-12 May, two travellers",
            ["get_order", "search_flight", "price_flight_change", "change_flight", "capture_payment"],
        ),
        (
            "move my hotel in Lisbon, order ord-77, to 12-15 June, 2 guests",
            ["get_order", "search_hotel", "price_hotel_change", "change_hotel", "capture_payment"],
        ),
    ],
)
def test_existing_bookings_are_changed_and_cancelled(text: str, tasks: list[str]) -> None:
    """A change or a cancellation reads the order first and does what was said, no more."""
    proposal = propose(conversation(text))
    assert proposal.outcome == "plan", proposal
    ids = [task.id for task in proposal.tasks]
    assert [task_id for task_id in ids if task_id in tasks] == tasks
    if "hotel" in text:
        assert not any("flight" in task_id for task_id in ids)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I need a flight to Lisbon", ["From which city", "On which date", "How many people"]),
        ("Fly from Boston on 3 May for two", ["To which city"]),
        ("A hotel for two, 3-10 May", ["In which city"]),
        ("A hotel in Lisbon from 3 May for two", ["For how many nights"]),
        ("Round trip Boston to Lisbon on 3 May for two", ["return flight from Lisbon"]),
        ("Boston to Lisbon and then to Madrid on 3 May for two", ["each flight", "2 dates"]),
        ("Flight to Portugal on 3 May for two from Boston", ["Which city in Portugal"]),
        ("Two of us, Boston to Lisbon next weekend", ["Which days exactly"]),
        ("A hotel in Lisbon in May for two", ["Which days exactly"]),
        ("flights on 3/5/2027 from Boston to Rome for 2", ["day/month"]),
        ("hotel in Lisbon 31 June for two", ["31 June is not a date"]),
        ("Book Boston to Lisbon 3 May for one only if it is sunny", ["Conditions"]),
        ("Fly from Boston to Rome on 3 May for two, max 500000 yen", ["not in yen"]),
        ("hotel in Lisbon 3-10 May for two under $200 a night", ["everything together"]),
        ("Boston to Lisbon 3-10 May first class, two of us", ["business class?"]),
        ("Hotels in Lisbon and then in Porto, 3-10 May for two", ["Lisbon or Porto"]),
        ("Move my flight to 12 May", ["Which order shall be changed"]),
        ("Change order ord-1", ["What of it", "To which dates"]),
        ("Cancel my booking", ["Which order shall be cancelled"]),
        ("Ich möchte von Boston nach Lissabon fliegen, 3. Mai", ["(In English.)"]),
        ("We need something nice", ["What shall be booked"]),
    ],
)
def test_what_is_missing_or_unclear_is_asked(text: str, words: list[str]) -> None:
    """The questions are precise, all at once, and nothing else is in the proposal."""
    proposal = propose(conversation(text))
    assert proposal.outcome == "clarify", proposal
    for part in words:
        assert any(part in question for question in proposal.questions), proposal.questions
    assert (proposal.tasks, proposal.result) == ((), ())


def test_the_customer_is_asked_for() -> None:
    """Nobody pays unless it is known who: without customer_id there is a question."""
    text = "One way from BOS to LIS on 3 May 2027 for one person"
    assert propose(conversation(text, booking={})).questions == (
        "Which customer is it for (customer_id, for instance c-118)?",
    )
    assert propose(conversation(f"{text}. Customer c-7.", booking={})).outcome == "plan"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Book me a table on the moon", "moon"),
        ("Fly two of us from Boston to Mars on 3 May", "Mars"),
        ("write a poem about flights", "out of scope"),
        ("What is the weather in Lisbon?", "out of scope"),
        ("Please book a train from Paris to London on 3 May for 2", "trains"),
        ("From Boston to Lisbon on 3 May 2020, one person", "past"),
        ("From Boston to Lisbon 10 May, return 3 May, for two", "before the departure"),
        ("Flight from ZRH to LHR on 2027-01-15 returning 2027-01-10 for one", "before the departure"),
        ("Boston to Lisbon 3-10 May for 12 people", "12 travellers"),
        ("Fly from Boston to Boston on 3 May for one", "same place"),
    ],
)
def test_what_cannot_be_done_is_refused(text: str, words: str) -> None:
    """A refusal names its reason and plans nothing."""
    proposal = propose(conversation(text))
    assert proposal.outcome == "refuse", proposal
    assert words in proposal.reason
    assert (proposal.tasks, proposal.questions) == ((), ())


ANSWERED: list[tuple[str, list[str], str]] = [
    ("Fly me to Lisbon on 3 May, one way", ["From which city or airport shall the flight to Lisbon leave?"], "Boston"),
    ("Fly us from Boston to Lisbon on 3 May, one way", ["How many people travel?"], "2"),
    ("Boston to Lisbon for two", ["On which date shall the flight leave (for instance ...)?"], "3 May to 10 May"),
    ("Flight to Portugal on 3 May for two from Boston", ["Which city in Portugal shall it be?"], "Lisbon"),
    (
        "Boston to Lisbon 3-10 May first class, two of us",
        ["First class is not sold here. Shall it be business class?"],
        "yes",
    ),
]


@pytest.mark.parametrize(("text", "questions", "answer"), ANSWERED)
def test_answers_complete_a_request(text: str, questions: list[str], answer: str) -> None:
    """Before the answer it asks; with the answer it plans."""
    assert propose(conversation(text)).outcome == "clarify"
    answers = [{"questions": questions, "answer": answer}]
    assert propose(conversation(text, answers=answers)).outcome == "plan"


def test_all_questions_answered_in_one_go() -> None:
    """The very questions that were asked, answered in one text, lead to a plan."""
    first = propose(conversation("I need a flight to Lisbon", booking={}))
    answers = [{"questions": list(first.questions), "answer": "Boston, 3 May one way, 2, c-7"}]
    second = propose(conversation("I need a flight to Lisbon", booking={}, answers=answers))
    assert second.outcome == "plan", second
    assert arguments(second, "create_order")["customer_id"] == "c-7"


def test_no_to_an_offer_is_a_refusal() -> None:
    """Who does not want business class instead of first class gets nothing booked."""
    text, questions, _ = ANSWERED[-1]
    assert propose(conversation(text, answers=[{"questions": questions, "answer": "no"}])).outcome == "refuse"


@pytest.mark.parametrize("request_fields", [{"today": None}, {"booking": "x", "constraints": [], "answers": [3]}])
def test_odd_requests_never_raise(request_fields: dict[str, Any]) -> None:
    """Fields of the wrong type are as good as absent."""
    assert propose(conversation("Boston to Lisbon", **request_fields)).outcome in {"clarify", "refuse"}


def test_without_a_request_it_says_what_it_is() -> None:
    """A conversation that is no planning at all gets a refusal that names the stand-in."""
    empty = conversation("x")
    assert propose(type(empty)(None, "", empty.catalogue, 0)).reason == NO_REQUEST
