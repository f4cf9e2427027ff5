"""Templates: the skeleton of a plan that completed, and whether it is a plan for another request of the same shape.

A skeleton is made of the catalogue's words and of paths of the request, and of nothing else: ids are derived from
actions; what a plan took from the request is read from there by path; a constant stays only where the catalogue itself
lists it. A plan with anything else in it (a value that somebody read out of a text, or worked out) has no skeleton.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from jada_orchestrator.domain.catalogue import Action, Binding, Catalogue
from jada_orchestrator.domain.documents import Json, JsonObject
from jada_orchestrator.domain.house import action_named
from jada_orchestrator.domain.ids import ActionName, TaskId
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.plan import Plan, PlannedTask
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.template import Template
from jada_orchestrator.planning.compiler import Adopted, compile_proposal
from jada_orchestrator.planning.provenance import origins
from jada_orchestrator.planning.references import REQUEST_ROOT, Node, ReferenceFault, parse, rename_roots
from jada_orchestrator.planning.shape import key_of, nodes_of, shape_of

_REQUEST: Final = REQUEST_ROOT


class _NoSkeletonError(Exception):
    """A plan holds something that no template may hold. Raised and caught in here; nobody does anything."""


def template_of(plan: Plan, request: BookingRequest, catalogue: Catalogue, now: UtcMs) -> Template | None:
    """Return the template of a plan that completed for this request; None where there can be none. Never raises.

    The skeleton was compiled for this very request without a fault.
    """
    shape = shape_of(request)
    if shape is None or plan.catalogue_version != catalogue.version:
        return None
    try:
        proposal, reads = _Skeleton(plan, request, catalogue).made()
    except (_NoSkeletonError, ReferenceFault):
        return None
    text = json.dumps(proposal)
    if not isinstance(compile_proposal(text, catalogue, request), Adopted):
        return None
    key = key_of(catalogue.version, request, shape, reads)
    return Template(key, catalogue.version, shape, reads, text, now)


def fitting(templates: Iterable[Template], request: BookingRequest, catalogue: Catalogue) -> Template | None:
    """Return the template that is for a request and compiles for it without a fault; pinned ones first."""
    shape = shape_of(request)
    if shape is None:
        return None
    of_shape = [each for each in templates if each.catalogue_version == catalogue.version and each.shape == shape]
    for template in sorted(of_shape, key=lambda each: (not each.pinned, -each.learnt_at)):
        if key_of(catalogue.version, request, shape, template.reads) != template.key:
            continue
        if isinstance(compile_proposal(template.proposal, catalogue, request), Adopted):
            return template
    return None


class _Skeleton:
    """Makes the skeleton of one plan."""

    def __init__(self, plan: Plan, request: BookingRequest, catalogue: Catalogue) -> None:
        self._plan = plan
        self._catalogue = catalogue
        self._nodes = list(nodes_of(request))
        self._names = _names_for(plan.tasks)
        self._reads: set[str] = set()
        self._words = _words_of(catalogue)

    def made(self) -> tuple[JsonObject, tuple[str, ...]]:
        """Return the proposal and the paths that it reads. Raises: _NoSkeletonError, ReferenceFault."""
        tasks = [self._task(task) for task in self._plan.tasks]
        lines = [self._line(place, *line) for place, line in enumerate(self._plan.result.items(), start=1)]
        proposal = {"outcome": "plan", "reason": "", "questions": [], "tasks": tasks, "result": lines}
        return proposal, tuple(sorted(self._reads))

    def _task(self, task: PlannedTask) -> JsonObject:
        plain = PlannedTask(task.id, task.action, task.bindings, task.after, task.needs, task.optional, task.revision)
        if task != plain:
            raise _NoSkeletonError(f"{task.id} has a condition, a list or a stand-in")
        action = action_named(self._catalogue, task.action)
        if action is None:
            raise _NoSkeletonError(f"{task.action} is no action of the catalogue")
        return {
            "id": self._names[task.id],
            "action": task.action,
            "after": [self._names[before] for before in task.after if before not in task.needs],
            "optional": task.optional,
            "args": [self._argument(name, binding, action) for name, binding in task.bindings.items()],
        }

    def _argument(self, name: str, binding: Binding, action: Action) -> JsonObject:
        if binding.expression:
            return {"name": name, "kind": "ref", "value": self._reference(binding.expression)}
        path = self._path(name, binding.constant)
        if path is not None:
            self._reads.add(path)
            return {"name": name, "kind": "ref", "value": f"{_REQUEST}.{path}"}
        if not _is_listed(action, name, binding.constant):
            raise _NoSkeletonError(f"{action.name}.{name} has a value that neither request nor catalogue gives")
        constant = binding.constant
        return {"name": name, "kind": "const", "value": constant if isinstance(constant, str) else json.dumps(constant)}

    def _path(self, name: str, value: Json) -> str | None:
        """Return where the request gives a value: under the argument's own name, or in one place only."""
        places = [path for path, found in self._nodes if _is_same(found, value)]
        named = [path for path in places if path.rpartition(".")[2] == name]
        if isinstance(value, bool) or value is None or value in ("", [], {}):
            places = named  # too common to be known by themselves
        found = named or places
        return found[0] if len(found) == 1 else None

    def _reference(self, expression: str) -> str:
        if _has_literal(parse(expression).tree):
            raise _NoSkeletonError("a reference with a value of its own in it")
        for origin in origins(expression):
            if origin.root == _REQUEST:
                if not origin.path:
                    raise _NoSkeletonError("a reference to the whole request")
                self._reads.add(".".join(origin.path))
        return rename_roots(expression, self._names)  # type: ignore[arg-type] # ids are texts

    def _line(self, place: int, name: str, binding: Binding) -> JsonObject:
        known = all(part in self._words or part.isdigit() for part in name.split("_"))
        return {"name": name if known else f"value_{place}", "value": self._reference(binding.expression)}


def _names_for(tasks: Sequence[PlannedTask]) -> dict[TaskId, TaskId]:
    """Return an id for each task that tells its action and nothing else: the model's own may name a city."""
    counted: Counter[ActionName] = Counter()
    names: dict[TaskId, TaskId] = {}
    for task in tasks:
        counted[task.action] += 1
        word = task.action.replace(".", "_").replace("-", "_")
        names[task.id] = TaskId(f"{word[:56]}_{counted[task.action]}")
    return names


def _words_of(catalogue: Catalogue) -> frozenset[str]:
    """Return every word that the catalogue's actions and the fields of their inputs and outputs are called by."""
    words: set[str] = set()
    for action in catalogue.actions.values():
        words.update(action.name.replace(".", "_").split("_"))
        words.update(word.rstrip("s") for word in action.name.replace(".", "_").split("_"))
        for schema in (action.input_schema, action.output_schema):
            for name in schema.get("properties", {}):
                words.update(str(name).split("_"))
    return frozenset(words)


def _is_listed(action: Action, name: str, value: Json) -> bool:
    """Tell whether the catalogue itself lists a value: as one of few, or because there are two only."""
    schema = action.input_schema.get("properties", {}).get(name)
    if not isinstance(schema, dict):
        return False
    if isinstance(value, bool):
        return schema.get("type") == "boolean"
    return ("const" in schema and _is_same(schema["const"], value)) or any(
        _is_same(each, value) for each in schema.get("enum", ())
    )


def _is_same(one: Json, other: Json) -> bool:
    return type(one) is type(other) and one == other


def _has_literal(node: Node) -> bool:
    return node["type"] == "literal" or any(
        _has_literal(child) for child in node["children"] if isinstance(child, dict)
    )
