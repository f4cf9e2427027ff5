"""Reading one agent's file: every field has its type and its bounds, and every mistake its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final, Literal

from ruamel.yaml.comments import CommentedMap, CommentedSeq

from jada_orchestrator.domain.catalogue import (
    Action,
    Agent,
    AgentLimits,
    Binding,
    Compensation,
    Effect,
    LambdaTransport,
    ModelSource,
    RetryPolicy,
    SqsTransport,
    Transport,
)
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.house import HOUSE
from jada_orchestrator.domain.ids import ACTION_NAME_PATTERN, ActionName, AgentName
from jada_orchestrator.domain.instants import parse_duration_ms
from jada_orchestrator.domain.limits import ACTION_TIMEOUT_MAX_MS, ATTEMPTS_MAX

_DEFAULT_CONCURRENCY: Final = 10
"""Calls of one agent at once where its file names no limit: little enough for any worker."""
_CONCURRENCY_MAX: Final = 10_000
_DEFAULT_TIMEOUT_MS: Final = 30_000
_DEFAULT_RETRY: Final = RetryPolicy(attempts=4, first_ms=200, max_ms=10_000)
_BACKOFF_MAX_MS: Final = 3_600_000
_CODE: Final = re.compile(r"\A[A-Z][A-Z0-9_]{0,63}\Z")
_DURATION: Final = "a duration such as 200ms, 20s or 5m"


@dataclass(slots=True)
class Mistakes:
    """Collects faults."""

    faults: list[Fault] = field(default_factory=list)
    actions: set[str] = field(default_factory=set)
    """Those whose own text has a mistake: what follows from it would only confuse."""
    is_incomplete: bool = False
    """A whole file could not be used: what is missing elsewhere may be in it."""

    def add(self, code: str, where: str, message: str) -> None:
        """Keep a fault."""
        self.faults.append(Fault(code, where, message))


@dataclass(frozen=True, slots=True)
class Place:
    """A file with its lines."""

    file: str
    content: CommentedMap

    def where(self, *steps: str | int) -> str:
        """Return ``file:line`` of what the steps lead to, or of the last thing on the way that is there."""
        node: Any = self.content
        line = 0
        for step in steps:
            found = _line_of(node, step)
            if found is None:
                break
            line = found
            node = node[int(step) if isinstance(node, CommentedSeq) else step]
        return f"{self.file}:{line + 1}"


def _line_of(node: object, step: str | int) -> int | None:
    """Return the line, from 0, of a key or an item; None where there is none."""
    if isinstance(node, CommentedMap):
        if step not in node:
            return None
        position = (node.lc.data or {}).get(step)  # a key that was merged in (`<<`) has no line of its own here
        return int(position[0]) if position is not None else int(node.lc.line)
    if isinstance(node, CommentedSeq) and str(step).isdigit() and int(step) < len(node):
        return int(node.lc.data[int(step)][0])
    return None


@dataclass(frozen=True, slots=True)
class _Part:
    """A mapping of the file, read field by field."""

    place: Place
    steps: tuple[str | int, ...]
    content: JsonObject
    mistakes: Mistakes

    def fault(self, code: str, message: str, *steps: str | int) -> None:
        at = (*self.steps, *steps)
        named = ".".join(map(str, at))
        self.mistakes.add(code, self.place.where(*at), f"{named}: {message}" if named else message)
        if len(at) > 1 and at[0] == "actions":
            self.mistakes.actions.add(str(at[1]))

    def only(self, *allowed: str) -> None:
        for name in self.content:
            if name not in allowed:
                near = get_close_matches(name, allowed, n=1)
                hint = f"did you mean {near[0]}?" if near else f"there is {', '.join(allowed)}"
                self.fault("UNKNOWN_FIELD", f"is no field here; {hint}", name)

    def text(self, name: str, default: str | None = None) -> str:
        value = self.content.get(name, default)
        if isinstance(value, str) and (value.strip() or value == default):
            return value
        if name not in self.content:
            self.fault("MISSING_FIELD", f"`{name}` is missing")
        else:
            self.fault("BAD_TYPE", "must be a text that is not empty", name)
        return ""

    def flag(self, name: str, *, default: bool) -> bool:
        value = self.content.get(name, default)
        if not isinstance(value, bool):
            self.fault("BAD_TYPE", "must be true or false", name)
        return value is True

    def number(self, name: str, default: int, at_least: int, at_most: int) -> int:
        value = self.content.get(name, default)
        if isinstance(value, int) and not isinstance(value, bool) and at_least <= value <= at_most:
            return value
        self.fault("BAD_VALUE", f"must be a whole number from {at_least} to {at_most}", name)
        return default

    def duration(self, name: str, default: int, at_most: int) -> int:
        value = self.content.get(name)
        if value is None and name not in self.content:
            return default
        try:
            duration_ms = parse_duration_ms(value) if isinstance(value, str) else -1
        except ValueError:
            duration_ms = -1
        if not 0 < duration_ms <= at_most:
            self.fault("BAD_DURATION", f"must be {_DURATION}, above 0 and at most {at_most // 1_000}s", name)
            return default
        return duration_ms

    def part(self, name: str) -> _Part | None:
        value = self.content.get(name)
        if isinstance(value, dict):
            return _Part(self.place, (*self.steps, name), value, self.mistakes)
        if name in self.content:
            self.fault("BAD_TYPE", "must be a mapping", name)
        return None

    def needed(self, name: str) -> _Part | None:
        if name not in self.content:
            self.fault("MISSING_FIELD", f"`{name}` is missing")
        return self.part(name)


def agent_of(place: Place, content: JsonObject, mistakes: Mistakes) -> tuple[Agent, dict[ActionName, Action]] | None:
    """Return the agent that a file describes and its actions; None when it does not even name one.

    Mistakes go to `mistakes`; where there is one, what is returned is of use only for finding more.
    """
    file = _Part(place, (), content, mistakes)
    file.only("agent", "description", "transport", "model", "limits", "actions")
    name = AgentName(file.text("agent"))
    if name and not ACTION_NAME_PATTERN.match(f"{name}.x"):
        file.fault("BAD_VALUE", f"{name!r} is no agent's name: lower-case letters, digits, - and _", "agent")
    if name == HOUSE:
        file.fault("RESERVED_NAME", f"{HOUSE} is the house itself; choose another name", "agent")
    agent = Agent(
        name=name,
        description=file.text("description"),
        transport=_transport(file.needed("transport")),
        model=_model(file),
        limits=_limits(file.part("limits")),
    )
    actions: dict[ActionName, Action] = {}
    described = file.needed("actions")
    if described is not None:
        if not described.content:
            described.fault("MISSING_FIELD", "an agent has at least one action")
        for action in _actions(described, name):
            actions[action.name] = action
    return (agent, actions) if name else None


def _transport(part: _Part | None) -> Transport:
    if part is None:
        return LambdaTransport("")
    kind = part.text("kind")
    if kind == "sqs":
        part.only("kind", "queue")
        return SqsTransport(part.text("queue"))
    if kind not in {"lambda", ""}:
        part.fault("BAD_VALUE", f"{kind!r} is no transport; there is lambda and sqs", "kind")
        return LambdaTransport("")
    part.only("kind", "function", "qualifier")
    return LambdaTransport(part.text("function"), part.text("qualifier", ""))


def _model(file: _Part) -> ModelSource:
    value = file.content.get("model", "inherit")
    if isinstance(value, str) and value.strip():
        return ModelSource("inherit") if value == "inherit" else ModelSource("id", value)
    part = file.part("model") if isinstance(value, dict) else None
    kinds: tuple[Literal["ssm", "file"], ...] = ("ssm", "file")
    for kind in kinds:
        if part is not None and list(part.content) == [kind]:
            return ModelSource(kind, part.text(kind))
    message = "must be a model's id, inherit, {ssm: /name/of/a/parameter} or {file: /path/of/a/config.json}"
    file.fault("BAD_VALUE", message, "model")
    return ModelSource("inherit")


def _limits(part: _Part | None) -> AgentLimits:
    if part is None:
        return AgentLimits(_DEFAULT_CONCURRENCY)
    part.only("concurrency", "rate_per_second", "adaptive")
    adaptive = part.content.get("adaptive", False)
    if not isinstance(adaptive, bool):
        part.fault("BAD_TYPE", "must be true or false", "adaptive")
    rate = part.content.get("rate_per_second")
    if rate is not None and (isinstance(rate, bool) or not isinstance(rate, int | float) or rate <= 0):
        part.fault("BAD_VALUE", "must be a number above 0", "rate_per_second")
        rate = None
    concurrency = part.number("concurrency", _DEFAULT_CONCURRENCY, 1, _CONCURRENCY_MAX)
    return AgentLimits(concurrency, float(rate) if rate is not None else None, adaptive=adaptive is True)


def _actions(described: _Part, agent: AgentName) -> Iterator[Action]:
    for name in described.content:
        part = described.part(name)
        if not ACTION_NAME_PATTERN.match(name) or name.partition(".")[0] != agent:
            message = f"an action of {agent or 'this agent'} is called {agent or 'agent'}.verb, in lower case"
            described.fault("BAD_ACTION_NAME", message, name)
        if part is not None:
            yield _action(part, ActionName(name), agent)


def _action(part: _Part, name: ActionName, agent: AgentName) -> Action:
    part.only(
        "description",
        "effect",
        "input",
        "output",
        "compensate",
        "irreversible",
        "idempotent",
        "lookup",
        "amount",
        "sources",
        "timeout",
        "retry",
        "replan_on",
        "codes",
    )
    lookup = part.text("lookup") if "lookup" in part.content else ""
    return Action(
        name=name,
        agent=agent,
        description=part.text("description"),
        effect=_effect(part),
        input_schema=_schema(part, "input"),
        output_schema=_schema(part, "output"),
        timeout_ms=part.duration("timeout", _DEFAULT_TIMEOUT_MS, ACTION_TIMEOUT_MAX_MS),
        retry=_retry(part.part("retry")),
        compensate=_compensation(part.part("compensate")),
        irreversible=part.flag("irreversible", default=False),
        idempotent=part.flag("idempotent", default=True),
        lookup=ActionName(lookup) if lookup else None,
        amount=_binding(part, "amount") if "amount" in part.content else None,
        sources=_sources(part.part("sources")),
        replan_on=_codes(part, "replan_on"),
        codes=_codes(part, "codes"),
    )


def _codes(part: _Part, name: str) -> tuple[str, ...] | None:
    """Return a list of failure codes, which may be empty; None where there is none."""
    if name not in part.content:
        return None
    value = part.content[name]
    if isinstance(value, list) and all(isinstance(one, str) and _CODE.match(one) for one in value):
        return tuple(value)
    part.fault("BAD_TYPE", "must be a list of failure codes in capitals, such as [SOLD_OUT]; [] for none", name)
    return None


def _sources(part: _Part | None) -> dict[str, tuple[str, ...]]:
    """Return the allowed sources by field: a text, or a list of at least one."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in part.content.items() if part is not None else ():
        several = [value] if isinstance(value, str) else value
        if isinstance(several, list) and several and all(isinstance(one, str) and one.strip() for one in several):
            found[name] = tuple(str(one).strip() for one in several)
        elif part is not None:
            part.fault("BAD_TYPE", "must be a source, or a list of them: user, const, agent.action.output.path", name)
    return found


def _effect(part: _Part) -> Effect:
    value = part.text("effect")
    try:
        return Effect(value)
    except ValueError:
        if value:
            part.fault("BAD_VALUE", f"{value!r} is no effect; there is read, reserve and commit", "effect")
        return Effect.READ


def _schema(part: _Part, name: str) -> JsonObject:
    schema = part.needed(name)
    return schema.content if schema is not None else {"type": "object"}


def _retry(part: _Part | None) -> RetryPolicy:
    if part is None:
        return _DEFAULT_RETRY
    part.only("attempts", "first", "max")
    policy = RetryPolicy(
        attempts=part.number("attempts", _DEFAULT_RETRY.attempts, 1, ATTEMPTS_MAX),
        first_ms=part.duration("first", _DEFAULT_RETRY.first_ms, _BACKOFF_MAX_MS),
        max_ms=part.duration("max", _DEFAULT_RETRY.max_ms, _BACKOFF_MAX_MS),
    )
    if policy.first_ms > policy.max_ms:
        part.fault("BAD_VALUE", "the first wait is longer than the longest (`max`)", "first")
    return policy


def _compensation(part: _Part | None) -> Compensation | None:
    if part is None:
        return None
    part.only("action", "input")
    action = ActionName(part.text("action"))
    fields = part.part("input")
    return Compensation(action, {name: _binding(fields, name) for name in fields.content} if fields is not None else {})


def _binding(part: _Part, name: str) -> Binding:
    """Return where a value comes from: ``{from: expression}`` or ``{const: value}``."""
    value: Json = part.content.get(name)
    if isinstance(value, dict) and list(value) == ["const"]:
        return Binding(constant=value["const"])
    if isinstance(value, dict) and list(value) == ["from"]:
        expression = value["from"]
        if isinstance(expression, str) and expression.strip():
            return Binding(expression.strip())
    part.fault("BAD_TYPE", "must be {from: expression} or {const: value}", name)
    return Binding()
