"""The agent kit as its author sees it: a task in, the contract's reply out."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from jada_orchestrator.agent import (
    Agent,
    AgentError,
    AgentSetupError,
    Answer,
    JsonObject,
    MemoryIdempotency,
    Task,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

HOLD_INPUT: JsonObject = {
    "type": "object",
    "required": ["offer_id"],
    "properties": {"offer_id": {"type": "string"}, "seats": {"type": "integer", "minimum": 1}},
    "additionalProperties": False,
}
HOLD_OUTPUT: JsonObject = {"type": "object", "required": ["hold_id"], "properties": {"hold_id": {"type": "string"}}}
NOON = datetime(2027, 4, 1, 12, tzinfo=UTC)


def task_message(**fields: object) -> JsonObject:
    """A task as the contract shows it, with the fields given in place of the example's."""
    message: JsonObject = {
        "schema": "jada.task/1",
        "workflow_id": "wf-1",
        "request_id": "web-7f3c2a",
        "tenant": "acme",
        "task_id": "hold_flight",
        "attempt": 2,
        "idempotency_key": "jk-1",
        "action": "flights.hold",
        "input": {"offer_id": "LX-4412"},
        "deadline": "2027-04-01T12:00:01Z",
        "model": "claude-haiku-4-5",
    }
    return {**message, **fields}


class Desk:
    """A function with an effect that counts how often it really happened."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.result: Callable[[], object] = lambda: {"hold_id": f"h-{len(self.tasks)}"}

    def hold(self, task: Task) -> JsonObject:
        self.tasks.append(task)
        return self.result()  # type: ignore[return-value]  # authors return what they like

    async def hold_async(self, task: Task) -> JsonObject:
        return self.hold(task)


@pytest.fixture
def desk() -> Desk:
    """A desk that answers with a hold."""
    return Desk()


@pytest.fixture
def app(desk: Desk) -> Agent:
    """An agent at noon whose waiting never really waits."""
    agent = Agent("flights", idempotency=MemoryIdempotency(), now=lambda: NOON, sleep=lambda _: None)
    agent.action("flights.hold", input=HOLD_INPUT, output=HOLD_OUTPUT)(desk.hold)
    agent.action("flights.search", effect="read")(desk.hold)
    agent.action("flights.book")(desk.hold_async)
    return agent


def error_of(reply: JsonObject) -> tuple[str, bool]:
    """Code and retryable of a failed reply."""
    assert reply["status"] == "failed", reply
    return reply["error"]["code"], reply["error"]["retryable"]


def test_success_is_the_contracts_reply(app: Agent) -> None:
    """A success carries the call's identity and the output, and nothing else."""
    assert app.lambda_handler(task_message()) == {
        "schema": "jada.reply/1",
        "workflow_id": "wf-1",
        "task_id": "hold_flight",
        "attempt": 2,
        "idempotency_key": "jk-1",
        "status": "succeeded",
        "output": {"hold_id": "h-1"},
    }


def test_failure_is_the_contracts_reply(app: Agent, desk: Desk) -> None:
    """A failure carries code, message and whether it may pass."""

    def sold_out() -> object:
        raise AgentError("SOLD_OUT", "no seat is left")

    desk.result = sold_out
    reply = app.lambda_handler(task_message())
    assert reply["status"] == "failed"
    assert reply["error"] == {"code": "SOLD_OUT", "message": "no seat is left", "retryable": False}
    assert "output" not in reply


def test_function_receives_the_whole_task(app: Agent, desk: Desk) -> None:
    """The function sees every field of the message, typed, and the time that is left."""
    app.lambda_handler(task_message())
    assert desk.tasks == [
        Task(
            workflow_id="wf-1",
            request_id="web-7f3c2a",
            tenant="acme",
            task_id="hold_flight",
            attempt=2,
            idempotency_key="jk-1",
            action="flights.hold",
            input={"offer_id": "LX-4412"},
            deadline=datetime(2027, 4, 1, 12, 0, 1, tzinfo=UTC),
            model="claude-haiku-4-5",
        )
    ]
    assert desk.tasks[0].seconds_left(NOON) == 1.0


def test_usage_travels_with_the_output(app: Agent, desk: Desk) -> None:
    """What an agent spent on a model is in its reply."""
    desk.result = lambda: Answer({"hold_id": "h"}, Usage("claude-haiku-4-5", 10, 2))
    reply = app.lambda_handler(task_message())
    assert reply["usage"] == {"model": "claude-haiku-4-5", "input_tokens": 10, "output_tokens": 2}


def test_every_fault_of_the_input_is_named(app: Agent, desk: Desk) -> None:
    """BAD_INPUT names all faults at once, and the function is not called."""
    reply = app.lambda_handler(task_message(input={"seats": 0, "sets": 1}))
    assert error_of(reply) == ("BAD_INPUT", False)
    message = reply["error"]["message"]
    assert "offer_id: is missing" in message
    assert "seats: must be bigger than or equal to 1" in message
    assert "sets: is not a field" in message
    assert desk.tasks == []


def test_every_fault_of_the_message_is_named(app: Agent) -> None:
    """What is not a task is answered with all its faults and whatever identifies the call."""
    reply = app.lambda_handler({"workflow_id": "wf-1", "attempt": True, "deadline": "tomorrow", "schema": "x/2"})
    assert error_of(reply) == ("BAD_INPUT", False)
    assert reply["workflow_id"] == "wf-1"
    for field in ("schema", "request_id", "task_id", "attempt", "idempotency_key", "action", "input", "deadline"):
        assert f"{field}: " in reply["error"]["message"]


@pytest.mark.parametrize("body", [None, [], "task", 7])
def test_a_body_that_is_no_object_is_answered(app: Agent, body: object) -> None:
    """Any JSON value gets a reply rather than a crash."""
    assert error_of(app.lambda_handler(body)) == ("BAD_INPUT", False)


def test_unknown_action(app: Agent) -> None:
    """An action that the agent does not have is refused, and those that it has are named."""
    reply = app.lambda_handler(task_message(action="flights.fly"))
    assert error_of(reply) == ("UNKNOWN_ACTION", False)
    assert "flights.hold" in reply["error"]["message"]


def test_a_passed_deadline_is_refused_before_any_effect(app: Agent, desk: Desk) -> None:
    """The function is not called, and the key stays free for a task with more time."""
    assert error_of(app.lambda_handler(task_message(deadline="2027-04-01T11:59:59Z"))) == ("DEADLINE_PASSED", False)
    assert desk.tasks == []
    assert app.lambda_handler(task_message())["status"] == "succeeded"


def test_an_answer_that_exists_is_given_after_the_deadline_too(app: Agent, desk: Desk) -> None:
    """A late duplicate must not hear "nothing was done" about an effect that happened."""
    app.lambda_handler(task_message())
    reply = app.lambda_handler(task_message(deadline="2027-04-01T11:59:59Z", attempt=3))
    assert (reply["status"], reply["attempt"], len(desk.tasks)) == ("succeeded", 3, 1)


@pytest.mark.parametrize("result", [{"hold": "h"}, {"hold_id": {1, 2}}, None, {"hold_id": "h", "price": float("nan")}])
def test_bad_output_is_a_failure_that_is_remembered(app: Agent, desk: Desk, result: object) -> None:
    """An output that breaks the promise is BAD_OUTPUT, and the effect behind it is not made a second time."""
    desk.result = lambda: result
    assert error_of(app.lambda_handler(task_message())) == ("BAD_OUTPUT", False)
    assert error_of(app.lambda_handler(task_message(attempt=3))) == ("BAD_OUTPUT", False)
    assert len(desk.tasks) == 1


def test_the_same_key_again_returns_the_first_answer(app: Agent, desk: Desk) -> None:
    """The effect happens once; the second reply has the first output under its own attempt number."""
    first, second = app.lambda_handler(task_message()), app.lambda_handler(task_message(attempt=3))
    assert second == {**first, "attempt": 3}
    assert len(desk.tasks) == 1


def test_the_same_key_with_another_input_is_refused(app: Agent, desk: Desk) -> None:
    """A key means one call; another input under it is the caller's fault and changes nothing."""
    app.lambda_handler(task_message())
    assert error_of(app.lambda_handler(task_message(input={"offer_id": "LX-1"}))) == ("KEY_REUSED", False)
    assert len(desk.tasks) == 1


def test_retryable_failures_are_not_remembered(app: Agent, desk: Desk) -> None:
    """After a failure that may pass, the same key runs the function again."""

    def busy() -> object:
        raise AgentError("BUSY", "try later", retryable=True)

    desk.result = busy
    assert error_of(app.lambda_handler(task_message())) == ("BUSY", True)
    desk.result = lambda: {"hold_id": "h"}
    assert app.lambda_handler(task_message(attempt=3))["status"] == "succeeded"


def test_permanent_failures_are_remembered(app: Agent, desk: Desk) -> None:
    """The first answer stands, also when it is a no."""

    def sold_out() -> object:
        raise AgentError("SOLD_OUT", "none")

    desk.result = sold_out
    app.lambda_handler(task_message())
    desk.result = lambda: {"hold_id": "h"}
    assert error_of(app.lambda_handler(task_message(attempt=3))) == ("SOLD_OUT", False)


def test_reads_are_never_remembered(app: Agent, desk: Desk) -> None:
    """A lookup asked again under its key looks again."""
    for _ in range(2):
        app.lambda_handler(task_message(action="flights.search"))
    assert len(desk.tasks) == 2


def test_other_exceptions_escape_and_free_the_key(app: Agent, desk: Desk) -> None:
    """A crash stays a crash, so that the orchestrator sees an unknown attempt; the next attempt may run."""

    def crash() -> object:
        raise ZeroDivisionError

    desk.result = crash
    with pytest.raises(ZeroDivisionError):
        app.lambda_handler(task_message())
    desk.result = lambda: {"hold_id": "h"}
    assert app.lambda_handler(task_message(attempt=3))["status"] == "succeeded"


def test_async_functions_run_in_a_lambda_on_one_loop(app: Agent, desk: Desk) -> None:
    """An async action works from the plain handler, call after call."""
    outputs = [app.call("flights.book", {})["output"] for _ in range(2)]
    assert outputs == [{"hold_id": "h-1"}, {"hold_id": "h-2"}]
    app.close()


@pytest.mark.parametrize("action", ["flights.hold", "flights.book"])
async def test_plain_and_async_functions_run_under_a_running_loop(app: Agent, desk: Desk, action: str) -> None:
    """A worker gets the same reply and the same memory as a Lambda."""
    first = await app.handle_async(task_message(action=action), traceparent="00-1")
    second = await app.handle_async(task_message(action=action, attempt=3))
    assert second == {**first, "attempt": 3}
    assert [task.traceparent for task in desk.tasks] == ["00-1"]


def test_a_second_call_waits_for_the_first(desk: Desk) -> None:
    """A duplicate that arrives meanwhile gets the first call's answer, and there is one effect."""
    started, go_on, replies = threading.Event(), threading.Event(), list[JsonObject]()

    def slow() -> object:
        started.set()
        go_on.wait(10)
        return {"hold_id": "h"}

    def let_the_first_finish(_seconds: float) -> None:
        go_on.set()
        first.join(10)

    desk.result = slow
    agent = Agent("flights", idempotency=MemoryIdempotency(), now=lambda: NOON, sleep=let_the_first_finish)
    agent.action("flights.hold")(desk.hold)
    first = threading.Thread(target=lambda: replies.append(agent.lambda_handler(task_message())))
    first.start()
    assert started.wait(10)
    replies.append(agent.lambda_handler(task_message()))
    assert replies[0] == replies[1]
    assert len(desk.tasks) == 1


def test_a_second_call_gives_up_waiting(desk: Desk) -> None:
    """When the first takes too long the duplicate answers IN_PROGRESS, which may be tried again."""
    store = MemoryIdempotency()
    agent = Agent("flights", idempotency=store, wait_s=0.1, now=lambda: NOON, sleep=lambda _: None)
    agent.action("flights.hold")(desk.hold)
    store.begin("jk-1", "whoever", 60)
    assert error_of(agent.lambda_handler(task_message())) == ("IN_PROGRESS", True)
    assert desk.tasks == []


def test_the_memory_can_be_switched_off(desk: Desk) -> None:
    """An agent that keeps keys itself is called every time."""
    agent = Agent("flights", idempotency=None, now=lambda: NOON)
    agent.action("flights.hold")(desk.hold)
    for _ in range(2):
        agent.lambda_handler(task_message())
    assert len(desk.tasks) == 2


def test_a_claim_lasts_no_longer_than_the_lambda(desk: Desk) -> None:
    """The lease is the function's remaining time: when Lambda has stopped the process, the key is free."""
    leases: list[float] = []

    class Recording(MemoryIdempotency):
        def begin(self, key, fingerprint, lease_s):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            leases.append(lease_s)
            return super().begin(key, fingerprint, lease_s)

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 2500

    agent = Agent("flights", idempotency=Recording(), now=lambda: NOON)
    agent.action("flights.hold")(desk.hold)
    agent.lambda_handler(task_message(), Context())
    assert leases == [2.5]


def test_names_must_be_agent_dot_verb(app: Agent) -> None:
    """Mistakes in a definition are found when it is made, and the text says what is right."""
    for name in ("hold", "flights.", "Flights.hold", "flights.hold.now"):
        with pytest.raises(AgentSetupError, match=r"agent\.verb"):
            app.action(name)
    with pytest.raises(AgentSetupError, match="twice"):
        app.action("flights.hold")


def test_error_codes_are_checked() -> None:
    """A code that the contract would not carry is a mistake of the author's."""
    with pytest.raises(ValueError, match="capital letters"):
        AgentError("sold out", "no")


@pytest.mark.parametrize(("chosen", "effects"), [("memory", 1), ("off", 2), ("sqlite:{path}", 1)])
def test_the_environment_chooses_the_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object, desk: Desk, chosen: str, effects: int
) -> None:
    """JADA_AGENT_IDEMPOTENCY decides for an agent that does not choose itself."""
    monkeypatch.setenv("JADA_AGENT_IDEMPOTENCY", chosen.format(path=f"{tmp_path}/answers.db"))
    agent = Agent("flights", now=lambda: NOON)
    agent.action("flights.hold")(desk.hold)
    for _ in range(2):
        agent.lambda_handler(task_message())
    agent.close()
    assert len(desk.tasks) == effects


def test_a_wrong_choice_of_memory_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of JADA_AGENT_IDEMPOTENCY that means nothing stops the agent with the values that do."""
    monkeypatch.setenv("JADA_AGENT_IDEMPOTENCY", "redis")
    with pytest.raises(AgentSetupError, match="sqlite:PATH"):
        Agent("flights")
