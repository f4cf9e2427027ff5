"""Scores: how far one answer has the expected properties. Pure: what is judged is the compiled plan, not its words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import combinations
from typing import Literal

from jada_orchestrator.domain.documents import Json
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.planning.inputs import request_document
from jada_orchestrator.planning.provenance import is_allowed, sources_of
from jada_orchestrator.planning.references import REQUEST_ROOT, evaluate, roots
from jada_orchestrator.service.exam.expecting import Edge, Expectation, Question
from jada_orchestrator.service.exam.graphs import closure, depth, f1, projected, reduction, width

Ended = Literal["plan", "clarify", "refuse", "faulted", "failed"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of asking once: the plan as it was adopted, or what was said instead.

    `kinds` has the kind (user, const, ref) of each argument by task and field, which a plan no longer knows.
    `corrections` counts the answers that were sent back; `failure` says why there is no answer at all.
    """

    ended: Ended
    plan: Plan | None = None
    kinds: Mapping[tuple[str, str], str] | None = None
    questions: tuple[str, ...] = ()
    reason: str = ""
    corrections: int = 0
    faults: tuple[tuple[str, ...], ...] = ()
    """The codes of the faults in each answer that was sent back, and in the last one where it has some."""
    usage: Usage = field(default_factory=Usage)
    latency_ms: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """How good an answer is; each number from 0 to 1, None where it does not apply."""

    outcome: bool
    """The outcome was one of those expected."""
    actions: float | None
    """F1 of the actions, with their counts."""
    edges: float | None
    """F1 of the order among the expected actions, both sides transitively reduced."""
    path_ratio: float | None
    """The plan's longest path over the expected one; 1 is best, above it the plan waits needlessly. Not up to 1."""
    provenance: float | None
    """Share of the expected sources and values that hold."""
    valid_after: int | None
    """How many corrections it took to be free of faults; None: it never was."""
    broken: tuple[str, ...] = ()
    """Forbidden actions that were proposed, and bounds that were not kept."""

    @property
    def is_perfect(self) -> bool:
        """Whether nothing is wanting."""
        wanting = [value for value in (self.actions, self.edges, self.provenance) if value is not None and value < 1]
        return self.outcome and not wanting and not self.broken


def score(question: Question, answer: Answer) -> Score:
    """Return the score of one answer."""
    wanted = question.expected
    is_right = answer.ended in wanted.outcomes
    valid = answer.corrections if answer.ended not in {"faulted", "failed"} else None
    broken = [*_bounds(wanted, answer)]
    if answer.plan is None:
        # A plan was owed: nothing of it is there. Where it was not, plans' scores do not apply.
        nothing = None if is_right or "plan" not in wanted.outcomes else 0.0
        if is_right and answer.ended == "clarify":
            broken += _unasked(wanted, answer)
        sources = wanted.sources or wanted.values
        return Score(is_right, nothing, _if(nothing, wanted.edges), None, _if(nothing, sources), valid, tuple(broken))
    broken += _forbidden(wanted.must_not, answer.plan)
    if "plan" not in wanted.outcomes:
        return Score(is_right, None, None, None, None, valid, tuple(broken))
    return Score(
        outcome=is_right,
        actions=_actions(wanted, answer.plan),
        edges=_edges(wanted, answer.plan),
        path_ratio=None if wanted.path is None else depth(_after(answer.plan)) / wanted.path,
        provenance=_provenance(question, answer),
        valid_after=valid,
        broken=tuple(broken),
    )


def _if(value: float | None, wanted: object) -> float | None:
    return value if wanted else None


def _after(plan: Plan) -> dict[str, tuple[str, ...]]:
    return {task.id: tuple(task.after) for task in plan.tasks}


def matches(action: str, patterns: Iterable[str]) -> bool:
    """Tell whether an action is one of these, where ``agent.*`` stands for all of an agent's, ``*.verb`` for a verb."""
    return any(fnmatchcase(action, one) for one in patterns)


def _actions(wanted: Expectation, plan: Plan) -> float:
    there = Counter(str(task.action) for task in plan.tasks)
    right = sum(min(count, there[action]) for action, count in wanted.must.items())
    surplus = sum(
        max(0, count - wanted.must.get(action, 0))
        for action, count in there.items()
        if not matches(action, wanted.may) or matches(action, wanted.must_not)
    )
    return f1(right, right + surplus, sum(wanted.must.values()))


def _edges(wanted: Expectation, plan: Plan) -> float | None:
    """Compare orders: an order of the plan is right if it follows from what is expected or allowed, and the reverse.

    Only actions that the expected edges speak of are looked at. Of a wanted pair, every task of the second must come
    after some task of the first.
    """
    if not wanted.edges:
        return None
    spoken_of = {name for edge in wanted.edges for name in edge}
    names = {str(task.id): str(task.action) for task in plan.tasks if task.action in spoken_of}
    written = [(str(first), str(task.id)) for task in plan.tasks for first in task.after]
    allowed = closure([*wanted.edges, *wanted.edges_may])
    given = projected(written, names)
    needed = reduction(wanted.edges)
    before = _before(written, names)
    precise = sum(edge in allowed for edge in given)
    recalled = sum(_holds(edge, names, before) for edge in needed)
    precision = precise / len(given) if given else 1.0
    recall = recalled / len(needed)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _before(written: Sequence[Edge], names: Mapping[str, str]) -> dict[str, set[str]]:
    """Return the actions that come before each task."""
    found: dict[str, set[str]] = {}
    for first, second in closure(written):
        if first in names:
            found.setdefault(second, set()).add(names[first])
    return found


def _holds(edge: Edge, names: Mapping[str, str], before: Mapping[str, set[str]]) -> bool:
    seconds = [task for task, action in names.items() if action == edge[1]]
    return bool(seconds) and all(edge[0] in before.get(task, ()) for task in seconds)


def _provenance(question: Question, answer: Answer) -> float | None:
    """Return the share of expected sources and values that hold, over all tasks that they speak of."""
    wanted, plan = question.expected, answer.plan
    assert plan is not None, "only plans have arguments"
    checks = [*_sources(wanted, answer, plan), *_values(question, plan)]
    return sum(checks) / len(checks) if checks else None


def _sources(wanted: Expectation, answer: Answer, plan: Plan) -> Iterable[bool]:
    actions = {str(task.id): str(task.action) for task in plan.tasks}
    kinds = answer.kinds or {}
    for spot, allowed in wanted.sources.items():
        action, _, name = spot.rpartition(".")
        for task in plan.tasks:
            if task.action != action or name not in task.bindings:
                continue
            kind = kinds.get((str(task.id), name), "const")
            found = sources_of(kind, task.bindings[name].expression, actions)
            yield all(is_allowed(one, allowed) for one in found)


def _values(question: Question, plan: Plan) -> Iterable[bool]:
    """Match each wanted call with the task of its action that fits it best, none twice."""
    document = {REQUEST_ROOT: request_document(question.request)}
    free = list(plan.tasks)
    for action, fields in question.expected.values:
        known = [(task, _known_of(task, document)) for task in free if task.action == action]
        if not known:
            yield from (False for _ in fields)
            continue
        task, best = max(known, key=lambda pair: sum(pair[1].get(name) == value for name, value in fields.items()))
        free.remove(task)
        yield from (best.get(name) == value for name, value in fields.items())


def _known_of(task: PlannedTask, document: dict[str, Json]) -> dict[str, Json]:
    """Return a task's arguments as far as they are known before anything runs; None where they are not."""
    return {
        name: binding.constant
        if not binding.expression
        else evaluate(binding.expression, document)
        if roots(binding.expression) == {REQUEST_ROOT}
        else None
        for name, binding in task.bindings.items()
    }


def _forbidden(must_not: Iterable[str], plan: Plan) -> Iterable[str]:
    proposed = {str(task.action) for task in plan.tasks if matches(str(task.action), must_not)}
    return [f"proposed {action}" for action in sorted(proposed)]


def _unasked(wanted: Expectation, answer: Answer) -> Iterable[str]:
    asked = " ".join(answer.questions).lower()
    for words in wanted.asks_about:
        if not any(word.lower() in asked for word in words):
            yield f"did not ask about {'/'.join(words)}"


def _bounds(wanted: Expectation, answer: Answer) -> Iterable[str]:
    usd = answer.usage.usd
    if wanted.usd_max is not None and usd is not None and type(wanted.usd_max)(usd) > wanted.usd_max:
        yield f"cost {usd} USD, above {wanted.usd_max}"
    if answer.plan is None:
        return
    tasks, wide = len(answer.plan.tasks), width(_after(answer.plan))
    if wanted.tasks_max is not None and tasks > wanted.tasks_max:
        yield f"{tasks} tasks, above {wanted.tasks_max}"
    if wanted.width_min is not None and wide < wanted.width_min:
        yield f"at most {wide} tasks side by side, below {wanted.width_min}"
    if wanted.width_max is not None and wide > wanted.width_max:
        yield f"{wide} tasks side by side, above {wanted.width_max}"


def consistency(answers: Sequence[Answer]) -> float | None:
    """Return how alike repeated answers to one question are, from 0 to 1: the mean over all pairs.

    Answers of different outcomes have nothing in common; two plans have the mean of F1 of actions and of edges.
    """
    pairs = list(combinations(answers, 2))
    return sum(_alike(*pair) for pair in pairs) / len(pairs) if pairs else None


def _alike(one: Answer, other: Answer) -> float:
    if one.ended != other.ended or one.ended == "failed":
        return 0.0
    if one.plan is None or other.plan is None:
        return 1.0
    tasks = [Counter(str(task.action) for task in answer.tasks) for answer in (one.plan, other.plan)]
    orders = [_order(one.plan), _order(other.plan)]
    shared = sum((tasks[0] & tasks[1]).values())
    actions = f1(shared, sum(tasks[0].values()), sum(tasks[1].values()))
    return (actions + f1(len(orders[0] & orders[1]), len(orders[0]), len(orders[1]))) / 2


def _order(plan: Plan) -> frozenset[Edge]:
    names = {str(task.id): str(task.action) for task in plan.tasks}
    return projected([(str(first), str(task.id)) for task in plan.tasks for first in task.after], names)
