"""From a wish to a complete itinerary, or to the questions or the refusal that stand in the way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise

from jada_orchestrator.sandbox.model.proposal import Proposal, clarify, refuse
from jada_orchestrator.sandbox.model.reading.wish import Wish

TRAVELLERS_MAX = 9
LEGS_MAX = 6
_WHAT = "What shall be booked, changed or cancelled: a flight, a hotel, a rental car, or several of them? (In English.)"


@dataclass(frozen=True, slots=True)
class Leg:
    """One flight from one place to another; with `back` the same offer also covers the way back on that day."""

    origin: str
    destination: str
    day: date
    back: date | None = None


@dataclass(frozen=True, slots=True)
class Stay:
    """A city from one day to another: for a hotel, a car, or both."""

    city: str
    begin: date
    end: date


@dataclass(frozen=True, slots=True)
class Itinerary:
    """All that a plan needs. `travellers` is 1 for a car alone, where nobody asks."""

    wish: Wish
    legs: tuple[Leg, ...]
    stays: tuple[Stay, ...]
    travellers: int
    hotel: bool
    car: bool

    @property
    def begin(self) -> date:
        """The first day."""
        return min([leg.day for leg in self.legs] + [stay.begin for stay in self.stays])

    @property
    def end(self) -> date:
        """The last day."""
        ends = [leg.back or leg.day for leg in self.legs] + [stay.end for stay in self.stays]
        return max(ends)

    @property
    def places(self) -> tuple[str, ...]:
        """Every airport city once, in travelling order."""
        return tuple(dict.fromkeys(name for leg in self.legs for name in (leg.origin, leg.destination)))


def objections(wish: Wish, today: date) -> Proposal | None:
    """Return a refusal when what is asked for can never be, whatever is answered to questions."""
    reasons = list(wish.refusals)
    past = [day for day in wish.dates if day < today]
    if past:
        reasons.append(f"{past[0].isoformat()} is in the past (today is {today.isoformat()}).")
    if wish.backwards:
        reasons.append("The return (or the end of the stay) is before the departure (or its beginning).")
    if wish.travellers is not None and not 1 <= wish.travellers <= TRAVELLERS_MAX:
        reasons.append(f"{wish.travellers} travellers: one request can be for 1 to {TRAVELLERS_MAX}.")
    if wish.budget is not None and float(wish.budget.amount) <= 0:
        reasons.append("A budget of nothing buys nothing.")
    if wish.same_place:
        reasons.append("Origin and destination are the same place.")
    return refuse(" ".join(reasons)) if reasons else None


def complete(wish: Wish) -> Itinerary | Proposal:
    """Return the itinerary of a booking, or the questions whose answers would complete it."""
    flight, hotel, car = _wanted(wish)
    if not (flight or hotel or car):
        return clarify(*wish.doubts, _WHAT)
    questions = list(wish.doubts)
    questions += _place_questions(wish, flight=flight, hotel=hotel)
    legs: tuple[Leg, ...] = ()
    stays: tuple[Stay, ...] = ()
    if not questions:
        legs, stays, questions = _days(wish, flight=flight, stay=hotel or car)
    else:
        questions += _date_questions(wish, flight=flight, stay=hotel or car)
    if wish.travellers is None and (flight or hotel):
        questions.append("How many people travel?" if flight else "How many guests are there?")
    if wish.customer_id is None:
        questions.append("Which customer is it for (customer_id, for instance c-118)?")
    if questions:
        return clarify(*dict.fromkeys(questions))
    return Itinerary(wish, legs, stays, wish.travellers or 1, hotel, car)


def _wanted(wish: Wish) -> tuple[bool, bool, bool]:
    parts = set(wish.parts)
    goes = len(set(wish.path)) > 1 and not wish.only_visited
    if goes and (parts != {"car"} or _car_question(wish) in wish.asked):
        parts.add("flight")
    return "flight" in parts, "hotel" in parts, "car" in parts


def _car_question(wish: Wish) -> str:
    return f"A car goes back to where it was picked up. Shall it be a flight to {wish.path[-1]} and a car there?"


def _place_questions(wish: Wish, *, flight: bool, hotel: bool) -> list[str]:
    if any(question.startswith("Which city in") for question in wish.doubts):
        return []
    distinct = list(dict.fromkeys(wish.path))
    if not flight:
        where = "In which city shall the hotel be?" if hotel else "In which city shall the car be picked up?"
        if len(distinct) > 1 and not hotel and not wish.only_visited:
            return [_car_question(wish)]
        if len(distinct) > 1:
            return [f"One city a request, please: {' or '.join(distinct)}?"]
        return [] if distinct else [where]
    if not distinct:
        return ["From which city or airport shall the flight leave?", "To which city or airport shall it go?"]
    if len(distinct) == 1 and wish.origin == distinct[0]:
        return [f"To which city or airport shall the flight from {distinct[0]} go?"]
    if len(distinct) == 1:
        return [f"From which city or airport shall the flight to {distinct[0]} leave?"]
    if len(wish.path) > LEGS_MAX + 1:
        return [f"At most {LEGS_MAX} flights a request, please: which ones?"]
    return []


def _date_questions(wish: Wish, *, flight: bool, stay: bool) -> list[str]:
    """Return what is to be asked of the days when the places are not clear either."""
    asked = any(
        doubt.startswith("Which days") or "day/month" in doubt or "not a date" in doubt for doubt in wish.doubts
    )
    return [] if wish.dates or asked else [_when(flight=flight, stay=stay and wish.nights is None)]


def _when(*, flight: bool, stay: bool) -> str:
    what = "shall the flight leave" if flight else "shall the stay begin"
    end = ", and on which shall it end" if stay else ", and on which shall it return, if at all" if flight else ""
    return f"On which date {what}{end} (for instance 3 May to 10 May)?"


def _days(wish: Wish, *, flight: bool, stay: bool) -> tuple[tuple[Leg, ...], tuple[Stay, ...], list[str]]:
    if not wish.dates:
        return (), (), [_when(flight=flight, stay=stay and wish.nights is None)]
    path = wish.path
    closed = len(path) == 3 and path[0] == path[2] and len(wish.dates) <= 2
    if flight and (len(path) > 3 or (len(path) == 3 and not closed)):
        return _multi_city(wish, stay=stay)
    begin = wish.dates[0]
    end = wish.dates[1] if len(wish.dates) > 1 else begin + timedelta(days=wish.nights) if wish.nights else None
    if len(wish.dates) > 2:
        return (
            (),
            (),
            ["More than two dates were named. On which date does the journey begin, and on which does it end?"],
        )
    if end is None and flight and not wish.one_way and (wish.returning or closed):
        return (), (), [f"On which date shall the return flight from {path[1]} leave?"]
    if end is None and stay:
        return (), (), ["For how many nights, or until which date, shall the stay be?"]
    if stay and end is not None and end <= begin:
        return (), (), ["A stay needs at least one night. Until which date shall it be?"]
    legs = (Leg(path[0], path[1], begin, None if wish.one_way else end),) if flight else ()
    city = path[1] if flight else path[0]
    return legs, (Stay(city, begin, end),) if stay and end is not None else (), []


def _multi_city(wish: Wish, *, stay: bool) -> tuple[tuple[Leg, ...], tuple[Stay, ...], list[str]]:
    path = wish.path
    if wish.returning and path[-1] != path[0] and len(wish.dates) == len(path):
        path = (*path, path[0])
    pairs = list(pairwise(path))
    if len(wish.dates) != len(pairs):
        flights = "; ".join(f"{origin} to {destination}" for origin, destination in pairs)
        return (), (), [f"On which date shall each flight leave ({flights})? {len(pairs)} dates are needed."]
    legs = tuple(Leg(origin, destination, day) for (origin, destination), day in zip(pairs, wish.dates, strict=True))
    if not stay:
        return legs, (), []
    stays = [
        Stay(leg.destination, leg.day, following.day) for leg, following in pairwise(legs) if following.day > leg.day
    ]
    last = legs[-1]
    if last.destination != path[0]:
        if not wish.nights:
            return (), (), [f"For how many nights shall the stay in {last.destination} be?"]
        stays.append(Stay(last.destination, last.day, last.day + timedelta(days=wish.nights)))
    return legs, tuple(stays), []
