"""Writing a plan down: tasks with typed arguments, fitted at the end to the catalogue that the orchestrator sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from jada_orchestrator.sandbox.model.conversation import CatalogueAction
from jada_orchestrator.sandbox.model.proposal import (
    Arg,
    ArgKind,
    ControlKind,
    Proposal,
    ProposedTask,
    ResultField,
    refuse,
)

_ROOT = re.compile(r"(?<![\w.])([a-z][a-z0-9_]*)(?=\.)")


@dataclass(frozen=True, slots=True)
class Ref:
    """A value that another task gives, as a reference expression."""

    expression: str


@dataclass(frozen=True, slots=True)
class Const:
    """A value that the plan itself sets; everything else comes from the user."""

    value: object


@dataclass(slots=True)
class Draft:
    """A plan in the making. Tasks keep their order; `droppable` ones vanish when the catalogue does not have them."""

    tasks: list[ProposedTask] = field(default_factory=list)
    results: list[ResultField] = field(default_factory=list)
    droppable: set[str] = field(default_factory=set)

    def add(
        self,
        task_id: str,
        action: str,
        *,
        after: Iterable[str] = (),
        optional: bool = False,
        droppable: bool = False,
        control: Iterable[tuple[ControlKind, str]] = (),
        **values: object,
    ) -> str:
        """Append a task and return its id; values that are None, and control that is empty, are left out."""
        args = tuple(_arg(name, value) for name, value in values.items() if value is not None)
        decided = tuple((kind, value) for kind, value in control if value)
        self.tasks.append(ProposedTask(task_id, action, args, tuple(after), optional, decided))
        if droppable or optional:
            self.droppable.add(task_id)
        return task_id

    def result(self, name: str, reference: str) -> None:
        """Name a value of the outcome."""
        self.results.append(ResultField(name, reference))

    def fitted(self, catalogue: dict[str, CatalogueAction]) -> Proposal:
        """Return the plan with actions of this catalogue only, or a refusal that names what is missing.

        Checks and enrichment that the catalogue lacks are left out, with the optional arguments that need them.
        """
        gone = {task.id for task in self.tasks if task.action not in catalogue and task.id in self.droppable}
        missing = sorted({task.action for task in self.tasks if task.action not in catalogue and task.id not in gone})
        kept: list[ProposedTask] = []
        for task in self.tasks:
            if task.id in gone or task.action not in catalogue:
                continue
            known = catalogue[task.action]
            args = tuple(arg for arg in task.args if arg.name in known.inputs and not _roots(arg) & gone)
            lost = known.required - {arg.name for arg in args}
            missing += [f"{task.action} ({name})" for name in sorted(lost)]
            kept.append(replace(task, args=args, after=tuple(name for name in task.after if name not in gone)))
        if missing:
            return refuse(
                "This scripted stand-in plans with the reference catalogue; the catalogue it was given lacks: "
                + ", ".join(missing)
            )
        results = tuple(item for item in self.results if not set(_ROOT.findall(item.value)) & gone)
        return Proposal("plan", tasks=tuple(_lean(kept)), result=results)


def _lean(tasks: list[ProposedTask]) -> Iterable[ProposedTask]:
    """Leave out order-only edges that already follow from references or from other edges."""
    behind: dict[str, set[str]] = {}
    for task in tasks:
        looked_at = (set(_ROOT.findall(f"{value}.")) for _, value in task.control)
        referred = set().union(*(_roots(arg) for arg in task.args), *looked_at) & behind.keys()
        implied = set().union(*(behind[name] for name in (*referred, *task.after)), referred)
        after = tuple(name for name in dict.fromkeys(task.after) if name not in implied)
        behind[task.id] = implied | set(after)
        yield replace(task, after=after)


def _roots(arg: Arg) -> set[str]:
    return set(_ROOT.findall(arg.value)) if arg.kind == "ref" else set()


def _arg(name: str, value: object) -> Arg:
    match value:
        case Ref(expression):
            return Arg(name, "ref", expression)
        case Const(inner):
            return Arg(name, "const", _as_text(inner))
        case _:
            kind: ArgKind = "user"
            return Arg(name, kind, _as_text(value))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
