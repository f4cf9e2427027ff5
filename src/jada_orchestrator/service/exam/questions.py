"""Reading an exam: a folder of YAML or JSON files with questions, checked whole before anything is asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.events import RequestArrived, RequestRefused
from jada_orchestrator.domain.ids import ActionName
from jada_orchestrator.domain.instants import UtcMs, parse_instant
from jada_orchestrator.domain.request import Message
from jada_orchestrator.service.exam.expecting import Edge, Expectation, Outcome, Question
from jada_orchestrator.service.exam.graphs import closure
from jada_orchestrator.service.exam.scoring import matches
from jada_orchestrator.service.refusals import MisconfiguredError
from jada_orchestrator.wire import requests

_SUFFIXES: Final = frozenset({".json", ".yaml", ".yml"})
_ARROW: Final = "->"


class BadExamError(MisconfiguredError):
    """An exam cannot be used as it is. Raised by `read_exam`, with every mistake; its author mends the files."""


def _counted(value: object) -> object:
    """Let a list of actions stand for one call of each, as often as it is named."""
    return dict(Counter(value)) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value


def _several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Width(_Model):
    min: int | None = None
    max: int | None = None


class _Properties(_Model):
    must: Annotated[dict[str, Annotated[int, Field(ge=1)]], BeforeValidator(_counted)] = {}
    may: list[str] = []
    must_not: list[str] = []
    edges: list[str] = []
    edges_may: list[str] = []
    sources: dict[str, Annotated[list[str], BeforeValidator(_several)]] = {}
    path: Annotated[int, Field(ge=1)] | None = None


class _Expect(_Properties):
    outcome: Annotated[list[Outcome], BeforeValidator(_several), Field(min_length=1)]
    shapes: list[str] = []
    values: list[dict[str, dict[str, Any]]] = []
    asks_about: list[Annotated[list[str], BeforeValidator(_several)]] = []
    width: _Width = _Width()
    tasks_max: int | None = None
    usd_max: Decimal | None = None


class _Question(_Model):
    id: str
    level: Annotated[int, Field(ge=1, le=9)]
    topic: str
    text: str | None = None
    booking: dict[str, Any] | None = None
    constraints: dict[str, Any] | None = None
    expect: _Expect


class _File(_Model):
    kind: Literal["jada.exam/1"] = Field("jada.exam/1", alias="schema")
    today: str = "2026-11-23"
    shapes: dict[str, _Properties] = {}
    questions: list[_Question] = []


def read_exam(folder: Path, catalogue: Catalogue) -> list[Question]:
    """Return the questions of a folder, by level, then in the order of the files.

    Raises: BadExamError, with every mistake: a file that cannot be read, a field that is none, an action or a shape
    that is not there, an id that is there twice.
    """
    mistakes: list[str] = []
    files = list(_files(folder, mistakes))
    shapes: dict[str, _Properties] = {}
    for path, file in files:
        for name, shape in file.shapes.items():
            if name in shapes:
                mistakes.append(f"{path.name}: shape {name!r} is there twice")
            shapes[name] = shape
    questions: list[Question] = []
    for path, file in files:
        for written in file.questions:
            try:
                questions.append(_question(written, file.today, shapes))
            except ValueError as error:
                mistakes.append(f"{path.name}: {written.id}: {error}")
    counts = Counter(question.question_id for question in questions)
    mistakes += [f"question {name!r} is there {count} times" for name, count in counts.items() if count > 1]
    for question in questions:
        mistakes += [f"{question.question_id}: {mistake}" for mistake in _unknown(question.expected, catalogue)]
    if not questions and not mistakes:
        mistakes.append(f"{folder} holds no questions (*.yaml, *.yml or *.json files)")
    if mistakes:
        raise BadExamError("the exam cannot be used:\n" + "\n".join(f"  {mistake}" for mistake in mistakes))
    return sorted(questions, key=lambda question: question.level)


def _files(folder: Path, mistakes: list[str]) -> Iterator[tuple[Path, _File]]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix in _SUFFIXES)
    except OSError as error:
        mistakes.append(f"{folder} cannot be read: {error.strerror}")
        return
    for path in paths:
        try:
            yield path, _File.model_validate(_read(path))
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False)
            mistakes += [f"{path.name}: {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
        except (OSError, ValueError, YAMLError) as error:
            mistakes.append(f"{path.name}: {' '.join(str(error).split())}")


def _read(path: Path) -> Json:
    text = path.read_text(encoding="utf-8")
    return _plain(json.loads(text) if path.suffix == ".json" else YAML(typ="safe", pure=True).load(text))


def _plain(value: Any) -> Json:  # noqa: ANN401 - what a YAML reader gives
    """Return a document in JSON's types: YAML reads ``2027-05-03`` as a date."""
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case datetime() | date():
            return value.isoformat()
        case _:
            plain: Json = value
            return plain


def _question(written: _Question, today: str, shapes: dict[str, _Properties]) -> Question:
    """Return a question. Raises: ValueError."""
    body = {"request_id": written.id, "text": written.text, "booking": written.booking}
    body["constraints"] = written.constraints
    given = {name: value for name, value in body.items() if value is not None}
    parsed = requests.parse(Message(json.dumps(given), {}), model="")
    if not isinstance(parsed, RequestArrived):
        assert isinstance(parsed, RequestRefused), "a body without a schema is a request"
        raise ValueError("; ".join(map(str, parsed.faults)))  # noqa: TRY004 - the question's value is wrong
    expected = _expectation(written.expect, shapes)
    noon = UtcMs(parse_instant(f"{today}T12:00:00Z"))
    return Question(written.id, written.level, written.topic, parsed.request, noon, expected)


def _expectation(expect: _Expect, shapes: dict[str, _Properties]) -> Expectation:
    unknown = [name for name in expect.shapes if name not in shapes]
    if unknown:
        raise ValueError(f"there is no shape {', '.join(unknown)}; there is {', '.join(shapes) or 'none'}")
    parts: list[_Properties] = [*(shapes[name] for name in expect.shapes), expect]
    must: Counter[str] = Counter()
    sources: dict[str, tuple[str, ...]] = {}
    for part in parts:
        must.update(part.must)
        sources |= {spot: tuple(allowed) for spot, allowed in part.sources.items()}
    paths = [part.path for part in parts if part.path is not None]
    edges = frozenset(edge for part in parts for edge in _edges(part.edges))
    return Expectation(
        outcomes=frozenset(expect.outcome),
        must=dict(must),
        may=frozenset(one for part in parts for one in part.may),
        must_not=frozenset(one for part in parts for one in part.must_not),
        # A shape speaks of what other shapes bring in; where they are not there, it speaks of nothing.
        edges=frozenset((first, second) for first, second in edges if {first, second} <= set(must)),
        edges_may=frozenset(edge for part in parts for edge in _edges(part.edges_may)),
        sources={spot: allowed for spot, allowed in sources.items() if spot.rpartition(".")[0] in must},
        values=tuple((action, fields) for one in expect.values for action, fields in one.items()),
        asks_about=tuple(tuple(words) for words in expect.asks_about),
        path=expect.path if expect.path is not None else max(paths, default=None),
        width_min=expect.width.min,
        width_max=expect.width.max,
        tasks_max=expect.tasks_max,
        usd_max=expect.usd_max,
    )


def _edges(written: Iterable[str]) -> Iterator[Edge]:
    """Yield the pairs of chains such as ``a.b -> c.d -> e.f``."""
    for chain in written:
        names = [name.strip() for name in chain.split(_ARROW)]
        if len(names) < 2 or not all(names):
            raise ValueError(f"{chain!r} is no order of actions; write agent.verb -> agent.verb")
        yield from pairwise(names)


def _unknown(expected: Expectation, catalogue: Catalogue) -> Iterator[str]:
    """Yield what speaks of actions and fields that the catalogue does not have."""
    known = [str(name) for name in catalogue.actions]
    named = {*expected.must, *(action for action, _ in expected.values)}
    named |= {name for edge in (*expected.edges, *expected.edges_may) for name in edge}
    yield from (f"the catalogue has no action {name}" for name in sorted(named - set(known)))
    if any(first == second for first, second in closure(expected.edges)):
        yield "its edges go round in a ring"
    for pattern in sorted({*expected.may, *expected.must_not}):
        if not any(matches(name, [pattern]) for name in known):
            yield f"the catalogue has no action {pattern}"
    fields = {spot.rpartition(".")[::2] for spot in expected.sources}
    fields |= {(action, name) for action, values in expected.values for name in values}
    for action, name in sorted(fields):
        found = catalogue.actions.get(ActionName(action))
        if found is not None and name not in found.input_schema.get("properties", {}):
            yield f"{action} has no input field {name}"
