"""The life of a call: tried again, refused, lost, looked up, found."""

from __future__ import annotations

import pytest

from jada_orchestrator.domain import events as e
from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import RetryPolicy
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Failure
from jada_orchestrator.domain.ids import IdempotencyKey, TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import ATTEMPT_GRACE_MS, LOOKUPS_MAX, REFUSALS_MAX
from jada_orchestrator.domain.workflow import Phase
from jada_orchestrator.engine.keys import attempt_key, call_key
from jada_orchestrator.engine.retry import backoff_ms
from tests.unit.engine.driver import (
    BUSY,
    DONE_BUT_LOST,
    IMPOSSIBLE,
    LOST,
    SILENT,
    START,
    THROTTLED,
    Driver,
    Mishap,
    begun,
    found,
)
from tests.unit.engine.plans import booking, one

POLICY = RetryPolicy(attempts=4, first_ms=200, max_ms=10_000)


def lost_hold() -> Driver:
    """A hold with a lookup whose first attempt was lost, and whose lookup is in flight."""
    driver = begun(one())
    driver.grant("hold")
    driver.end("hold", LOST)
    driver.tick()
    driver.grant("hold")
    return driver


# --- Waits ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "full"), [(1, 200), (2, 400), (3, 800), (7, 10_000), (99, 10_000)])
def test_backoff_doubles_up_to_its_bound(number: int, full: int) -> None:
    """A wait is the doubled one, shortened by at most a quarter."""
    assert full * 3 // 4 <= backoff_ms(POLICY, number, "salt") <= full


def test_jitter_is_a_hash() -> None:
    """The same try of the same call waits exactly as long in every replay; another call waits otherwise."""
    assert backoff_ms(POLICY, 5, "wf-1/hold") == 2_629
    assert len({backoff_ms(POLICY, 5, f"wf-{n}/hold") for n in range(50)}) > 40


@pytest.mark.parametrize(("asked_ms", "waited_ms"), [(5_000, 5_000), (10**9, 100_000)])
def test_what_the_service_asks_for_is_honoured(asked_ms: int, waited_ms: int) -> None:
    """A retry-after lengthens the wait, up to ten times the policy's own bound."""
    assert backoff_ms(POLICY, 1, "salt", at_least_ms=asked_ms) == waited_ms


# --- Failures that are known ----------------------------------------------------------------------------------------


def test_a_retryable_failure_is_tried_as_often_as_the_catalogue_says() -> None:
    """Four attempts, then the task has failed for good; nothing stands, so the booking has failed."""
    driver = begun(one())
    driver.mishap("hold", *[BUSY] * 9)
    driver.run()
    assert driver.names("do") == ["hold"] * 4
    assert driver.workflow.terminal == "failed"
    assert driver.workflow.failure == Failure("BUSY", "hold (rooms.hold): busy")


def test_a_final_failure_is_not_tried_again() -> None:
    """An agent's definite no is taken at its word."""
    driver = begun(one())
    driver.mishap("hold", IMPOSSIBLE)
    driver.run()
    assert driver.names("do") == ["hold"]
    assert driver.task("hold").status == "failed"


def test_refusals_count_apart() -> None:
    """Attempts that never reached the agent leave its own attempts untouched."""
    driver = begun(one())
    driver.mishap("hold", *[THROTTLED] * 10, BUSY, BUSY, BUSY)
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.call("hold").attempts == 14


def test_refusals_have_an_end() -> None:
    """An agent that cannot be reached at all fails the task in the end, for its own reason."""
    driver = begun(one())
    driver.mishap("hold", *[THROTTLED] * 100)
    driver.run()
    assert driver.call("hold").attempts == REFUSALS_MAX + 1
    assert driver.workflow.failure is not None
    assert driver.workflow.failure.code == "THROTTLED"


def test_every_attempt_has_one_key_and_one_input() -> None:
    """Whatever became of earlier attempts, the next one sends the same under the same key (law 5)."""
    driver = begun(booking())
    driver.mishap("hold", BUSY, THROTTLED, DONE_BUT_LOST)
    driver.mishap("book", LOST)
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert len({(c.task_id, c.idempotency_key) for c in driver.calls if ".lookup" not in c.action}) == 5
    assert driver.agents.books.changed_inputs == []


def test_an_attempt_may_not_outlast_the_request() -> None:
    """The deadline of an attempt is its action's timeout, but never after the request's own."""
    near = begun(one(), deadline=START + 5_000)
    near.grant("hold")
    assert near.call_of("hold").deadline == START + 5_000
    far = begun(one(), deadline=START + 500_000)
    far.grant("hold")
    assert far.call_of("hold").deadline == START + 20_000


# --- Stragglers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 1, 3])
def test_only_the_attempt_in_flight_is_heard(number: int) -> None:
    """An answer to another attempt than the one in flight leads to nothing."""
    driver = begun(one())
    driver.grant("hold")
    driver.end("hold", BUSY)
    driver.tick()
    driver.grant("hold")
    assert driver.end("hold", IMPOSSIBLE, number=number) == []
    assert driver.call("hold").phase is Phase.CALLING


def test_an_answer_counts_once() -> None:
    """The second copy of an answer leads to nothing."""
    driver = begun(one())
    driver.grant("hold")
    output = e.Succeeded(driver.agents.do(driver.call_of("hold")))
    assert driver.end("hold", output)
    assert driver.end("hold", output, purpose="call", number=1) == []


@pytest.mark.parametrize("task_id", ["hold", "nobody"])
def test_a_reply_under_a_foreign_key_is_nobodys(task_id: str) -> None:
    """A reply is matched by its key, not by what it says of itself."""
    driver = begun(one())
    driver.grant("hold")
    assert driver.feed(e.ReplyArrived(TaskId(task_id), 1, IdempotencyKey("jk-foreign"), IMPOSSIBLE)) == []


def test_a_reply_is_matched_by_key_and_attempt() -> None:
    """A reply under the call's key to the attempt in flight ends it, whichever queue it came by."""
    driver = begun(one())
    driver.grant("hold")
    key = call_key(driver.workflow, driver.task("hold"), "do")
    assert driver.feed(e.ReplyArrived(TaskId("hold"), 2, key, IMPOSSIBLE)) == []
    assert driver.feed(e.ReplyArrived(TaskId("hold"), 1, key, IMPOSSIBLE))
    assert driver.workflow.terminal == "failed"


def test_a_reply_to_a_lookup_answers_the_last_one() -> None:
    """A lookup by queue goes out as attempt 1 of a key of its own, and is answered under it."""
    driver = lost_hold()
    key = attempt_key(driver.workflow, driver.task("hold"), "do", "lookup", 1)
    driver.feed(e.ReplyArrived(TaskId("hold"), 1, key, found("failed", code="NO")))
    assert driver.workflow.failure == Failure("NO", "hold (rooms.hold): says the agent")


# --- Unknown outcomes -----------------------------------------------------------------------------------------------


def test_a_lost_call_is_looked_up_and_found() -> None:
    """An effect that happened although its answer was lost is found, and not made again."""
    driver = begun(one())
    driver.mishap("hold", DONE_BUT_LOST)
    driver.run()
    assert [call.action for call in driver.calls] == ["rooms.hold", "rooms.lookup"]
    assert driver.workflow.terminal == "completed"
    assert driver.task("hold").output is not None


def test_lookups_ask_by_the_key_of_the_call() -> None:
    """A lookup names the call's key in its input, and goes under a key of its own each time."""
    driver = begun(one())
    driver.mishap("hold", DONE_BUT_LOST)
    driver.mishap("lookup hold", found("pending"), found("pending"))
    driver.run()
    call, *lookups = driver.calls
    assert [lookup.input for lookup in lookups] == [{"idempotency_key": call.idempotency_key}] * 3
    assert len({each.idempotency_key for each in driver.calls}) == 4


def test_a_call_that_is_known_to_have_failed_is_final() -> None:
    """What the lookup says of a failure is the agent's first answer."""
    driver = lost_hold()
    driver.end("hold", found("failed", code="IMPOSSIBLE"))
    assert driver.workflow.terminal == "failed"
    assert not driver.task("hold").has_effect


def test_absent_before_the_call_can_have_ended_is_no_certainty() -> None:
    """While the lost attempt may still run, "absent" leads to the same call again, and the doubt stays."""
    driver = lost_hold()
    (ended,) = driver.end("hold", found("absent"))
    assert isinstance(ended, r.LookupEnded)
    assert (ended.then, ended.cleared) == ("call", False)
    assert driver.call("hold").maybe


def test_absent_after_that_is_the_truth() -> None:
    """Asked when no lost attempt could still run, "absent" clears the doubt, and the call is made again."""
    driver = begun(one())
    driver.grant("hold")
    driver.end("hold", LOST)
    driver.now = driver.call("hold").settled_by
    driver.tick()
    driver.grant("hold")
    (ended,) = driver.end("hold", found("absent"))
    assert isinstance(ended, r.LookupEnded)
    assert (ended.then, ended.cleared) == ("call", True)
    assert not driver.call("hold").maybe


@pytest.mark.parametrize(("offered", "then"), [(one(), "call"), (one("tickets.print", booking_id="b-1"), "lookup")])
def test_absent_that_was_long_on_its_way_is_not_the_truth(offered: JsonObject, then: e.Purpose) -> None:
    """What an agent had not seen when it was asked it may have seen since: when the answer comes counts for nothing."""
    driver = begun(offered)
    driver.grant("hold")
    driver.end("hold", LOST)
    driver.tick()
    driver.grant("hold")
    driver.now = driver.call("hold").settled_by
    (ended,) = driver.end("hold", found("absent"))
    assert isinstance(ended, r.LookupEnded)
    assert (ended.then, ended.cleared) == (then, False)
    assert driver.call("hold").maybe


def test_absent_after_the_clock_went_back_is_not_the_truth() -> None:
    """Entries never go back, a clock may: when a lookup was begun is what the clock said, as the deadline is."""
    driver = begun(one("tickets.print", booking_id="b-1"))
    driver.now = UtcMs(driver.now - 30_000)
    driver.grant("hold")
    driver.end("hold", LOST)
    driver.grant("hold")
    assert driver.entries[-1].at >= driver.call("hold").settled_by > driver.now
    (ended,) = driver.end("hold", found("absent"))
    assert isinstance(ended, r.LookupEnded)
    assert (ended.then, ended.cleared) == ("lookup", False)


def test_an_action_that_ignores_keys_is_called_again_only_when_absent_is_the_truth() -> None:
    """A ticket that may be under way is not printed a second time: the question is put again after the doubt ends."""
    driver = begun(one("tickets.print", booking_id="b-1"))
    driver.grant("hold")
    driver.end("hold", LOST)
    driver.tick()
    driver.grant("hold")
    (ended,) = driver.end("hold", found("absent"))
    assert isinstance(ended, r.LookupEnded)
    assert (ended.then, ended.until) == ("lookup", driver.call("hold").settled_by)
    driver.tick()
    driver.grant("hold")
    (ended,) = driver.end("hold", found("absent"))
    assert isinstance(ended, r.LookupEnded)
    assert (ended.then, ended.cleared) == ("call", True)


@pytest.mark.parametrize(
    "answer",
    [
        found("pending"),
        found("succeeded"),
        found("nonsense"),
        e.Succeeded({}),
        found("succeeded", {"surprise": 1}),
        LOST,
        BUSY,
        IMPOSSIBLE,
    ],
)
def test_a_lookup_that_settles_nothing_is_put_again(answer: Mishap) -> None:
    """Pending, malformed, lost, refused: none of them says what became of the call."""
    driver = begun(one())
    driver.mishap("hold", DONE_BUT_LOST)
    driver.mishap("lookup hold", answer, answer)
    driver.run()
    assert driver.workflow.terminal == "completed"
    assert driver.call("hold").lookups == 3
    assert driver.call("hold").attempts == 1


def test_a_lookup_without_end_ends_in_the_call_itself() -> None:
    """An agent that honours keys is called again when its lookup keeps silent: that answers, too."""
    driver = begun(one())
    driver.mishap("hold", DONE_BUT_LOST)
    driver.mishap("lookup hold", *[found("pending")] * 99)
    driver.run()
    assert driver.call("hold").lookups == LOOKUPS_MAX
    assert driver.call("hold").attempts == 2
    assert driver.workflow.terminal == "completed"


def test_without_a_lookup_the_same_key_is_used_again() -> None:
    """An agent that honours keys is asked again under the same key, and gives its first answer."""
    driver = begun(one("seats.hold", offer_id="o"))
    driver.mishap("hold", DONE_BUT_LOST)
    driver.run()
    assert driver.names("do") == ["hold", "hold"]
    assert len(driver.agents.books.effects) == 1
    assert driver.workflow.terminal == "completed"


def test_without_lookup_and_keys_it_is_never_repeated() -> None:
    """An order that may exist is not made again: what is left is a matter for a person."""
    driver = begun(one("orders.create", total={"amount": "1.00", "currency": "USD"}))
    driver.mishap("hold", DONE_BUT_LOST)
    driver.run()
    assert driver.names("do") == ["hold"]
    assert driver.workflow.terminal == "needs_attention"
    assert driver.task("hold").status == "unknown"


def test_a_read_that_is_lost_is_simply_made_again() -> None:
    """Reads change nothing, so there is nothing to find out."""
    driver = begun(one("trips.search", city="Lisbon"))
    driver.mishap("hold", LOST)
    driver.run()
    assert [type(entry.record) for entry in driver.entries].count(r.AttemptLost) == 0
    assert driver.workflow.terminal == "completed"


def test_an_answer_that_breaks_the_schema_is_an_unknown_outcome() -> None:
    """The agent did something; what, its lookup must tell."""
    driver = begun(one())
    driver.grant("hold")
    output = driver.agents.do(driver.call_of("hold"))
    (lost,) = driver.end("hold", e.Succeeded({**output, "surprise": 1}))
    assert isinstance(lost, r.AttemptLost)
    assert lost.failure.code == "BAD_OUTPUT"
    driver.run()
    assert driver.task("hold").output == output


def test_silence_is_an_unknown_outcome() -> None:
    """An attempt whose deadline passes without an answer is lost, a moment after it."""
    driver = begun(one())
    driver.mishap("hold", SILENT)
    driver.run()
    lost = next(entry for entry in driver.entries if isinstance(entry.record, r.AttemptLost))
    assert lost.at == START + 20_000 + ATTEMPT_GRACE_MS
    assert driver.workflow.terminal == "completed"


TOO_LATE = e.Failed(Failure("DEADLINE_PASSED", "too late"), retryable=False, answered=False)


def test_a_worker_that_comes_too_late_tells_nothing_of_an_earlier_delivery() -> None:
    """A queue delivers twice: the first delivery may have had its effect; the second one's refusal settles nothing."""
    driver = begun(one("mail.send", text="Booked."))
    driver.grant("hold")
    (lost,) = driver.end("hold", TOO_LATE)
    assert isinstance(lost, r.AttemptLost)
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_a_function_that_comes_too_late_did_nothing() -> None:
    """A call of a function is made once: a refusal before its effect is one, and the call is made again."""
    driver = begun(one())
    driver.grant("hold")
    (backed_off,) = driver.end("hold", TOO_LATE)
    assert isinstance(backed_off, r.TaskBackedOff)


@pytest.mark.parametrize("when", ["before", "between", "during"])
def test_a_late_answer_resolves_the_unknown(when: str) -> None:
    """Before, between and during lookups, the answer itself is welcome when it comes after all."""
    driver = begun(one())
    driver.grant("hold")
    late = e.Succeeded(driver.agents.do(driver.call_of("hold")))
    driver.end("hold", LOST)
    if when != "before":
        driver.tick()
    if when == "during":
        driver.grant("hold")
    assert driver.end("hold", late, purpose="call", number=1)
    assert driver.workflow.terminal == "completed"


def test_a_second_loss_is_no_news() -> None:
    """That an attempt is lost is said once."""
    driver = begun(one())
    driver.grant("hold")
    driver.end("hold", LOST)
    assert driver.end("hold", LOST, purpose="call", number=1) == []


# --- Begun anew -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plan", "kept"),
    [
        (one("rooms.hold", offer_id="o"), False),
        (one("checks.request", day="Monday"), True),
        (one("mail.send", text="Booked."), False),
        (one("trips.search", city="Lisbon"), False),
    ],
)
def test_what_was_in_flight_when_the_process_died(plan: dict[str, object], kept: bool) -> None:
    """A call is lost; but a read in a worker's queue is as good as before, and goes out once more."""
    driver = begun(plan)
    driver.grant("hold")
    driver.resume()
    assert (driver.call("hold").phase is Phase.CALLING) is kept
    assert driver.call("hold").attempts == 1
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_busy_said_to_a_sending_before_the_end_tells_nothing_of_the_next_one() -> None:
    """What a worker's queue may hold twice after our own end may have its effect, whatever the first sending got."""
    driver = begun(one("mail.send", text="Booked."))
    driver.grant("hold")
    driver.resume()
    driver.end("hold", BUSY, purpose="call", number=1)
    driver.control("cancel")
    driver.run()
    assert driver.workflow.terminal == "needs_attention"
    assert driver.workflow.failure is not None
    assert "hold (mail.send) may stand" in driver.workflow.failure.message


@pytest.mark.parametrize("plan", [one("trips.search", city="Lisbon"), one(), one("mail.send", text="Booked.")])
def test_our_own_ends_use_up_nobodys_tries(plan: dict[str, object]) -> None:
    """However often the process ends while a call or its lookup is under way, the booking fails for other reasons only.

    A call that its agent honours keys for keeps waiting in its queue; the clock is set so that it does not.
    """
    driver = begun(plan)
    for _ in range(3 * LOOKUPS_MAX):
        driver.grant("hold")
        driver.now = max(driver.now, driver.call_of("hold").deadline)
        driver.resume()
        if not driver.workflow.grantable:
            driver.tick()
    assert driver.workflow.broken is None
    driver.run()
    assert driver.workflow.terminal == "completed"


def test_what_our_own_end_cut_off_waits_for_nothing() -> None:
    """A read is made again, and a lost call is looked up, as soon as there is a slot: the time away was wait enough."""
    for plan in (one("trips.search", city="Lisbon"), one()):
        driver = begun(plan)
        driver.grant("hold")
        driver.resume()
        assert list(driver.workflow.grantable) == [("hold", "do")]


def test_a_worker_whose_time_is_over_is_lost() -> None:
    """After the deadline nothing is put into the queue again."""
    driver = begun(one("mail.send", text="Booked."))
    driver.grant("hold")
    driver.now = driver.call_of("hold").deadline
    driver.resume()
    assert driver.call("hold").maybe


def test_a_worker_that_our_absence_left_little_time_is_asked_again() -> None:
    """A read in a worker's queue is made again, for nothing, when less than half of its time is left."""
    driver = begun(one("checks.request", day="Monday"))
    driver.grant("hold")
    driver.now = UtcMs(driver.call_of("hold").deadline - 2_000)
    driver.resume()
    assert list(driver.workflow.grantable) == [("hold", "do")]
    assert driver.call("hold").reached == 0


def test_a_lookup_in_flight_is_put_again() -> None:
    """A lookup that the process took with it is asked once more, under another key."""
    driver = lost_hold()
    driver.resume()
    driver.run()
    assert driver.call("hold").lookups == 2
    assert driver.workflow.terminal == "completed"
