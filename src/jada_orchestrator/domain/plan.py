"""A plan: the compiled, checked graph.

Everything that running it needs from the catalogue is copied into it, so that a journal can be replayed for ever
without any catalogue (schemas excepted: they are looked up by version).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from msgspec import Struct

from jada_orchestrator.domain.catalogue import Binding, Compensation, Effect, RetryPolicy, TransportKind
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.ids import ActionName, AgentName, CatalogueVersion, TaskId


@dataclass(frozen=True, slots=True)
class Terms:
    """How one action is called, as the catalogue had it when the plan was adopted."""

    action: ActionName
    agent: AgentName
    via: TransportKind
    effect: Effect
    timeout_ms: int
    retry: RetryPolicy
    idempotent: bool
    irreversible: bool
    lookup: ActionName | None
    compensate: Compensation | None
    amount: Binding | None
    replan_on: tuple[str, ...] | None = None
    """Codes of failures that another plan could get round; None: `domain.catalogue.REPLAN_CODES`."""


class PlannedTask(Struct, frozen=True, gc=False):
    """One node. `after` holds every direct predecessor; `needs`, its subset without whose outputs it cannot be called.

    Before it is called it may be decided upon: skipped because its condition does not hold, called once for each item
    of a list, or called because the task that it stands in for has failed.
    """

    id: TaskId
    action: ActionName
    bindings: dict[str, Binding]
    after: tuple[TaskId, ...] = ()
    needs: tuple[TaskId, ...] = ()
    optional: bool = False
    revision: int = 1
    """The plan revision that brought this task in; its idempotency key is derived from it."""
    when: str = ""
    """A condition over outputs and the request: the task is skipped unless it is true. Empty: there is none."""
    for_each: str = ""
    """A reference to a list, for each item of which the task is called once; its references see ``item``, ``index``."""
    instead_of: TaskId | None = None
    """The task in whose stead this one is called when it fails with one of `on_codes`; its output is read as that
    one's."""
    on_codes: tuple[str, ...] = ()
    reads: tuple[TaskId, ...] = ()
    """The subset of `after`, beside `needs`, whose outputs it takes where they are there: stand-ins of those, and what
    its references can do without."""
    calls: tuple[TaskId, ...] | None = None
    """Of a task with `for_each`: the tasks that are its calls, in the order of the items, once the list is there."""
    item: Json = None
    """Of one such call: its item, and below its place in the list."""
    index: int | None = None

    @property
    def takes(self) -> tuple[TaskId, ...]:
        """The tasks whose outputs it takes, where they are there."""
        return self.needs + self.reads

    @property
    def control(self) -> JsonObject:
        """What decides on it, for people and other programs: only what there is."""
        said: JsonObject = {"when": self.when, "for_each": self.for_each, "instead_of": self.instead_of}
        said |= {"on_codes": list(self.on_codes), "calls": self.calls and list(self.calls)}
        found = {name: value for name, value in said.items() if value}
        return found if self.index is None else {**found, "index": self.index, "item": self.item}

    @property
    def is_decided(self) -> bool:
        """Whether something has to be decided before it is called: a condition, a list, another task's failure."""
        return bool(self.when or self.for_each or self.instead_of)


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph of tasks in topological order, the terms of every action that it may call, and its result.

    `terms` covers the tasks' actions, their compensations and their lookups. `result` maps names to expressions over
    ``{task_id: output}``; a value that is not there becomes null. No task of `tasks` comes after one of `retired`.
    """

    tasks: tuple[PlannedTask, ...]
    terms: dict[ActionName, Terms]
    result: dict[str, Binding]
    catalogue_version: CatalogueVersion
    notes: tuple[str, ...] = ()
    """What the compiler normalised without asking again, a sentence each."""
    retired: tuple[PlannedTask, ...] = ()
    """What earlier revisions executed and this one gives up, in topological order: it is history, and undone."""

    @property
    def everything(self) -> tuple[PlannedTask, ...]:
        """All tasks that the workflow knows, in topological order: those of the plan, then those given up."""
        return self.tasks + self.retired

    def terms_of(self, task: PlannedTask) -> Terms:
        """Return the terms under which a task of this plan is called."""
        return self.terms[task.action]


def shared(task: PlannedTask) -> PlannedTask:
    """Return a task that is equal, the same one for all plans of a kind.

    Bookings of one kind have the same graph, and but for the first few tasks, which are told constants, the same
    references. What holds a constant is kept nowhere: it is some traveller's own. Nobody changes a planned task.
    """
    if not all(binding.expression for binding in task.bindings.values()):
        return task
    references = tuple((name, binding.expression) for name, binding in task.bindings.items())
    key = (task.id, task.action, references, task.after, task.needs, task.revision, task.when, task.for_each)
    known = _SHARED.get(key)
    if known is None or known != task:
        if len(_SHARED) >= _SHARED_MAX:
            _SHARED.clear()
        known = _SHARED[key] = task
    return known


def shared_result(result: dict[str, Binding]) -> dict[str, Binding]:
    """Return a plan's result that is equal, likewise. It holds references only; nobody changes it."""
    key = tuple((name, binding.expression) for name, binding in result.items())
    if any(not expression for _, expression in key):
        return result
    if len(_RESULTS) >= _RESULTS_MAX and key not in _RESULTS:
        _RESULTS.clear()
    return _RESULTS.setdefault(key, result)


_RESULTS_MAX: Final = 1_024
"""Half a kilobyte each."""
_RESULTS: Final[dict[tuple[tuple[str, str], ...], dict[str, Binding]]] = {}
_SHARED_MAX: Final = 4_096
"""Half a kilobyte each."""
_SHARED: Final[dict[tuple[object, ...], PlannedTask]] = {}
