"""Sitting the exam: every question is put to the model as the daemon would, with as many corrections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.planning import Adopted, Clarify, Faulted, Refuse
from jada_orchestrator.planning.proposal import Proposal, parse_proposal
from jada_orchestrator.ports.planner import Planner, PlannerError
from jada_orchestrator.service.dry_run import DryRun, converse
from jada_orchestrator.service.exam.expecting import Question
from jada_orchestrator.service.exam.scoring import Answer, Score, score
from jada_orchestrator.service.refusals import configuration_checked
from jada_orchestrator.service.settings import Settings

WAITS_MAX: Final = 5
"""Times that a question is put again because the service was away or busy; answers are never asked for twice."""
WAIT_S_MAX: Final = 60.0
_WAIT_FIRST_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Sat:
    """One question, put once to one model."""

    model: str
    question: Question
    run: int
    answer: Answer
    score: Score


class ExamStoppedError(Exception):
    """The service refuses every question: no key, no credit, no such model.

    Raised by `sit`, with what the service says; whoever runs the exam mends that and begins again.
    """


@asynccontextmanager
async def open_examined(
    settings: Settings, models: Sequence[str], connections: int, now: UtcMs
) -> AsyncIterator[Planner]:
    """Open the real planner for these models. Raises: MisconfiguredError."""
    from jada_orchestrator.service.model_access import open_model

    with configuration_checked():
        async with open_model(settings, connections) as planner:
            for model in models:
                await planner.learn(model, now)
            yield planner


async def sit(
    planner: Planner,
    catalogue: Catalogue,
    questions: Sequence[Question],
    models: Sequence[str],
    *,
    runs: int,
    concurrency: int,
) -> AsyncGenerator[Sat, None]:
    """Put every question `runs` times to every model, `concurrency` at once, and yield each as it is answered.

    Raises: ExamStoppedError, as soon as the service refuses everything.
    Guarantees: when the caller stops asking, nothing is left in flight.
    """
    todo = [(model, question, run) for run in range(1, runs + 1) for question in questions for model in models]
    todo.reverse()
    done: asyncio.Queue[Sat | Exception] = asyncio.Queue()

    async def work() -> None:
        while todo:
            model, question, run = todo.pop()
            try:
                answer = await _ask(planner, catalogue, question, model)
                done.put_nowait(Sat(model, question, run, answer, score(question, answer)))
            except Exception as error:  # noqa: BLE001 - raised again in the caller's own task
                done.put_nowait(error)
                return

    count = len(todo)
    workers = [asyncio.create_task(work()) for _ in range(min(concurrency, count))]
    try:
        for _ in range(count):
            result = await done.get()
            if isinstance(result, Exception):
                raise result
            yield result
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _ask(planner: Planner, catalogue: Catalogue, question: Question, model: str) -> Answer:
    """Return the answer to one question, waiting where the service says so."""
    wait_s = _WAIT_FIRST_S
    for tried in range(WAITS_MAX + 1):
        try:
            return _answer(await converse(planner, catalogue, question.request, model, question.now))
        except PlannerError as error:
            if error.kind == "stopped":
                raise ExamStoppedError(str(error)) from error
            if error.kind != "wait" or tried == WAITS_MAX:
                return Answer("failed", usage=error.usage, failure=str(error))
            await asyncio.sleep(min(max(wait_s, (error.retry_after_ms or 0) / 1_000), WAIT_S_MAX))
            wait_s *= 2
    raise AssertionError("the last try returns")


def _answer(result: DryRun) -> Answer:
    compiled = result.compiled
    faults = [faulted.faults for faulted in result.corrected]
    if isinstance(compiled, Faulted):
        faults.append(compiled.faults)
    codes = tuple(tuple(fault.code for fault in each) for each in faults)
    corrections, usage, latency_ms = len(result.corrected), result.usage, result.latency_ms
    match compiled:
        case Adopted(plan):
            return Answer("plan", plan, _kinds(result.text), (), "", corrections, codes, usage, latency_ms)
        case Clarify(asked, reason):
            return Answer("clarify", None, None, asked, reason, corrections, codes, usage, latency_ms)
        case Refuse(reason):
            return Answer("refuse", None, None, (), reason, corrections, codes, usage, latency_ms)
        case Faulted():
            return Answer("faulted", None, None, (), "", corrections, codes, usage, latency_ms)


def _kinds(text: str) -> dict[tuple[str, str], str]:
    """Return the kind of each argument of a proposal that compiled."""
    proposal = parse_proposal(text)
    assert isinstance(proposal, Proposal), "what compiled can be read"
    return {(task.id, argument.name): argument.kind for task in proposal.tasks for argument in task.arguments}
