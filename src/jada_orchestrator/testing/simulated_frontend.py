"""The frontends of the simulator: who sends requests and commands, and what they are owed for them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from jada_orchestrator.domain.documents import JsonObject, digest_of
from jada_orchestrator.domain.events import ControlArrived, RequestArrived, RequestRefused
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import RequestId, Tenant, workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.records import OutcomeType
from jada_orchestrator.domain.request import BookingRequest, Constraints, Message
from jada_orchestrator.domain.workflow import TERMINAL, Status, Workflow
from jada_orchestrator.engine.house import open_approvals
from jada_orchestrator.ports.host import Clock
from jada_orchestrator.ports.queues import Delivery
from jada_orchestrator.runtime.world import ParsedRequest
from jada_orchestrator.testing.aws import FakeQueues
from jada_orchestrator.testing.catalogues import money
from jada_orchestrator.testing.simulated_fate import Fate
from jada_orchestrator.testing.simulated_planner import KINDS
from jada_orchestrator.testing.simulated_witness import Witness

REQUESTS: Final = "requests"
REPLIES: Final = "replies"
OUTCOMES: Final = "outcomes"
DEAD_LETTERS: Final = "dead-letters"
_RETRIES_MAX: Final = 2
_TERMINAL: Final = frozenset(status.value for status in TERMINAL)

Command = Literal["cancel", "approve", "deny", "answer", "retry", "settle"]


@dataclass(slots=True)
class Owed:
    """What was sent, and so what must have come of it in the end."""

    texts: dict[str, set[str]] = field(default_factory=dict)
    """By request id, every text that was sent under it."""
    dead_letters: dict[str, str] = field(default_factory=dict)
    """By body, the code with which a message must be found among the dead letters."""


class Frontends:
    """Send what they are fated to send, and answer what they are asked."""

    queues: FakeQueues
    witness: Witness

    def __init__(self, fate: Fate, clock: Clock, bookings: int) -> None:
        """Begin with nothing sent."""
        self.owed = Owed()
        self.requests: dict[str, BookingRequest] = {}
        self.is_done = False
        """Whether everything was sent that is sent without being asked for."""
        self._fate = fate
        self._clock = clock
        self._bookings = bookings
        self._retries: dict[str, int] = {}
        self._number = 0

    # --- Sending ------------------------------------------------------------------------------------------------------

    async def send(self) -> None:
        """Send every request, and what goes with it."""
        fate = self._fate
        for number in range(self._bookings):
            await asyncio.sleep(fate.between(0, 10))
            request = self._request(number)
            self.requests[request.request_id] = request
            self._send_request(request)
            if fate.strikes("doubled_request"):
                self._send_request(request)
            if fate.strikes("conflicting_request"):
                self._send_request(request, " other")
            if fate.strikes("cancel"):
                self._control(request.request_id, "cancel", fate.between(0, 25))
            self._send_rubbish(number)
        self.is_done = True

    def _send_rubbish(self, number: int) -> None:
        fate = self._fate
        if fate.strikes("poison"):
            self._owe_dead_letter(REQUESTS, {"poison": number}, "BAD_REQUEST")
        if fate.strikes("poison_reply"):
            self._owe_dead_letter(REPLIES, {"poison_reply": number}, "BAD_REPLY")
        if fate.strikes("stray_control"):
            stray = {"control": "cancel", "request": f"nobody-{number}"}
            self._owe_dead_letter(REQUESTS, stray, "CONTROL_UNMATCHED")
        if fate.strikes("reply_to_elsewhere"):
            astray = replace(self._request(number), request_id=RequestId(f"astray-{number}"), reply_to="elsewhere")
            self.requests[astray.request_id] = astray
            body = {"request": astray.request_id, "text": astray.text}
            self._owe_dead_letter(REQUESTS, body, "REPLY_TO_NOT_ALLOWED")

    def _owe_dead_letter(self, queue: str, body: JsonObject, code: str) -> None:
        text = json.dumps(body)
        self.owed.dead_letters[text] = code
        self.queues.put(queue, text, {"sent-by": "somebody"})

    def _request(self, number: int) -> BookingRequest:
        dice = self._fate.dice(f"booking {number}")
        deadline = None
        if self._fate.strikes("deadline"):
            deadline = UtcMs(self._clock.now() + dice.randint(2_000, 90_000))
        return BookingRequest(
            request_id=RequestId(f"sim-{number}"),
            tenant=Tenant(dice.choice(["acme", "globex"])),
            text=dice.choice(KINDS),
            booking=None,
            constraints=Constraints(
                max_total=money(dice.choice([None, None, "1000.00 USD", "150.00 USD"])),
                approve_above=money(dice.choice([None, None, "500.00 USD", "150.00 USD", "50.00 USD"])),
                deadline=deadline,
                on_failure=dice.choice(["undo_all", "undo_all", "keep_partial", "ask"]),
            ),
            ordering_key=dice.choice([None, None, "customer-1"]),
            priority=dice.randint(0, 9),
            reply_to=dice.choice([None, OUTCOMES]),
        )

    def _send_request(self, request: BookingRequest, suffix: str = "") -> None:
        text = request.text + suffix
        self.owed.texts.setdefault(request.request_id, set()).add(text)
        self.queues.put(REQUESTS, json.dumps({"request": request.request_id, "text": text}))

    def _control(
        self, request_id: str, command: Command, after_s: float, about: str = "", task: str | None = None
    ) -> None:
        body = json.dumps({"control": command, "request": request_id, "about": about, "task": task})
        self.queues.put(REQUESTS, body, delay_ms=round(after_s * 1_000))

    # --- Being told ---------------------------------------------------------------------------------------------------

    def told(self, body: str) -> None:
        """Hear of an outcome, and do what a person would do about it."""
        outcome = json.loads(body)
        request_id, fate = outcome["request_id"], self._fate
        if request_id not in self.owed.texts:
            return
        if outcome["type"] in {"awaiting_approval", "needs_clarification"}:
            after_s = fate.between(60, 600) if fate.strikes("late_person") else fate.between(0.5, 20)
            if outcome["type"] == "needs_clarification":
                self._control(request_id, "answer", after_s, outcome["id"])
            else:
                command: Command = "deny" if fate.strikes("denied") else "approve"
                self._control(request_id, command, after_s, outcome["id"], outcome["task"])
        elif outcome["type"] in _TERMINAL - {"rejected"}:
            if outcome["type"] != "completed" and self._may_retry(request_id):
                self._control(request_id, "retry", fate.between(0.5, 30))
            elif outcome["type"] == "needs_attention" and fate.strikes("settled"):
                self._control(request_id, "settle", fate.between(0.5, 30, of="settling"))
            if fate.strikes("asked_again"):
                self._send_request(self.requests[request_id])

    def _may_retry(self, request_id: str) -> bool:
        tried = self._retries.get(request_id, 0)
        if tried >= _RETRIES_MAX or not self._fate.strikes("retry"):
            return False
        self._retries[request_id] = tried + 1
        return True

    # --- The wire -----------------------------------------------------------------------------------------------------

    def parse(self, message: Message, model: str) -> ParsedRequest:
        """Read a message of the request queue; the simulation's own format, since the wire's has tests of its own."""
        body = json.loads(message.body)
        if "poison" in body:
            fault = Fault("BAD_REQUEST", "", "this is no request")
            return RequestRefused(None, Tenant("default"), None, "BAD_REQUEST", (fault,), message)
        if "control" in body:
            wanted = ControlArrived(body["control"], "a person", "an answer", body.get("task"))
            return RequestId(body["request"]), wanted
        request = replace(self.requests[body["request"]], text=body["text"])
        return RequestArrived(request, digest_of(body), message, model)

    def deleting(self, deliveries: list[Delivery]) -> None:
        """A message is deleted only after what it led to is durable."""
        for delivery in deliveries:
            body = json.loads(delivery.message.body)
            if "request" not in body or body["request"] not in self.owed.texts:
                continue
            workflow = self.witness.durable(workflow_id_of(RequestId(body["request"])))
            if workflow is not None and body.get("about") and _still_asks(workflow, body["about"], body.get("task")):
                sentence = f"the answer {delivery.message.body} was deleted, and the question is still open"
                self.witness.object(sentence, workflow.workflow_id)
            if workflow is None and not ("control" in body and self._is_dead(delivery.message.body)):
                self.witness.object(f"the message {delivery.message.body} was deleted before its workflow was durable")

    def _is_dead(self, body: str) -> bool:
        return any(letter.body == body for letter in self.queues.messages(DEAD_LETTERS))

    # --- What is owed -------------------------------------------------------------------------------------------------

    def check(self) -> Iterator[str]:
        """Yield what frontends were owed and did not get."""
        for request_id, texts in self.owed.texts.items():
            conflicts = self._conflicts_told(request_id)
            if len(conflicts) != len(texts) - 1:
                yield f"{request_id} came with {len(texts)} contents, and {len(conflicts)} conflicts were told"
        letters = {message.body: message for message in self.queues.messages(DEAD_LETTERS)}
        for body, code in self.owed.dead_letters.items():
            letter = letters.get(body)
            if letter is None:
                yield f"{body} is not among the dead letters"
            elif letter.attributes.get("jada-reason-code") != code or letter.attributes.get("sent-by") != "somebody":
                yield f"{body} is a dead letter, but not whole or for another reason: {letter.attributes}"

    def _conflicts_told(self, request_id: str) -> set[str]:
        outcomes = map(json.loads, self.witness.outcome_bodies.values())
        return {
            outcome["id"]
            for outcome in outcomes
            if (outcome["request_id"], outcome["type"]) == (request_id, "rejected")
            and outcome["code"] == "IDEMPOTENCY_CONFLICT"
        }

    def check_told(self, workflow: Workflow, ends: int) -> Iterator[str]:
        """Yield what is wrong with what was told of an accepted request that came to its end so many times."""
        told = [
            outcome.outcome_id for outcome in workflow.outcomes if outcome.outcome_id in self.witness.outcome_bodies
        ]
        if len(told) != len(workflow.outcomes):
            yield f"{len(workflow.outcomes)} outcomes were decided, and {len(told)} were published"
        final = [outcome for outcome in workflow.outcomes if outcome.type in _TERMINAL]
        if len({outcome.outcome_id for outcome in final}) != ends:
            yield f"it came to its end {ends} times, and its frontend was told of {len(final)} endings"
        if final and final[-1].type != workflow.terminal:
            yield f"it ended as {workflow.terminal}, and its frontend was told of {final[-1].type}"


def _still_asks(workflow: Workflow, outcome_id: str, task: str | None) -> bool:
    """Tell whether a workflow durably waits for an answer to the very question that this outcome put."""
    if task is not None:
        return task in open_approvals(workflow) and _asked_last(workflow, task) == outcome_id
    asked = workflow.approval is not None or workflow.undo_question is not None
    waits = asked or workflow.status is Status.NEEDS_CLARIFICATION
    return waits and workflow.outcomes[-1].outcome_id == outcome_id


def _asked_last(workflow: Workflow, task: str) -> str | None:
    """Return the outcome that put a task's question last: after a retry it is asked anew."""
    asked = (outcome for outcome in reversed(workflow.outcomes) if _task_asked_of(outcome.content) == task)
    return next((outcome.outcome_id for outcome in asked), None)


def _task_asked_of(content: Mapping[str, object]) -> str | None:
    """Return the task whose own question an outcome puts."""
    asked = content.get("approval")
    return asked["task_id"] if isinstance(asked, dict) and "question" in asked else None


def encode_outcome(outcome_id: str, outcome_type: OutcomeType, at: UtcMs, content: Mapping[str, object]) -> str:
    """Return an outcome's text, in the simulation's own format."""
    error = content["error"]
    return json.dumps(
        {
            "id": outcome_id,
            "type": outcome_type,
            "time": at,
            "request_id": content["request_id"],
            "workflow_id": content["workflow_id"],
            "code": error["code"] if isinstance(error, dict) else None,
            "task": _task_asked_of(content),
        }
    )
