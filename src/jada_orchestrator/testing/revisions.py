"""A revision for any plan over `testing.catalogues.travel_catalogue`: what failed in another way, the rest as it was.

Where an action can be asked another way (other guests, another day), the task that failed is; where it cannot, what it
reads is done anew. Everything that depends on that is done anew, too, so that what was executed is given up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from jada_orchestrator.domain.catalogue import Binding
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.plan import PlannedTask
from jada_orchestrator.domain.revision import Past, PastTask
from jada_orchestrator.planning.references import rename_roots, roots
from jada_orchestrator.testing.catalogues import proposal

_ANOTHER: Final[Mapping[str, str]] = {
    "trips.search": "guests",
    "rooms.hold": "guests",
    "seats.hold": "guests",
    "checks.request": "day",
}
"""By action, the argument that makes it another one."""


def revision_of(past: Past) -> JsonObject:
    """Return a proposal that gets round what failed, or a refusal where nothing can be done in another way."""
    tasks = _of_use(past)
    failed = sorted(past.failed)
    varied: set[str] = set()
    lost: set[str] = set()
    for name in failed:
        found = _what_to_vary(name, tasks)
        if not found:
            return proposal(outcome="refuse", reason="There is no other way.")
        varied |= found
        lost |= {name, *found}
    lost |= {name for name, task in tasks.items() if task.state == "given_up"}
    gone = {name for name, task in tasks.items() if task.state in {"failed", "skipped", "unknown"}} - lost
    anew = _dependents(lost, gone, tasks)
    taken = {str(task.planned.id) for task in past.tasks}
    names = {name: _free_name(name, taken) for name in anew if tasks[name].state != "not_started"}
    written = [
        _anew(task, names, gone, tasks, is_varied=name in varied) if name in anew else _kept(task)
        for name, task in tasks.items()
        if name not in gone
    ]
    return proposal(*written)


def _of_use(past: Past) -> dict[str, PastTask]:
    """Return the tasks of the plan: of those given up, the ones without which others could not be called."""
    wanted: set[str] = set()
    for task in reversed(past.tasks):
        if task.state != "given_up" or task.planned.id in wanted:
            wanted |= {task.planned.id, *(task.planned.needs if task.state in {"not_started", "given_up"} else ())}
    return {str(task.planned.id): task for task in past.tasks if task.planned.id in wanted}


def _what_to_vary(name: str, tasks: Mapping[str, PastTask]) -> set[str]:
    """Return the tasks to be asked another way so that this one may succeed; empty where there are none."""
    planned = tasks[name].planned
    if planned.action in _ANOTHER:
        return {name}
    return set().union(*(_what_to_vary(needed, tasks) for needed in planned.needs if needed in tasks))


def _dependents(lost: set[str], gone: set[str], tasks: Mapping[str, PastTask]) -> set[str]:
    anew = lost | {name for name, task in tasks.items() if task.state == "not_started"}
    while True:
        more = {name for name, task in tasks.items() if set(task.planned.needs) & anew} - anew - gone
        if not more:
            return anew
        anew |= more


def _free_name(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _kept(task: PastTask) -> JsonObject:
    return {
        "id": task.planned.id,
        "action": task.planned.action,
        "after": [],
        "optional": task.planned.optional,
        "control": [],
        "args": [],
    }


def _anew(
    task: PastTask, names: Mapping[str, str], gone: set[str], tasks: Mapping[str, PastTask], *, is_varied: bool
) -> JsonObject:
    planned = task.planned
    args = [
        _argument(name, binding, names)
        for name, binding in planned.bindings.items()
        if not (binding.expression and roots(binding.expression) & gone)
    ]
    if is_varied:
        field = _ANOTHER[planned.action]
        args = [arg for arg in args if arg["name"] != field]
        args.append({"name": field, "kind": "const", "value": _other(field, planned)})
    after = [names.get(name, name) for name in planned.after if name not in planned.needs and name in tasks]
    return {
        "id": names.get(planned.id, planned.id),
        "action": planned.action,
        "after": [name for name in after if name not in gone],
        "optional": planned.optional,
        "control": _control(planned, names),
        "args": args,
    }


def _control(planned: PlannedTask, names: Mapping[str, str]) -> list[JsonObject]:
    said = {"when": planned.when, "for_each": planned.for_each}
    gates = [{"kind": kind, "value": _renamed(value, names)} for kind, value in said.items() if value]
    if planned.instead_of is not None:
        gates.append({"kind": "instead_of", "value": names.get(planned.instead_of, planned.instead_of)})
    return [*gates, *({"kind": "on_code", "value": code} for code in planned.on_codes)]


def _renamed(expression: str, names: Mapping[str, str]) -> str:
    used = {root: names[root] for root in roots(expression) if root in names}
    return rename_roots(expression, used) if used else expression


def _argument(name: str, binding: Binding, names: Mapping[str, str]) -> JsonObject:
    if binding.expression:
        return {"name": name, "kind": "ref", "value": _renamed(binding.expression, names)}
    value = binding.constant
    return {"name": name, "kind": "const", "value": value if isinstance(value, str) else json.dumps(value)}


def _other(field: str, planned: PlannedTask) -> str:
    before = planned.bindings.get(field, Binding()).constant
    if field == "day":
        return f"{before or 'day'}+1"
    return str((before if isinstance(before, int) else 1) % 9 + 1)
