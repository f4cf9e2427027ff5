"""A plan: the compiled, checked graph.

Everything that running it needs from the catalogue is copied into it, so that a journal can be replayed for ever
without any catalogue (schemas excepted: they are looked up by version).
"""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.catalogue import Binding, Compensation, Effect, RetryPolicy, TransportKind
from jada_orchestrator.domain.ids import ActionName, AgentName, CatalogueVersion, TaskId
from jada_orchestrator.domain.making import made_often


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


@made_often
@dataclass(frozen=True, slots=True)
class PlannedTask:
    """One node. `after` holds every direct predecessor; `needs`, its subset whose outputs the bindings read."""

    id: TaskId
    action: ActionName
    bindings: dict[str, Binding]
    after: tuple[TaskId, ...] = ()
    needs: tuple[TaskId, ...] = ()
    optional: bool = False
    revision: int = 1
    """The plan revision that brought this task in; its idempotency key is derived from it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A graph of tasks in topological order, the terms of every action that it may call, and its result.

    `terms` covers the tasks' actions, their compensations and their lookups. `result` maps names to expressions over
    ``{task_id: output}``; a value that is not there becomes null.
    """

    tasks: tuple[PlannedTask, ...]
    terms: dict[ActionName, Terms]
    result: dict[str, Binding]
    catalogue_version: CatalogueVersion
    notes: tuple[str, ...] = ()
    """What the compiler normalised without asking again, a sentence each."""

    def terms_of(self, task: PlannedTask) -> Terms:
        """Return the terms under which a task of this plan is called."""
        return self.terms[task.action]
