"""Faults to order: each does what it says, as often as it was told, to whom it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from jada_orchestrator.agent import Task
from jada_orchestrator.sandbox.agents import flights, notifications, orders
from jada_orchestrator.sandbox.agents.desk import AgentCrashed, Desk, until
from jada_orchestrator.sandbox.inventory import Books, faults, stock
from jada_orchestrator.sandbox.inventory.audit import audit
from jada_orchestrator.sandbox.inventory.offers import flight_offers
from tests.unit.sandbox.conftest import NOTIFY, Call, Clock, Done


@pytest.fixture
def offer_id(departure: date) -> str:
    """Something to hold."""
    return next(flight_offers("jada", "BOS", "LIS", (departure, None), 1, "economy", "USD")).offer_id


def test_a_failure_to_order_strikes_as_often_as_told(call: Call, shared: Books, offer_id: str) -> None:
    """The next call fails with the code, retryable if asked for, and the one after it succeeds under the same key."""
    faults.order(shared, "flights.hold", "fail", "SOLD_OUT:retryable")
    failed = call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1")
    assert failed["error"] == {"code": "SOLD_OUT", "message": "ordered to fail", "retryable": True}
    assert faults.ordered(shared) == []
    assert call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1")["status"] == "succeeded"


def test_a_fault_strikes_only_whom_it_was_ordered_for(call: Call, shared: Books) -> None:
    """An action may be a pattern, and so may the request."""
    faults.order(shared, "orders.*", "fail", times=faults.ALWAYS, request="demo-*")
    totals = {"totals": [{"amount": "1", "currency": "USD"}]}
    assert call("orders.quote", totals, request_id="web-1")["status"] == "succeeded"
    assert call("orders.quote", totals, request_id="demo-1")["error"]["code"] == "AGENT_UNWELL"
    assert call("orders.quote", totals, request_id="demo-2")["status"] == "failed"
    assert [fault.remaining for fault in faults.ordered(shared)] == [faults.ALWAYS]
    faults.clear(shared)
    assert call("orders.quote", totals, request_id="demo-1")["status"] == "succeeded"


@pytest.mark.parametrize(
    ("mode", "moment", "effects", "state"),
    [
        ("crash", "before", 0, "absent"),
        ("crash", "after", 1, "succeeded"),
        ("cut", "before", 0, "absent"),
        ("cut", "after", 1, "succeeded"),
    ],
)
def test_a_break_leaves_the_effect_or_not_and_lookup_knows(
    call: Call, shared: Books, offer_id: str, mode: str, moment: str, effects: int, state: str
) -> None:
    """Before the work nothing was done, after it everything was; the same key then gives one effect in all."""
    faults.order(shared, "flights.hold", mode, moment)
    with pytest.raises(AgentCrashed):
        call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1")
    assert len(audit(shared.path).effects) == effects
    assert call("flights.lookup", {"idempotency_key": "jk-1"})["output"]["state"] == state
    assert call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1", attempt=2)["status"] == "succeeded"
    assert len(audit(shared.path).effects) == 1


@pytest.mark.parametrize(("mode", "place"), [("slow", 0), ("late", 1)])
def test_slow_waits_before_the_work_and_late_after_it(shared: Books, offer_id: str, mode: str, place: int) -> None:
    """The pause that was ordered is made on its side of the effect."""
    effects_at_pauses: list[tuple[float, int]] = []
    desk = Desk("flights", sleep=lambda pause_s: effects_at_pauses.append((pause_s, len(audit(shared.path).effects))))
    desk.effects("flights.hold", pace_ms=100)(flights.hold)
    faults.order(shared, "flights.hold", mode, "7.5")
    assert desk.app.call("flights.hold", {"offer_id": offer_id})["status"] == "succeeded"
    assert effects_at_pauses[place] == (7.5, place)


def test_a_failure_can_wait_for_the_effect_of_another_action(shared: Books, offer_id: str) -> None:
    """The call fails when its own workflow has done what it waits for; what another workflow does is not that."""
    holds = Desk("flights", sleep=lambda _: None)
    holds.effects("flights.hold", pace_ms=0)(flights.hold)
    waits = iter(["wf-other", "wf-own"])
    held: list[str] = []

    def sleep(_: float) -> None:
        held.append(next(waits))
        done = holds.app.call("flights.hold", {"offer_id": offer_id}, workflow_id=held[-1], idempotency_key=held[-1])
        assert done["status"] == "succeeded", done

    desk = Desk("orders", sleep=sleep)
    desk.reads("orders.quote", pace_ms=0)(orders.quote)
    faults.order(shared, "orders.quote", "fail", "NOT_NOW:after:flights.hold")
    totals = {"totals": [{"amount": "1", "currency": "USD"}]}
    failed = desk.app.call("orders.quote", totals, workflow_id="wf-own")
    assert failed["error"] == {"code": "NOT_NOW", "message": "ordered to fail", "retryable": False}
    assert held == ["wf-other", "wf-own"]


def test_nobody_waits_longer_than_there_is_time_to_answer() -> None:
    """It looks again until there is just the time left to answer, and then gives up what never came."""

    def looks(seconds_left: int) -> Iterator[float]:
        deadline = datetime.now(UTC) + timedelta(seconds=seconds_left)
        task = Task("wf-1", "web-1", "acme", "quote", 1, "jk-1", "orders.quote", {}, deadline=deadline)
        return until(lambda: False, task)

    assert next(looks(3_600)) > 0
    assert list(looks(2)) == list(looks(-1)) == []


def test_calls_that_are_to_be_together_answer_when_all_have_done_their_work(shared: Books, offer_id: str) -> None:
    """The first waits, with its work done, until the second has done its own; a third is not struck."""
    effects_at_pauses: list[int] = []
    desk = Desk("flights", sleep=lambda _: effects_at_pauses.append(len(audit(shared.path).effects)))
    desk.effects("flights.hold", pace_ms=0)(flights.hold)

    def second(_: float) -> None:
        if len(audit(shared.path).effects) == 1:
            desk.app.call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-2")

    first = Desk("flights", sleep=second)
    first.effects("flights.hold", pace_ms=0)(flights.hold)
    faults.order(shared, "flights.hold", "together", "2", times=2)
    assert first.app.call("flights.hold", {"offer_id": offer_id}, idempotency_key="jk-1")["status"] == "succeeded"
    assert effects_at_pauses == [1]
    assert faults.ordered(shared) == []


def test_a_task_that_nobody_waits_for_does_nothing(call: Call, shared: Books, clock: Clock, offer_id: str) -> None:
    """A deadline that has passed is refused, unless the key has its answer already."""
    late = (datetime.fromtimestamp(clock(), UTC) - timedelta(seconds=1)).isoformat()
    given = {"offer_id": offer_id}
    refused = call("flights.hold", given, idempotency_key="jk-1", deadline=late)
    assert refused["error"]["code"] == "DEADLINE_PASSED"
    assert audit(shared.path).effects == ()
    call("flights.hold", given, idempotency_key="jk-1")
    assert call("flights.hold", given, idempotency_key="jk-1", deadline=late)["status"] == "succeeded"


@pytest.mark.parametrize(
    ("mode", "argument"),
    [
        ("explode", None),
        ("slow", "soon"),
        ("fail", "sold out"),
        ("fail", "GONE:after"),
        ("crash", "during"),
        ("twice", "3"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(books: Books, mode: str, argument: str | None) -> None:
    """Mode and argument are checked when a fault is ordered, not when it strikes."""
    with pytest.raises(faults.BadFault):
        faults.order(books, "flights.hold", mode, argument)


def test_agents_take_the_time_that_such_work_takes(shared: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is a factor on a span around the usual time, the same for the same call."""
    monkeypatch.setenv("JADA_SANDBOX_PACE", "2")
    pauses: list[float] = []
    desk = Desk("orders", sleep=pauses.append)
    desk.reads("orders.quote", pace_ms=100)(orders.quote)
    for _ in range(2):
        desk.app.call("orders.quote", {"totals": [{"amount": "1", "currency": "USD"}]}, idempotency_key="jk-1")
    assert pauses[0] == pauses[1]
    assert 0.12 <= pauses[0] <= 0.28


def test_the_last_seats_are_the_only_ones(done: Done, shared: Books, departure: date) -> None:
    """After `last_seats` a search finds one flight with so many seats and no other."""
    number = stock.last_seats(shared, "BOS", "LIS", departure, seats=2)
    search = {"origin": "BOS", "destination": "LIS", "depart_date": departure.isoformat()}
    offers = done("flights.search", travellers=2, **search)["offers"]
    assert [(offer["outbound"]["flight"], offer["seats_left"]) for offer in offers] == [(number, 2)]


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """A stand-in on loopback that takes SQS messages; the list fills with (queue, body)."""
    sent: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            answer = {"QueueUrl": f"{address}/0/{asked.get('QueueName')}"}
            if self.headers["X-Amz-Target"].endswith("SendMessage"):
                sent.append((asked["QueueUrl"].rpartition("/")[2], asked["MessageBody"]))
                answer = {"MessageId": "m-1"}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that it overrides
            """Stays silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        for name, value in {
            "AWS_ENDPOINT_URL": address,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "made-up",
            "AWS_SECRET_ACCESS_KEY": "made-up",
        }.items():
            monkeypatch.setenv(name, value)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield sent
        server.shutdown()
        thread.join()


async def test_twice_sends_the_answer_once_more_than_the_worker_does(
    shared: Books, queues: list[tuple[str, str]]
) -> None:
    """The reply is on the reply queue before the kit sends the same one; the effect is made once."""
    faults.order(shared, "notifications.send", "twice")
    reply = await notifications.app.handle_async({**NOTIFY, "reply_to": "jada-replies-here"})
    assert [(queue, json.loads(text)) for queue, text in queues] == [("jada-replies-here", reply)]
    assert len(audit(shared.path).effects) == 1
