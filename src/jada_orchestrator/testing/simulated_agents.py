"""Agents for the simulator, over `testing.catalogues.travel_catalogue`, with books of every effect that they made.

A stand-in for real agents. They keep the contract of agents: one effect per idempotency key, the first answer again,
compensations that succeed when there is nothing to undo, lookups by key. What goes wrong on
the way is the simulator's doing; what the books hold afterwards is the truth that outcomes are compared with.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from jada_orchestrator.domain.documents import JsonObject, canonical_json
from jada_orchestrator.domain.ids import ActionName, IdempotencyKey, TaskId, WorkflowId
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.ports.agents import AgentCall

_HOLD_MS: Final = 900_000
_FORGETFUL: Final = frozenset({"tickets.print", "orders.create"})
"""Declared not idempotent in the catalogue, and they are not."""
_PRICE: Final = {"amount": "100.00", "currency": "USD"}


class AgentRefusal(Exception):
    """The agent says no. Raised by simulated agents; the simulator turns it into a failed reply."""

    def __init__(self, code: str, *, retryable: bool = False) -> None:
        """Keep the code."""
        super().__init__(code)
        self.code = code
        self.retryable = retryable


@dataclass(slots=True)
class Effect:
    """Something that an agent did to the world."""

    workflow_id: WorkflowId
    task_id: TaskId
    action: ActionName
    key: IdempotencyKey
    output: JsonObject
    undone: bool = False


@dataclass(slots=True)
class Books:
    """What the agents' world looks like: the truth."""

    effects: dict[IdempotencyKey, Effect] = field(default_factory=dict)
    answers: dict[IdempotencyKey, JsonObject] = field(default_factory=dict)
    refusals: dict[IdempotencyKey, AgentRefusal] = field(default_factory=dict)
    """Refusals for good: first answers, too."""
    inputs: dict[IdempotencyKey, str] = field(default_factory=dict)
    """The input first seen under each key: it must never change (law 5)."""
    refused: set[tuple[IdempotencyKey, int]] = field(default_factory=set)
    """Key and attempt of every call that was refused."""
    doubled: list[str] = field(default_factory=list)
    """Effects that should have been one; must stay empty."""
    hollow: list[str] = field(default_factory=list)
    """Things that were booked on a reservation which had been given back by then; must stay empty."""
    changed_inputs: list[str] = field(default_factory=list)
    """Keys that came with two inputs; must stay empty."""
    captured_most: dict[WorkflowId, Decimal] = field(default_factory=dict)
    """The most money that was taken for each workflow at any moment."""

    def standing(self, workflow_id: WorkflowId) -> list[Effect]:
        """Return what a workflow did that was not undone."""
        return [e for e in self.effects.values() if e.workflow_id == workflow_id and not e.undone]

    def captured(self, workflow_id: WorkflowId) -> Decimal:
        """Return the money that a workflow took and did not give back."""
        taken = (e.output["amount"]["amount"] for e in self.standing(workflow_id) if e.action == "cards.capture")
        return sum((Decimal(amount) for amount in taken), Decimal(0))


class SimulatedAgents:
    """Does actions. `now` is asked for expiries; `refuse` may raise `AgentRefusal` for a call, before any effect."""

    def __init__(
        self,
        now: Callable[[], UtcMs],
        refuse: Callable[[AgentCall], None] | None = None,
        hold_ms: Callable[[], int] = lambda: _HOLD_MS,
        price: Callable[[], JsonObject] = lambda: _PRICE,
    ) -> None:
        """Begin with empty books.

        `hold_ms` is asked how long a reservation made now lasts, and `price` what it comes to.
        """
        self._hold_ms = hold_ms
        self._price = price
        self.books = Books()
        self._now = now
        self._refuse = refuse
        self._by_thing: dict[str, Effect] = {}

    def do(self, call: AgentCall) -> JsonObject:
        """Do one call's action, once per key. Raises: AgentRefusal."""
        seen = self.books.inputs.setdefault(call.idempotency_key, canonical_json(call.input))
        if seen != canonical_json(call.input):
            self.books.changed_inputs.append(f"{call.action} under {call.idempotency_key}")
        if call.action.endswith(".lookup"):
            return self._look_up(IdempotencyKey(str(call.input["idempotency_key"])))
        try:
            return self._do_anew(call) if call.action in _FORGETFUL else self._do_once(call)
        except AgentRefusal:
            self.books.refused.add((call.idempotency_key, call.attempt))
            raise

    def _do_once(self, call: AgentCall) -> JsonObject:
        if call.idempotency_key in self.books.answers:
            return self.books.answers[call.idempotency_key]
        if call.idempotency_key in self.books.refusals:
            raise self.books.refusals[call.idempotency_key]
        try:
            if self._refuse is not None:
                self._refuse(call)
        except AgentRefusal as refusal:
            if not refusal.retryable:
                self.books.refusals[call.idempotency_key] = refusal
            raise
        output = self._act(call)
        self.books.answers[call.idempotency_key] = output
        return output

    def _do_anew(self, call: AgentCall) -> JsonObject:
        """Do what does not honour keys: a second call does it a second time; lookups know of it all the same."""
        if self._refuse is not None:
            self._refuse(call)
        output = self._act(call)
        self.books.answers.setdefault(call.idempotency_key, output)
        return output

    def _look_up(self, key: IdempotencyKey) -> JsonObject:
        refusal = self.books.refusals.get(key)
        if refusal is not None:
            return {"state": "failed", "error": {"code": refusal.code, "message": "the agent says no"}}
        answer = self.books.answers.get(key)
        return {"state": "absent"} if answer is None else {"state": "succeeded", "output": answer}

    def _act(self, call: AgentCall) -> JsonObject:
        verb = call.action.partition(".")[2]
        match verb:
            case "search":
                return {"offers": [{"offer_id": f"offer-{call.input['city']}", "price": _PRICE, "stars": 3}]}
            case "policy":
                return {"allowed": True}
            case "request":
                return {"valid": True}
            case "add":
                return _sum(call.input)
            case "release" | "void" | "tear":
                self._undo(next(iter(call.input.values())))
                return {}
            case "cancel" | "refund":
                for thing in _things(call.input):
                    self._undo(thing)
                return {"refund": _PRICE} if verb == "cancel" and call.action != "orders.cancel" else {}
            case _:
                return self._make(call, verb)

    def _make(self, call: AgentCall, verb: str) -> JsonObject:
        """Make an effect, with a name of its own."""
        name = f"{verb}-{len(self.books.effects) + 1}"
        outputs: dict[str, JsonObject] = {
            "hold": {
                "hold_id": name,
                "total": self._price(),
                "expires_at": format_instant(UtcMs(self._now() + self._hold_ms())),
            },
            "book": {"booking_id": name, "total": _PRICE},
            "authorize": {"authorization_id": name, "amount": call.input.get("amount")},
            "capture": {"capture_id": name, "amount": call.input.get("amount")},
            "print": {"ticket_id": name},
            "create": {"order_id": name},
            "send": {"message_id": name},
        }
        output = outputs[verb]
        if call.idempotency_key in self.books.effects:
            self.books.doubled.append(f"{call.action} under {call.idempotency_key}")
        self.books.doubled += [
            f"{call.action} for {call.task_id} under {call.idempotency_key} and {other.key}"
            for other in self.books.standing(call.workflow_id)
            if (other.task_id, other.action) == (call.task_id, call.action)
        ]
        held = self._by_thing.get(str(call.input.get("hold_id")))
        if held is not None and held.undone:
            self.books.hollow.append(f"{call.action} for {call.task_id} on {call.input['hold_id']} of {held.task_id}")
        effect = Effect(call.workflow_id, call.task_id, call.action, call.idempotency_key, output)
        books = self.books
        books.effects[call.idempotency_key] = effect
        if verb == "capture":
            most = books.captured_most.get(call.workflow_id, Decimal(0))
            books.captured_most[call.workflow_id] = max(most, books.captured(call.workflow_id))
        self._by_thing[name] = effect
        return output

    def _undo(self, thing: object) -> None:
        effect = self._by_thing.get(str(thing))
        if effect is not None:
            effect.undone = True


def _things(call_input: JsonObject) -> list[object]:
    things: list[object] = []
    for value in call_input.values():
        things.extend(value if isinstance(value, list) else [value])
    return things


def _sum(call_input: JsonObject) -> JsonObject:
    total = sum((Decimal(part["amount"]) for part in call_input["totals"]), Decimal(0))
    return {"total": {"amount": f"{total:.2f}", "currency": "USD"}, "count": len(call_input["totals"])}
