"""The revision of a plan that failed: the next offer instead of the one that was gone, and what depends on it anew.

What succeeded and does not depend on the lost offer is kept. There is a limit to what a stand-in can do: with nothing
else for sale, or when something was bought already that would have to be bought again, it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jada_orchestrator.sandbox.model.conversation import Executed
from jada_orchestrator.sandbox.model.proposal import Arg, Proposal, ProposedTask, ResultField, refuse

_ROOT = re.compile(r"(?<![\w.])([a-z][a-z0-9_]*)(?=\.)")
_OFFER = re.compile(r"\b([a-z][a-z0-9_]*)\.offers\[(\d+)\]")
_COMMITS = re.compile(r"\.(?:ticket|book|capture|create|change|refund)\Z")

NOTHING_ELSE = "Nothing else is for sale that fits the request."
BOUGHT_ALREADY = "Something was bought already on the strength of what is gone; it cannot be planned around."

_Task = dict[str, Any]


def revise(executed: Executed, result: Iterable[ResultField]) -> Proposal:
    """Return the plan with the next offer for everything that failed, or a refusal."""
    tasks = {str(task["id"]): task for task in executed.tasks if task.get("state") != "given_up"}
    taken = {str(task["id"]) for task in executed.tasks}
    lost = {_chooser(tasks[name], tasks) for name in executed.failed if name in tasks}
    if not lost or None in lost or not all(_has_another(tasks[name], tasks) for name in lost if name is not None):
        return refuse(NOTHING_ELSE)
    anew = _dependents({name for name in lost if name is not None}, tasks)
    if any(task["state"] == "succeeded" and _COMMITS.search(task["action"]) for task in map(tasks.__getitem__, anew)):
        return refuse(BOUGHT_ALREADY)
    gone = {name for name, task in tasks.items() if task["state"] in {"failed", "skipped", "unknown"}} - anew
    names = {name: _free_name(name, taken) for name in anew if tasks[name]["state"] != "not_started"}
    planned = [_written(task, lost, anew, gone, names) for name, task in tasks.items() if name not in gone]
    lines = [ResultField(line.name, _renamed(line.value, names)) for line in result if not _roots(line.value) & gone]
    return Proposal("plan", tasks=tuple(planned), result=tuple(lines))


def _chooser(task: _Task, tasks: Mapping[str, _Task]) -> str | None:
    """Return the task that chose the offer which is gone: this one, or the one whose hold it was to use."""
    if any(_OFFER.search(arg["value"]) for arg in task["args"] if arg["kind"] == "ref"):
        return str(task["id"])
    holds = [name for name in sorted(_read_by(task)) if name in tasks and tasks[name]["action"].endswith(".hold")]
    return _chooser(tasks[holds[0]], tasks) if holds else None


def _has_another(task: _Task, tasks: Mapping[str, _Task]) -> bool:
    """Tell whether the search found an offer after the one that was chosen."""
    for arg in task["args"]:
        chosen = _OFFER.search(arg["value"]) if arg["kind"] == "ref" else None
        if chosen is not None:
            found = (tasks.get(chosen[1], {}).get("output") or {}).get("offers") or {}
            return int(found.get("count", 0)) > int(chosen[2]) + 1
    return False


def _dependents(lost: set[str], tasks: Mapping[str, _Task]) -> set[str]:
    """Return these tasks, all that read them, directly or through others, and all that were not started."""
    anew = lost | {name for name, task in tasks.items() if task["state"] == "not_started"}
    while True:
        more = {name for name, task in tasks.items() if _read_by(task) & anew} - anew
        more = {name for name in more if tasks[name]["state"] != "skipped"}
        if not more:
            return anew
        anew |= more


def _read_by(task: _Task) -> set[str]:
    return set().union(*(_roots(arg["value"]) for arg in task["args"] if arg["kind"] == "ref"))


def _roots(expression: str) -> set[str]:
    return set(_ROOT.findall(expression))


def _free_name(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _renamed(expression: str, names: Mapping[str, str]) -> str:
    return _ROOT.sub(lambda match: names.get(match[1], match[1]), expression)


def _written(
    task: _Task, lost: set[str | None], anew: set[str], gone: set[str], names: Mapping[str, str]
) -> ProposedTask:
    """Return a task as the revision has it: kept by its name alone, or anew."""
    name = str(task["id"])
    if name not in anew:
        return ProposedTask(name, task["action"], optional=task["optional"])
    args = []
    for arg in task["args"]:
        value = str(arg["value"])
        if arg["kind"] == "ref":
            if _roots(value) & gone:
                continue
            if name in lost:
                value = _OFFER.sub(lambda match: f"{match[1]}.offers[{int(match[2]) + 1}]", value)
            value = _renamed(value, names)
        args.append(Arg(arg["name"], arg["kind"], value))
    after = tuple(names.get(each, each) for each in task["after"] if each not in gone)
    control = tuple((each["kind"], _renamed(each["value"], names)) for each in task.get("control", ()))
    return ProposedTask(
        names.get(name, name), task["action"], tuple(args), after, optional=task["optional"], control=control
    )
