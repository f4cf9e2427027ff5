"""Laws about effects: what must come before what, what must be undoable, what may be optional.

The laws are numbered in the package's docstring. They are judged only where no other fault makes the graph doubtful.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from jada_orchestrator.domain.catalogue import Action, Catalogue, Effect
from jada_orchestrator.domain.house import WAIT
from jada_orchestrator.planning.findings import Findings
from jada_orchestrator.planning.graph import Graph
from jada_orchestrator.planning.proposal import ProposedTask


class Step(Struct, frozen=True, gc=False):
    """A proposed task with its action, if the catalogue has it."""

    task: ProposedTask
    action: Action | None
    where: str
    done: bool = False
    """It was executed under an earlier revision of the plan: history, which no law can order otherwise."""

    @property
    def is_commit(self) -> bool:
        """Whether it commits."""
        return self.action is not None and self.action.effect is Effect.COMMIT

    @property
    def cannot_be_undone(self) -> bool:
        """Whether it commits and nothing undoes it."""
        return self.action is not None and self.is_commit and self.action.compensate is None


def check_undoing(steps: Sequence[Step], catalogue: Catalogue, findings: Findings) -> None:
    """Law 3: what has an effect names what undoes it, or is declared irreversible."""
    for place, step in enumerate(steps):
        action = step.action
        if action is None or action.effect is Effect.READ or step.done:
            continue
        if action.compensate is None and not action.irreversible:
            message = (
                f"{action.name} changes something, and the catalogue names nothing that undoes it; it cannot be used"
            )
            findings.add("NO_COMPENSATION", f"{step.where}.action", message, task=place)
        elif action.compensate is not None and action.compensate.action not in catalogue.actions:
            message = (
                f"{action.name} is undone by {action.compensate.action}, which the catalogue lacks; it cannot be used"
            )
            findings.add("NO_COMPENSATION", f"{step.where}.action", message, task=place)


def check_optional(steps: Sequence[Step], graph: Graph, findings: Findings) -> None:
    """Law 6: what may be skipped is needed by no required task, and by no commit."""
    for place, step in enumerate(steps):
        if step.done:
            continue
        for maker in sorted(graph.nodes[place].needs):
            if not steps[maker].task.optional or maker == place or steps[maker].done:
                continue
            read = steps[maker].task.id
            if step.is_commit:
                message = f"a commit reads the output of `{read}`, which is optional: make `{read}` required"
                findings.add("COMMIT_ON_OPTIONAL", step.where, message, task=place)
            elif not step.task.optional:
                message = f"it is required and reads the output of `{read}`, which is optional: make both the same"
                findings.add("OPTIONAL_REQUIRED", step.where, message, task=place)


def check_order(
    steps: Sequence[Step], graph: Graph, findings: Findings, exclude: Callable[[int, int], bool] = lambda _, __: False
) -> None:
    """Laws 4 and 5: checks and reservations before commits; what cannot be undone after what can.

    `exclude` tells of two tasks that never both of them are called: there is no order between those.
    """
    doubtful = sum(1 << place for place in findings.touched)
    doubtful |= sum(1 << place for place in range(len(steps)) if place not in graph.order)
    commits = [place for place, step in enumerate(steps) if step.is_commit and not step.done]
    known = [place for place in range(len(steps)) if graph.is_known(place, doubtful)]
    come_first = [place for place in known if _comes_first(steps, graph, place, commits)]
    for commit in commits:
        if commit not in known:
            continue
        _tell(
            [place for place in come_first if not graph.is_before(place, commit) and not exclude(place, commit)],
            "it may run before",
            "which can still fail",
            commit,
            steps,
            graph,
            findings,
        )
        if steps[commit].cannot_be_undone:
            late = [
                place
                for place in commits
                if place in known and _undone_first(steps, graph, place, commit) and not exclude(place, commit)
            ]
            _tell(
                late, "nothing undoes it, and it may run before", "which may still fail", commit, steps, graph, findings
            )


def _comes_first(steps: Sequence[Step], graph: Graph, place: int, commits: Sequence[int]) -> bool:
    """Tell whether a task is a required read or reservation that could be done before anything is committed."""
    step = steps[place]
    if step.action is None or step.is_commit or step.task.optional or step.done or step.action.name == WAIT:
        return False  # a wait cannot fail in a way that matters: it may well come after what it lets rest
    return not any(graph.needs_output(place, commit) for commit in commits)


def _undone_first(steps: Sequence[Step], graph: Graph, place: int, last: int) -> bool:
    """Tell whether a required commit should be over before `last`, which cannot be undone, and is not."""
    step, action = steps[place], steps[place].action
    if place == last or step.task.optional or action is None or graph.is_before(place, last):
        return False
    if graph.needs_output(place, last):
        return False  # it cannot be otherwise: it takes what the other yields
    last_action = steps[last].action
    weighs_more = action.amount is not None and last_action is not None and last_action.amount is None
    return not step.cannot_be_undone or weighs_more


def _tell(
    places: Sequence[int],
    claim: str,
    reason: str,
    commit: int,
    steps: Sequence[Step],
    graph: Graph,
    findings: Findings,
) -> None:
    if not places:
        return
    step = steps[commit]
    named = ", ".join(f"`{steps[place].task.id}`" for place in places)
    turned = [f"`{steps[place].task.id}`" for place in places if graph.is_before(commit, place)]
    remedy = f"put {named} into its `after`"
    if turned:
        remedy += (
            f" (and take `{step.task.id}` from before {', '.join(turned)}), or make what may fail harmlessly optional"
        )
    message = f"{step.task.action} commits; {claim} {named}, {reason}: {remedy}"
    findings.add("UNSAFE_ORDER", f"{step.where}.after", message, task=None)
