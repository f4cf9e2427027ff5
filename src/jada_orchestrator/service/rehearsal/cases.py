"""What is rehearsed: requests with what the current model had made of them, from the journal or from files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jada_orchestrator.domain import records as r
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.events import RequestArrived
from jada_orchestrator.domain.foreseen import TaskForeseen
from jada_orchestrator.domain.ids import ActionName, task_of_call
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.request import BookingRequest, Message
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.planning import Adopted, Clarify, Compiled, Faulted, Refuse, compile_proposal
from jada_orchestrator.ports.journal import JournalReader, Stored
from jada_orchestrator.service.rehearsal.shapes import Shape, shape_of
from jada_orchestrator.wire import requests

_UNSAFE = frozenset({"UNSAFE_ORDER", "COMMIT_ON_OPTIONAL", "NO_COMPENSATION"})
"""Faults of plans that would have bought before it was safe."""


class BadRequestsError(Exception):
    """A folder of requests cannot be used. Raised by `from_folder`; the message names each file and its mistake."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one model made of one request; each answer compiled by the present catalogue."""

    model: str
    outcome: str
    """``plan``, ``clarify``, ``refuse``, ``faulted`` or ``failed``."""
    faults: tuple[tuple[str, ...], ...]
    """The codes of the faults of each faulted answer."""
    shape: Shape | None
    usage: Usage
    latency_ms: int
    first_token_ms: int
    answers: int
    failure: str = ""

    @property
    def valid_at_first(self) -> bool:
        """Whether the first answer had no faults."""
        return not self.faults and self.outcome != "failed"

    @property
    def unsafe(self) -> int:
        """How many unsafe orders the compiler caught."""
        return sum(code in _UNSAFE for codes in self.faults for code in codes)


@dataclass(frozen=True, slots=True)
class Past:
    """How a booking ended that was run in earnest."""

    status: str
    failure: str = ""
    failed_actions: frozenset[ActionName] = frozenset()
    """Actions that failed for good."""
    unplanned: bool = False
    """It never had a plan."""


@dataclass(frozen=True, slots=True)
class Case:
    """One request to rehearse."""

    request: BookingRequest
    now: UtcMs
    current: Trial | None
    """What the current model had produced; None: it is asked as well."""
    past: Past | None = None


def trial_of(
    model: str,
    compiled: Compiled | None,
    faulted: Sequence[Faulted],
    usage: Usage,
    times_ms: tuple[int, int],
    failure: str = "",
) -> Trial:
    """Return a trial from what the last answer compiled to (None: there was none) and the faulted ones before it."""
    every = [*faulted, *([compiled] if isinstance(compiled, Faulted) else [])]
    shape = shape_of(compiled.plan) if isinstance(compiled, Adopted) else None
    return Trial(
        model=model,
        outcome=_outcome(compiled),
        faults=tuple(tuple(fault.code for fault in each.faults) for each in every),
        shape=shape,
        usage=usage,
        latency_ms=times_ms[0],
        first_token_ms=times_ms[1],
        answers=len(faulted) + (compiled is not None),
        failure=failure,
    )


def _outcome(compiled: Compiled | None) -> str:
    match compiled:
        case None:
            return "failed"
        case Adopted():
            return "plan"
        case Clarify():
            return "clarify"
        case Refuse():
            return "refuse"
        case Faulted():
            return "faulted"


# --- From the journal ---------------------------------------------------------------------------------------------


async def from_journal(reader: JournalReader, catalogue: Catalogue, last: int) -> list[Case]:
    """Return the newest accepted requests that the model was asked about. Raises: JournalError."""
    cases: list[Case] = []
    for workflow_id, head in await reader.heads(limit=last * 2):
        stored = None if head.rejected else await reader.history(workflow_id)
        case = None if stored is None else case_of(stored, catalogue)
        if case is not None:
            cases.append(case)
        if len(cases) == last:
            break
    return cases


def case_of(stored: Stored, catalogue: Catalogue) -> Case | None:
    """Return a workflow as a case; None when its model never answered.

    Only the first planning is taken: what came after a person's answer had other words to go by.
    """
    first = stored.entries[0].record
    if not isinstance(first, r.WorkflowAccepted):
        return None
    answers: list[r.PlannerAnswered] = []
    for entry in stored.entries:
        if isinstance(entry.record, r.ClarificationAnswered | r.PlanAdopted):
            break
        if isinstance(entry.record, r.PlannerAnswered):
            answers.append(entry.record)
    if not answers:
        return None
    current = _recorded(answers, catalogue, first.request)
    return Case(first.request, stored.entries[0].at, current, _past(stored))


def _recorded(answers: Sequence[r.PlannerAnswered], catalogue: Catalogue, request: BookingRequest) -> Trial:
    """Compile what was recorded anew, by the catalogue that the candidate's plans are compiled by."""
    usage = Usage()
    faulted: list[Faulted] = []
    compiled: Compiled | None = None
    latency_ms = 0
    for answer in answers:
        usage += answer.usage
        latency_ms += answer.latency_ms
        compiled = compile_proposal(answer.text, catalogue, request)
        if not isinstance(compiled, Faulted):
            break
        faulted.append(compiled)
    before = faulted[:-1] if isinstance(compiled, Faulted) else faulted
    return trial_of(answers[0].model, compiled, before, usage, (latency_ms, answers[0].first_token_ms))


def _past(stored: Stored) -> Past:
    actions: dict[str, ActionName] = {}
    failed: set[ActionName] = set()
    failure, planned = "", False
    for entry in stored.entries:
        match entry.record:
            case TaskForeseen(task=task):  # it may fail before there is a plan
                actions[task.id] = task.action
            case r.PlanAdopted(plan=plan):
                planned = True
                actions |= {task.id: task.action for task in plan.tasks}
            case r.TaskFailed(task_id=task_id) | r.TaskUnresolved(task_id=task_id):
                failed.add(actions[task_of_call(task_id)])
            case r.WorkflowEnded(failure=ended) if ended is not None:
                failure = f"{ended.message} [{ended.code}]"
            case _:
                pass
    return Past(stored.head.status, failure, frozenset(failed), unplanned=not planned)


# --- From files ---------------------------------------------------------------------------------------------------


def from_folder(folder: Path) -> list[Case]:
    """Return the requests in a folder's ``*.json`` (``jada.request/1``), in order of their names.

    "Today" is the day on which a file was written, so that a rehearsal may be resumed on another day.

    Raises: BadRequestsError, with every mistake.
    """
    cases, mistakes = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            body = path.read_text(encoding="utf-8")
            content = json.loads(body)
            content.setdefault("request_id", path.stem)
            arrived = requests.parse(Message(json.dumps(content), {}), model="")
        except (OSError, ValueError, AttributeError) as error:
            mistakes.append(f"{path}: {error}")
            continue
        if isinstance(arrived, RequestArrived):
            cases.append(Case(arrived.request, UtcMs(int(path.stat().st_mtime * 1_000)), None))
        else:
            mistakes.append(f"{path}: {getattr(arrived, 'faults', 'a control message is no request')}")
    if mistakes or not cases:
        raise BadRequestsError("\n".join(mistakes) or f"{folder} holds no *.json")
    return cases
