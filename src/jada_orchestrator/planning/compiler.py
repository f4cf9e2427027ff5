"""The compiler: a model's text becomes a plan, or all of its faults at once; the package's docstring has the laws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import TypeAlias, assert_never

from jada_orchestrator.domain.catalogue import Action, Binding, Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.house import HOUSE_ACTIONS, action_named
from jada_orchestrator.domain.ids import TASK_ID_PATTERN, ActionName, TaskId
from jada_orchestrator.domain.limits import PLAN_DEPTH_MAX, PLAN_TASKS_MAX
from jada_orchestrator.domain.plan import Plan, PlannedTask, Terms, shared, shared_result
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.revision import Past
from jada_orchestrator.planning.arguments import Bound, Surroundings, bind, demand_readable, read_reference
from jada_orchestrator.planning.branches import Branches, read_branches, with_their_options
from jada_orchestrator.planning.catalogue_facts import facts_about
from jada_orchestrator.planning.choosing import is_choice, shape_of_choice
from jada_orchestrator.planning.conditions import exclusive
from jada_orchestrator.planning.effects import Step, check_optional, check_order, check_undoing
from jada_orchestrator.planning.findings import Findings, shown, suggestion
from jada_orchestrator.planning.gates import bind_condition, bind_list
from jada_orchestrator.planning.graph import Graph, Node, build, cycles
from jada_orchestrator.planning.inputs import request_document
from jada_orchestrator.planning.kinds import Kind, key_of, kind_of
from jada_orchestrator.planning.proposal import Proposal, ProposedTask, parse_proposal
from jada_orchestrator.planning.provenance import NOTHING_TOLD, Told
from jada_orchestrator.planning.redundancy import check_duplicate_work, check_fan_out, without_idle_order
from jada_orchestrator.planning.references import REQUEST_ROOT, RESERVED_ROOTS, ReferenceFault
from jada_orchestrator.planning.revising import bound_of, check_repetition, standing_of, steps_of, take_apart
from jada_orchestrator.planning.shapes import ANY, Listed, Shape, of_schema, of_value, one_of
from jada_orchestrator.planning.spending import check_spending


@dataclass(frozen=True, slots=True)
class Adopted:
    """The proposal is a plan without a fault."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Clarify:
    """The planner asks; at least one question."""

    questions: tuple[str, ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """The planner says that it cannot be done, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Faulted:
    """The proposal cannot be used; every fault that could be found, at least one."""

    faults: tuple[Fault, ...]


Compiled: TypeAlias = Adopted | Clarify | Refuse | Faulted


def compile_proposal(
    text: str,
    catalogue: Catalogue,
    request: BookingRequest,
    *,
    revision: int = 1,
    answers: Sequence[str] = (),
    past: Past | None = None,
) -> Compiled:
    """Return what a model's text comes to. Never raises, whatever the text; the same text gives the same answer.

    The catalogue must be sound (`adapters.host` loads no other). `revision` is the number that the plan would have,
    `answers` what the traveller told beside the request when asked, `past` what was executed before, where the plan
    revises another one.
    """
    proposal = parse_proposal(text)
    if isinstance(proposal, tuple):
        return Faulted(proposal)
    contradictions = tuple(_contradictions(proposal))
    if contradictions and not (proposal.outcome == "plan" and 0 < len(proposal.tasks) <= PLAN_TASKS_MAX):
        return Faulted(contradictions)
    match proposal.outcome:
        case "plan":
            return _compile(proposal, catalogue, _Asked(request, tuple(answers), revision, past), contradictions)
        case "clarify":
            return Clarify(proposal.questions, proposal.reason)
        case "refuse":
            return Refuse(proposal.reason)
        case _:
            assert_never(proposal.outcome)


def _contradictions(proposal: Proposal) -> Iterable[Fault]:
    """Yield where the parts of a proposal contradict its outcome, and plans of an impossible size."""
    outcome = proposal.outcome
    if outcome == "plan":
        if proposal.questions:
            yield Fault(
                "CONTRADICTION", "questions", "a plan asks nothing: plan without questions, or clarify without tasks"
            )
        if not proposal.tasks:
            yield Fault(
                "EMPTY_PLAN", "tasks", "a plan has at least one task; clarify or refuse when there is nothing to do"
            )
        if len(proposal.tasks) > PLAN_TASKS_MAX:
            message = f"a plan has at most {PLAN_TASKS_MAX} tasks; this one has {len(proposal.tasks)}"
            yield Fault("TOO_MANY_TASKS", "tasks", message)
        return
    if proposal.tasks:
        yield Fault("CONTRADICTION", "tasks", f"outcome {outcome!r} comes without tasks; nothing of them would be run")
    if outcome == "clarify" and not proposal.questions:
        yield Fault("NO_QUESTIONS", "questions", "outcome 'clarify' asks at least one question")
    if outcome == "refuse" and proposal.questions:
        yield Fault("CONTRADICTION", "questions", "outcome 'refuse' asks nothing; use 'clarify' to ask")
    if outcome == "refuse" and not proposal.reason.strip():
        yield Fault("NO_REASON", "reason", "outcome 'refuse' says why, in a sentence for the traveller")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the plan is for."""

    request: BookingRequest
    answers: tuple[str, ...]
    revision: int
    past: Past | None


def _compile(proposal: Proposal, catalogue: Catalogue, asked: _Asked, faults: Sequence[Fault]) -> Adopted | Faulted:
    """Compile a plan; of one whose kind is known, only what sets it apart from the others."""
    facts = facts_about(catalogue)
    key = None if asked.past is not None or faults or proposal.notes else key_of(proposal.tasks, asked.revision)
    kind = facts.kinds.get(key) if key is not None else None
    plan = _compile_alike(kind, proposal, catalogue, asked) if kind is not None else None
    if plan is not None:
        return Adopted(plan)
    compiled, kind = _compile_whole(proposal, catalogue, asked, faults)
    if kind is not None and key is not None:
        facts.remember(key, kind)
    return compiled


def _compile_alike(kind: Kind, proposal: Proposal, catalogue: Catalogue, asked: _Asked) -> Plan | None:
    """Return the plan of a known kind; None where there is anything to say about it, which the long way says."""
    findings = Findings()
    steps, bound = list(kind.steps), list(kind.bound)
    document = request_document(asked.request)
    shapes = {REQUEST_ROOT: of_value(document), **kind.around.shapes}
    around = replace(kind.around, shapes=shapes, request=document, told=_told(steps, asked, document))
    for place in kind.varying:
        steps[place] = Step(proposal.tasks[place], kind.steps[place].action, kind.steps[place].where)
        bound[place] = _bind(place, steps[place], around, findings)
    check_spending(steps, bound, asked.request, None, findings)
    # Of the others, none does what one of these does: it has neither a constant nor a value of the request to do it by.
    check_duplicate_work(kind.varying, steps, bound, kind.graph, findings)
    result = _result(proposal, around, findings)
    # Whether a read repeats another one, so that their order means something, is seen by their arguments.
    graph = without_idle_order(steps, bound, kind.graph, findings)
    if findings.faults or findings.notes or graph is not kind.graph:
        return None
    planned = list(kind.tasks)
    for place in kind.varying:
        rank = kind.ranks[place]
        planned[rank] = shared(_with_arguments(planned[rank], bound[place].bindings))
    return Plan(tuple(planned), kind.terms, result, catalogue.version, kind.notes)


def _with_arguments(known: PlannedTask, bindings: dict[str, Binding]) -> PlannedTask:
    return PlannedTask(
        known.id,
        known.action,
        bindings,
        known.after,
        known.needs,
        known.optional,
        known.revision,
        reads=known.reads,
    )


def _compile_whole(
    proposal: Proposal, catalogue: Catalogue, asked: _Asked, faults: Iterable[Fault]
) -> tuple[Adopted | Faulted, Kind | None]:
    """Compile a plan from its text alone; also return its kind, if that is worth keeping."""
    findings = Findings(faults)
    for sentence in proposal.notes:
        findings.note(sentence)
    revised = take_apart(proposal, asked.past, findings)
    if len(revised.kept) + len(revised.new) > PLAN_TASKS_MAX:
        message = f"a plan has at most {PLAN_TASKS_MAX} tasks, also together with what it keeps of the one before"
        return Faulted((*findings.faults, Fault("TOO_MANY_TASKS", "tasks", message))), None
    steps, every = _steps(steps_of(revised, catalogue), revised.new, catalogue, findings)
    places = {name: place for name, place in every.items() if name not in revised.without_output}
    branches = read_branches(steps, places, findings)
    steps = with_their_options(steps, branches, findings)
    around = _surroundings(steps, places, asked, catalogue, branches)
    bound = [bound_of(past, every) for past in revised.kept]
    bound += [_bind(place, steps[place], around, findings) for place in range(len(bound), len(steps))]
    graph = build(_nodes(steps, bound, places, every, branches, findings))

    def exclude(one: int, other: int) -> bool:
        return exclusive(branches.of(one), branches.of(other))

    _check_graph(steps, graph, findings)
    check_undoing(steps, catalogue, findings)
    check_optional(steps, graph, findings)
    check_order(steps, graph, findings, exclude)
    check_spending(steps, bound, asked.request, standing_of(revised, findings), findings, exclude)
    check_fan_out(steps, graph, catalogue, findings)
    check_duplicate_work(range(len(steps)), steps, bound, graph, findings, exclude)
    check_repetition(steps, bound, asked.past, findings)
    result = _result(proposal, around, findings)
    if findings.faults:
        return Faulted(tuple(findings.faults)), None
    graph = without_idle_order(steps, bound, graph, findings)
    is_plain = not findings.notes  # those of what other edges imply are the same in all of a kind
    planned = _planned(steps, bound, graph, asked.revision, [past.planned for past in revised.kept], findings)
    terms = facts_about(catalogue).terms_of([ActionName(step.task.action) for step in steps])
    plan = _plan_of(planned, terms, result, catalogue, asked.past, findings)
    return Adopted(plan), kind_of(plan, steps, bound, around, graph) if is_plain else None


def _plan_of(
    planned: tuple[PlannedTask, ...],
    terms: dict[ActionName, Terms],
    result: dict[str, Binding],
    catalogue: Catalogue,
    past: Past | None,
    findings: Findings,
) -> Plan:
    """Return the plan, with what a revision gives up of the past in it, under the terms of its time."""
    notes = tuple(findings.notes)
    if past is None:
        return Plan(planned, terms, result, catalogue.version, notes)
    kept = {task.id for task in planned}
    retired = tuple(task.planned for task in past.tasks if task.state != "not_started" and task.planned.id not in kept)
    return Plan(planned, {**past.terms, **terms}, result, catalogue.version, notes, retired)


def _steps(
    history: Sequence[Step], tasks: Sequence[ProposedTask], catalogue: Catalogue, findings: Findings
) -> tuple[list[Step], dict[str, int]]:
    """Return every task with its action, what is kept of the past first, and the places of ids.

    Where an id occurs twice, its place is that of the first task.
    """
    lookups = facts_about(catalogue).lookups
    seen = Counter(task.id for task in tasks)
    places = {step.task.id: place for place, step in enumerate(history)}
    steps = list(history)
    for place, task in enumerate(tasks, len(history)):
        is_named = TASK_ID_PATTERN.match(task.id) is not None and task.id not in RESERVED_ROOTS
        where = f"tasks.{task.id}" if is_named and seen[task.id] == 1 else f"tasks[{place - len(history)}]"
        if task.id in RESERVED_ROOTS:
            what = "the booking request" if task.id == REQUEST_ROOT else "what a task with `for_each` is called for"
            findings.add("BAD_ID", f"{where}.id", f"`{task.id}` stands for {what}; choose another id", task=place)
        elif not is_named:
            message = f"{shown(task.written_id)} is no id: lower-case letters, digits and _, a letter first, at most 64"
            findings.add("BAD_ID", f"{where}.id", message, task=place)
        elif seen[task.id] > 1:
            findings.add("DUPLICATE_ID", f"{where}.id", f"{seen[task.id]} tasks are called `{task.id}`", task=place)
        if is_named:
            places.setdefault(task.id, place)
        steps.append(Step(task, _action(place, task, where, catalogue, lookups, findings), where))
    return steps, places


def _action(
    place: int,
    task: ProposedTask,
    where: str,
    catalogue: Catalogue,
    lookups: frozenset[ActionName],
    findings: Findings,
) -> Action | None:
    action = action_named(catalogue, ActionName(task.action))
    if action is None:
        near = (
            "" if findings.is_full else suggestion(task.action, [*catalogue.actions, *HOUSE_ACTIONS], all_of_them=True)
        )
        findings.add(
            "UNKNOWN_ACTION", f"{where}.action", f"the catalogue has no {shown(task.action)}.{near}", task=place
        )
    elif action.name in lookups:
        message = f"{action.name} is the orchestrator's own way to ask after a lost call, not an action for plans"
        findings.add("LOOKUP_PROPOSED", f"{where}.action", message, task=place)
    return action


def _surroundings(
    steps: Sequence[Step], places: dict[str, int], asked: _Asked, catalogue: Catalogue, branches: Branches
) -> Surroundings:
    document = request_document(asked.request)
    shapes: dict[str, Shape] = {REQUEST_ROOT: of_value(document)}
    for name, place in places.items():
        shapes[name] = _shape_of(steps[place])
    choices = [name for name, place in places.items() if is_choice(steps[place])]
    for name in choices * min(len(choices), 2):  # twice, since one may choose from what another chose
        shapes[name] = shape_of_choice(steps[places[name]], shapes)
    actions = {name: action.name for name, place in places.items() if (action := steps[place].action) is not None}
    return Surroundings(
        shapes,
        places,
        document,
        actions,
        catalogue.version,
        _told(steps, asked, document),
        branches,
        ids=tuple(step.task.id for step in steps),
        branched=frozenset(
            name
            for name, place in places.items()
            if steps[place].task.for_each or place in branches.stand_ins or is_choice(steps[place])
        ),
    )


def _told(steps: Sequence[Step], asked: _Asked, document: JsonObject) -> Told:
    """Return what was told, where any action of the plan declares where its fields may come from."""
    is_asked = any(step.action is not None and step.action.sources for step in steps)
    return Told([asked.request.text, *asked.answers], document) if is_asked else NOTHING_TOLD


def _shape_of(step: Step) -> Shape:
    """Return what references to a task see: its action's output, or the list of the outputs of all its calls."""
    output = ANY if step.action is None else of_schema(step.action.output_schema)
    if not step.task.for_each:
        return output
    return Listed(one_of((output, of_value(None))) if step.task.optional else output)


def _bind(place: int, step: Step, around: Surroundings, findings: Findings) -> Bound:
    """Bind a task's gates and arguments; of an action that nobody knows, only the edges are of interest."""
    bound = Bound()
    bind_condition(place, step, bound, around, findings)
    around = bind_list(place, step, bound, around, findings)
    if step.action is not None:
        bind(bound, step.task, step.action, place, step.where, around, findings)
        return bound
    for argument in step.task.arguments:
        if argument.kind != "ref":
            continue
        try:
            _, free = read_reference(argument.value.strip(), around, findings)
        except ReferenceFault as error:
            findings.add("BAD_REFERENCE", f"{step.where}.args.{argument.name[:80]}", str(error), task=place)
        else:
            bound.needs |= {around.places[name] for name in free if name in around.places}
    return bound


def _nodes(
    steps: Sequence[Step],
    bound: Sequence[Bound],
    places: dict[str, int],
    every: dict[str, int],
    branches: Branches,
    findings: Findings,
) -> list[Node]:
    """Return the graph's nodes: whoever waits for a task waits for all that may be called in its stead, too.

    `places` are those of tasks that may be named, `every` also has those of executed ones without an output.
    """
    nodes: list[Node] = []
    for place, step in enumerate(steps):
        first = branches.primary.get(place)
        makers = bound[place].needs | bound[place].reads
        if first is not None and first in makers | bound[place].asks:
            message = f"it is only called when `{steps[first].task.id}` has failed, which has no output then"
            findings.add("BAD_ALTERNATIVE", step.where, message, task=place)
        bound[place].reads |= _stand_ins(place, makers, branches)
        asks = bound[place].asks | ({first} if first is not None else set())
        asks |= bound[place].reads | _stand_ins(place, asks, branches)
        after = _after(place, step, every if step.done else places, findings)
        after |= _stand_ins(place, after, branches)
        nodes.append(Node(frozenset(bound[place].needs), after, optional=step.task.optional, asks=frozenset(asks)))
    return nodes


def _stand_ins(place: int, makers: Iterable[int], branches: Branches) -> frozenset[int]:
    """Return all that may be called instead of these tasks, but for the task itself and those beside and below it."""
    if not branches.stand_ins:
        return frozenset()
    first = branches.primary.get(place, place)
    own = {place, *branches.stand_ins.get(place, ()), *branches.stand_ins.get(first, ())}
    return frozenset(other for maker in makers for other in branches.stand_ins.get(maker, ()) if other not in own)


def _after(place: int, step: Step, places: dict[str, int], findings: Findings) -> frozenset[int]:
    """Return the order-only predecessors."""
    found: set[int] = set()
    for name in dict.fromkeys(step.task.after):
        if name in places:
            found.add(places[name])
            continue
        near = "" if findings.is_full else suggestion(name, list(places))
        message = f"`after` names {shown(name)}, which is no task of this plan.{near}"
        findings.add("UNKNOWN_TASK", f"{step.where}.after", message, task=place)
    return frozenset(found)


def _check_graph(steps: Sequence[Step], graph: Graph, findings: Findings) -> None:
    """Laws 1 and 2: the graph has no cycle, and is not too deep."""
    for cycle in cycles(graph.nodes):
        path = " -> ".join([*(steps[place].task.id for place in cycle), steps[cycle[0]].task.id])
        message = f"{path}: these tasks wait for each other, so none can start; take one of the edges away"
        findings.add("CYCLE", steps[cycle[0]].where, message, task=cycle[0])
        findings.touched.update(cycle)
    if graph.depth > PLAN_DEPTH_MAX:
        message = (
            f"{graph.depth} tasks must run one after another; at most {PLAN_DEPTH_MAX} may: run side by side what can"
        )
        findings.add("TOO_DEEP", "tasks", message)


def _result(proposal: Proposal, around: Surroundings, findings: Findings) -> dict[str, Binding]:
    result: dict[str, Binding] = {}
    for place, line in enumerate(proposal.result):
        where = f"result.{line.name[:80]}" if line.name else f"result[{place}]"
        if not line.name.strip():
            findings.add("BAD_RESULT", where, "a line of the result needs a name")
        elif line.name in result:
            findings.add("BAD_RESULT", where, "is there twice; give each line its own name")
        try:
            expression, free = read_reference(line.value.strip(), around, findings)
            result[line.name] = Binding(expression)
            demand_readable(expression, free, around)
        except ReferenceFault as error:
            findings.add("BAD_RESULT", where, str(error))
    return shared_result(result)


def _planned(
    steps: Sequence[Step],
    bound: Sequence[Bound],
    graph: Graph,
    revision: int,
    kept: Sequence[PlannedTask],
    findings: Findings,
) -> tuple[PlannedTask, ...]:
    """Return the tasks in topological order, without the order-only edges that others imply; kept ones as they are."""
    ids = [TaskId(intern(step.task.id)) for step in steps]  # ids repeat from booking to booking
    rank = {place: position for position, place in enumerate(graph.order)}
    tasks = list(kept)
    dropped: list[str] = []
    for place in [place for place in graph.order if not steps[place].done]:
        node = graph.nodes[place]
        implied = graph.implied(place)
        if implied:
            written = set(steps[place].task.after)
            dropped += [f"{ids[first]} -> {ids[place]}" for first in sorted(implied) if ids[first] in written]
        before = sorted(node.reads | (node.after - implied), key=rank.__getitem__)
        planned = PlannedTask(
            id=ids[place],
            action=ActionName(intern(steps[place].task.action)),
            bindings=bound[place].bindings,
            after=tuple(ids[first] for first in before),
            needs=tuple(ids[first] for first in before if first in node.needs),
            optional=steps[place].task.optional,
            revision=revision,
            when=bound[place].when,
            for_each=bound[place].for_each,
            instead_of=TaskId(steps[place].task.instead_of) if steps[place].task.instead_of else None,
            on_codes=steps[place].task.on_codes,
            reads=tuple(ids[first] for first in before if first in bound[place].reads - node.needs),
        )
        tasks.append(shared(planned))
    if dropped:
        findings.note(f"Left out, because other edges imply it: {', '.join(dropped)}.")
    return tuple(tasks)
