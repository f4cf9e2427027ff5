"""The proposal: what a model wrote, read without believing a word of it.

``{"outcome": "plan"|"clarify"|"refuse", "reason", "questions": [text], "tasks": [task], "result": [{"name", "value":
reference}]}``, and a task is ``{"id", "action", "after": [id], "optional", "control": [{"kind": "when"|"for_each"|
"instead_of"|"on_code", "value": text}], "args": [{"name", "kind": "user"|"const"|"ref", "value": text}]}``. What is not
there is empty. Whoever writes a plan by hand may put ``when``, ``for_each``, ``instead_of`` and ``on_codes`` (a list)
into the task itself; a model is not offered them, because it would have to write each of them in every task.
Reading settles the shape only; whether it makes sense is the compiler's business.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Final, Literal, TypeAlias, TypeVar

from msgspec import Struct

from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.limits import (
    CONSTANT_NESTING_MAX,
    ERROR_CODES_MAX,
    PLAN_FAULTS_MAX,
    PLAN_NOTES_MAX,
    PROPOSAL_BYTES_MAX,
    QUESTIONS_MAX,
    TASK_ARGUMENTS_MAX,
)

Outcome: TypeAlias = Literal["plan", "clarify", "refuse"]
ArgumentKind: TypeAlias = Literal["user", "const", "ref"]

_OUTCOMES: Final = ("plan", "clarify", "refuse")
_KINDS: Final = ("user", "const", "ref")
_WHOLE: Final = dict.fromkeys(("outcome", "reason", "questions", "tasks", "result"))
_TASK: Final = dict.fromkeys(
    ("id", "action", "after", "optional", "control", "args", "when", "for_each", "instead_of", "on_codes")
)
_OFFERED: Final = ("id", "action", "after", "optional", "control", "args")
_offered_of: Final = itemgetter(*_OFFERED)
_DECIDER: Final = dict.fromkeys(("kind", "value"))
_ARGUMENT: Final = dict.fromkeys(("name", "kind", "value"))
_LINE: Final = dict.fromkeys(("name", "value"))
"""The keys of each object, in the order in which they are told of."""
_DECIDERS: Final = ("when", "for_each", "instead_of", "on_code")
_FENCE: Final = re.compile(r"\A```[A-Za-z]*\s*\n(.*?)\n?```\Z", re.DOTALL)
_HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_INTEGER_MAX: Final = 2**63 - 1
"""Whole numbers beyond 64 bits do not survive every JSON reader on the way to an agent."""
_INTEGER_DIGITS_MAX: Final = 20
"""Nineteen digits and a sign: with more, it is not even read."""
_Item = TypeVar("_Item")
_Where: TypeAlias = "tuple[_Where, str | int] | None"
"""A place in a document: a key or an index below another place. Put into words only where a fault is told of it."""


class Argument(Struct, frozen=True, gc=False):
    """One argument: `value` is text, typed later by the action's input schema, or a reference."""

    name: str
    kind: ArgumentKind
    value: str


class ProposedTask(Struct, frozen=True, gc=False):
    """One proposed call. `id`, `action` and `after` are in lower case; `written_id` is as the model had it."""

    id: str
    written_id: str
    action: str
    after: tuple[str, ...]
    optional: bool
    arguments: tuple[Argument, ...]
    when: str = ""
    """A condition; empty where the task is wanted in any case."""
    for_each: str = ""
    """A reference to a list; empty where the task is called once."""
    instead_of: str = ""
    """The id, in lower case, of the task that it stands in for; empty where there is none."""
    on_codes: tuple[str, ...] = ()
    """The error codes of that one on which it does."""


@dataclass(frozen=True, slots=True)
class ResultField:
    """One line of the result: a name and a reference."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal of the right shape; `notes` say what was normalised while reading."""

    outcome: Outcome
    reason: str
    questions: tuple[str, ...]
    tasks: tuple[ProposedTask, ...]
    result: tuple[ResultField, ...]
    notes: tuple[str, ...]


def parse_proposal(text: str) -> Proposal | tuple[Fault, ...]:
    """Return the proposal that a text holds, or all faults of its shape. Never raises."""
    document = _document(text)
    if isinstance(document, Fault):
        return (document,)
    reader = _Reader()
    proposal = reader.proposal(document)
    if not reader.faults:
        return proposal
    # What is of the right shape is nested no deeper than that; of what is not, this is told before all else.
    fault = _too_deep(document)
    return (fault,) if fault is not None else tuple(reader.faults)


def read_json(text: str) -> Json:
    """Return the JSON value of a text that somebody else wrote.

    Raises: ValueError: it is no JSON, holds a number or character that is none, a key twice, or is nested too deep.
    """
    value = _decoded(text)
    _demand_shallow(value)
    return value


def _decoded(text: str) -> Json:
    """Return the JSON value of a text like `read_json`, but for the nesting of what has plain characters only."""
    try:
        value = _JSON.decode(text)
    except RecursionError as error:
        raise ValueError(_TOO_DEEP) from error
    # Half a character is written as such or escaped; a text that has neither need not be searched value by value.
    if "\\u" in text or not text.isascii():
        _demand_plain(value)
    return value


def _document(text: str) -> JsonObject | Fault:
    """Return the JSON object in a text, with a surrounding code fence taken off."""
    if len(text) > PROPOSAL_BYTES_MAX or len(text.encode("utf-8", "surrogatepass")) > PROPOSAL_BYTES_MAX:
        return Fault("TOO_LARGE", "", f"a proposal has at most {PROPOSAL_BYTES_MAX} bytes; this one is larger")
    stripped = text.strip()
    fenced = _FENCE.match(stripped)
    try:
        document = _decoded(fenced.group(1) if fenced else stripped)
    except ValueError as error:
        return _no_json(error)
    if not isinstance(document, dict):
        return _too_deep(document) or Fault(
            "NOT_JSON", "", f"the answer must be a JSON object, not {_kind_of(document)}"
        )
    return document


def _too_deep(document: Json) -> Fault | None:
    try:
        _demand_shallow(document)
    except ValueError as error:
        return _no_json(error)
    return None


def _no_json(why: ValueError) -> Fault:
    return Fault("NOT_JSON", "", f"the answer must be one JSON object and nothing else: {why}")


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"the key {twice[:80]!r} occurs twice in one object")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError("a number is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > _INTEGER_DIGITS_MAX or abs(value := int(digits)) > _INTEGER_MAX:
        raise ValueError("a whole number has more than 64 bits")
    return value


def _demand_shallow(value: Json) -> None:
    """Refuse what is nested too deep for other readers; goes down from container to container, which are few."""
    level = [value] if isinstance(value, _CONTAINERS) and value else []
    for _ in range(CONSTANT_NESTING_MAX):
        if not level:
            return
        level = [
            part
            for item in level
            for part in (item.values() if isinstance(item, dict) else item)
            if isinstance(part, _CONTAINERS) and part
        ]
    raise ValueError(_TOO_DEEP)


def _demand_plain(value: Json) -> None:
    """Refuse also what Python's reader takes and others do not: halves of characters, in any text on any level."""
    level = [value]
    for _ in range(CONSTANT_NESTING_MAX):
        parts = [part for item in level if isinstance(item, list) for part in item]
        parts += [part for item in level if isinstance(item, dict) for part in (*item, *item.values())]
        if any(isinstance(item, str) and not item.isascii() and _HALF_CHARACTER.search(item) for item in level):
            raise ValueError("a text holds half a character (a lone surrogate)")
        level = parts
        if not parts:
            return
    raise ValueError(_TOO_DEEP)


_JSON: Final = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_float, parse_int=_int, object_pairs_hook=_object
)
_TOO_DEEP: Final = f"nested more than {CONSTANT_NESTING_MAX} levels deep"
_CONTAINERS: Final = (list, dict)


def _as_offered(item: JsonObject) -> ProposedTask | None:
    """Return a task with all that a model is offered, nothing that decides on it, and nothing to say about it.

    Nearly all are such, and can be read in one go; None for any other.
    """
    try:
        task_id, action, after, optional, control, args = _offered_of(item)
    except KeyError:
        return None
    if len(item) > len(_OFFERED) or control != []:
        return None
    if not (isinstance(task_id, str) and isinstance(action, str) and isinstance(optional, bool)):
        return None
    if not (isinstance(after, list) and isinstance(args, list) and len(args) <= TASK_ARGUMENTS_MAX):
        return None
    arguments: list[Argument] = []
    for each in args:
        if not isinstance(each, dict) or len(each) != len(_ARGUMENT):
            return None
        name, kind, value = each.get("name"), each.get("kind"), each.get("value")
        if kind not in _KINDS or not isinstance(name, str) or not isinstance(value, str):
            return None
        arguments.append(Argument(name, kind, value))
    for written in (task_id, action, *after):
        if not isinstance(written, str) or written.strip().lower() != written:
            return None
    return ProposedTask(task_id, task_id, action, tuple(after), optional, tuple(arguments))


class _Reader:
    """Reads a document into a `Proposal`, going on past every fault so that all are told at once."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.notes: list[str] = []

    def proposal(self, document: JsonObject) -> Proposal:
        self._only(document, None, _WHOLE)
        outcome = self._choice(document, None, "outcome", _OUTCOMES)
        tasks = self._each(document, None, "tasks", self._task)
        questions = self._each(document, None, "questions", self._question)
        if len(questions) > QUESTIONS_MAX:
            self._fault((None, "questions"), f"at most {QUESTIONS_MAX} questions at once; there are {len(questions)}")
        return Proposal(
            outcome=outcome,  # type: ignore[arg-type] # one of _OUTCOMES, or faulted
            reason=self._text(document, None, "reason", default=""),
            questions=tuple(questions),
            tasks=tuple(tasks),
            result=tuple(self._each(document, None, "result", self._result)),
            notes=tuple(self.notes),
        )

    def _task(self, item: Json, where: _Where) -> ProposedTask:
        if not isinstance(item, dict):
            self._fault(where, f"a task is an object, not {_kind_of(item)}")
            return ProposedTask("", "", "", (), optional=False, arguments=())
        as_offered = _as_offered(item)
        if as_offered is not None:
            return as_offered
        self._only(item, where, _TASK)
        written = self._text(item, where, "id")
        action = self._text(item, where, "action")
        control = self._control(item, where)
        arguments = self._each(item, where, "args", self._argument)
        if len(arguments) > TASK_ARGUMENTS_MAX:
            self._fault((where, "args"), f"a task has at most {TASK_ARGUMENTS_MAX} arguments; it has {len(arguments)}")
        optional = item.get("optional", False)
        if not isinstance(optional, bool):
            self._fault((where, "optional"), f"must be true or false, not {_kind_of(optional)}")
        return ProposedTask(
            self._lowered(written, "task id"),
            written,
            self._lowered(action, "action"),
            tuple([self._lowered(name, "task id") for name in self._each(item, where, "after", self._name)]),
            optional is True,
            tuple(arguments),
            when=self._said(item, where, "when", control),
            for_each=self._said(item, where, "for_each", control),
            instead_of=self._lowered(self._said(item, where, "instead_of", control), "task id"),
            on_codes=self._codes(item, where, control.get("on_code", [])),
        )

    def _control(self, item: JsonObject, where: _Where) -> dict[str, list[str]]:
        """Return what decides on a task, by kind."""
        found: dict[str, list[str]] = {}
        for kind, value in self._each(item, where, "control", self._decider):
            found.setdefault(kind, []).append(value)
        return found

    def _decider(self, item: Json, where: _Where) -> tuple[str, str]:
        if not isinstance(item, dict):
            self._fault(where, f'an entry of `control` is {{"kind", "value"}}, not {_kind_of(item)}')
            return "", ""
        self._only(item, where, _DECIDER)
        return self._choice(item, where, "kind", _DECIDERS), self._text(item, where, "value").strip()

    def _said(self, item: JsonObject, where: _Where, kind: str, control: dict[str, list[str]]) -> str:
        """Return what a task says once, in either of the two places."""
        if not control and kind not in item:
            return ""
        said = [*control.get(kind, []), *([self._text(item, where, kind).strip()] if kind in item else [])]
        if len(said) > 1:
            self._fault((where, kind), "is there twice; give it once")
        return said[0] if said else ""

    def _codes(self, item: JsonObject, where: _Where, named: list[str]) -> tuple[str, ...]:
        if not named and "on_codes" not in item:
            return ()
        written = self._each(item, where, "on_codes", self._name)
        codes = tuple(dict.fromkeys(code.strip() for code in (*named, *written)))
        if len(codes) > ERROR_CODES_MAX:
            self._fault((where, "on_codes"), f"at most {ERROR_CODES_MAX} codes; there are {len(codes)}")
        return codes

    def _argument(self, item: Json, where: _Where) -> Argument:
        if not isinstance(item, dict):
            self._fault(where, f'an argument is {{"name", "kind", "value"}}, not {_kind_of(item)}')
            return Argument("", "const", "")
        self._only(item, where, _ARGUMENT)
        kind = self._choice(item, where, "kind", _KINDS)
        return Argument(self._text(item, where, "name"), kind, self._text(item, where, "value"))  # type: ignore[arg-type]

    def _result(self, item: Json, where: _Where) -> ResultField:
        if not isinstance(item, dict):
            self._fault(where, f'a line of the result is {{"name", "value"}}, not {_kind_of(item)}')
            return ResultField("", "")
        self._only(item, where, _LINE)
        return ResultField(self._text(item, where, "name"), self._text(item, where, "value"))

    def _question(self, item: Json, where: _Where) -> str:
        question = self._name(item, where).strip()
        if not question and isinstance(item, str):
            self._fault(where, "an empty question")
        return question

    def _name(self, item: Json, where: _Where) -> str:
        if isinstance(item, str):
            return item
        self._fault(where, f"must be a text, not {_kind_of(item)}")
        return ""

    def _text(self, item: JsonObject, where: _Where, key: str, default: str | None = None) -> str:
        value = item.get(key, default)
        if isinstance(value, str):
            return value
        there = "is missing" if key not in item else f"must be a text, not {_kind_of(value)}"
        self._fault((where, key), there)
        return ""

    def _choice(self, item: JsonObject, where: _Where, key: str, allowed: tuple[str, ...]) -> str:
        value = self._text(item, where, key)
        lowered = value.strip().lower()
        if lowered not in allowed and isinstance(item.get(key), str):
            self._fault((where, key), f"{value[:40]!r} must be one of {', '.join(allowed)}")
        return lowered

    def _each(self, item: JsonObject, where: _Where, key: str, read: Callable[[Json, _Where], _Item]) -> list[_Item]:
        if key not in item:
            return []
        value = item[key]
        if isinstance(value, list):
            if not value:
                return []
            there = (where, key)
            return [read(part, (there, place)) for place, part in enumerate(value)]
        self._fault((where, key), f"must be a list, not {_kind_of(value)}")
        return []

    def _only(self, item: JsonObject, where: _Where, allowed: dict[str, None]) -> None:
        if item.keys() <= allowed.keys():
            return
        for key in item:
            if key not in allowed:
                self._fault((where, key[:40]), f"is not part of a proposal; there is {', '.join(allowed)}")

    def _lowered(self, name: str, what: str) -> str:
        lowered = name.strip().lower()
        if lowered != name:
            note = f"The {what} {name[:80]!r} was read as {lowered[:80]!r}."
            if len(self.notes) < PLAN_NOTES_MAX and note not in self.notes:
                self.notes.append(note)
        return lowered

    def _fault(self, where: _Where, message: str) -> None:
        if len(self.faults) < PLAN_FAULTS_MAX:
            self.faults.append(Fault("BAD_SHAPE", _told(where), message))


def _told(where: _Where) -> str:
    """Return a place as the model is told of it, such as ``tasks[0].args[2].name``."""
    if where is None:
        return ""
    above, last = _told(where[0]), where[1]
    if isinstance(last, int):
        return f"{above}[{last}]"
    return f"{above}.{last}" if above else last


def _kind_of(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case list():
            return "a list"
        case _:
            return "an object"
