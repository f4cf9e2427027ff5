"""Running a rehearsal: as many requests at once as the governor lets through, within a budget of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import CORRECTIONS_MAX
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Exchange
from jada_orchestrator.planning import Compiled, Faulted, compile_proposal
from jada_orchestrator.ports.planner import Planner, PlannerAnswer, PlannerError, PlannerQuestion
from jada_orchestrator.service.rehearsal.cases import Case, Trial, trial_of

WAITS_MAX: Final = 30
"""Times that one question is put again because the service is in trouble."""
_WAIT_FIRST_S: Final = 1.0
_WAIT_MAX_S: Final = 60.0


@dataclass(slots=True)
class Rehearsed:
    """What has been done so far. `stopped` says why not everything was: the budget, or the service."""

    trials: dict[tuple[str, str], Trial] = field(default_factory=dict)
    """By request id and model."""
    stopped: str = ""


class _StopError(Exception):
    """No more questions can be put. Raised and caught in this module; the rehearsal ends with what there is."""


async def rehearse(
    cases: Sequence[Case],
    models: Sequence[str],
    planner: Planner,
    catalogue: Catalogue,
    *,
    at_once: int = 8,
    progress: Callable[[Trial], None] = lambda _: None,
    enough: Callable[[], bool] = lambda: False,
    billed_at: UtcMs | None = None,
) -> Rehearsed:
    """Put every case to every model, and return what came of it.

    When `enough` says so, nothing more is begun, what is under way is finished, and kept: whoever interrupts does not
    pay for answers that are thrown away. When cancelled, what is under way is lost, and may be billed.
    """
    done = Rehearsed()
    todo = [(case, model) for case in cases for model in models]
    todo.reverse()

    async def work() -> None:
        while todo and not done.stopped:
            if enough():
                done.stopped = "it was interrupted"
                return
            case, model = todo.pop()
            try:
                trial = await _try(case, model, planner, catalogue, enough, billed_at)
            except _StopError as stop:
                done.stopped = str(stop)
                return
            done.trials[case.request.request_id, model] = trial
            progress(trial)

    await asyncio.gather(*(work() for _ in range(min(at_once, len(todo)))))
    return done


async def _try(
    case: Case,
    model: str,
    planner: Planner,
    catalogue: Catalogue,
    enough: Callable[[], bool],
    billed_at: UtcMs | None,
) -> Trial:
    """Plan one case as the daemon would, with as many corrections."""
    exchanges: list[Exchange] = []
    faulted: list[Faulted] = []
    usage = Usage()
    times_ms = (0, 0)
    while True:
        question = PlannerQuestion(
            workflow_id=workflow_id_of(case.request.request_id),
            request=case.request,
            catalogue=catalogue,
            model=model,
            now=case.now,
            exchanges=tuple(exchanges),
            clarifications=(),
            billed_at=billed_at,
            purpose="correction" if exchanges else "plan",
        )
        try:
            answer = await _ask(planner, question, enough)
        except PlannerError as error:
            return trial_of(model, None, faulted, usage + error.usage, times_ms, str(error))
        usage += answer.usage
        times_ms = (times_ms[0] + answer.latency_ms, times_ms[1] or answer.first_token_ms)
        compiled: Compiled = compile_proposal(answer.text, catalogue, case.request)
        if not isinstance(compiled, Faulted) or len(faulted) == CORRECTIONS_MAX:
            return trial_of(model, compiled, faulted, usage, times_ms)
        faulted.append(compiled)
        exchanges.append(Exchange(answer.text, compiled.faults))


async def _ask(planner: Planner, question: PlannerQuestion, enough: Callable[[], bool]) -> PlannerAnswer:
    """Put one question, and again while the service is in trouble. Raises: PlannerError, _StopError."""
    wait_s = _WAIT_FIRST_S
    for _ in range(WAITS_MAX):
        if enough():
            raise _StopError("it was interrupted")
        try:
            return await planner.propose(question)
        except PlannerError as error:
            if error.kind in {"stopped", "attention"}:
                raise _StopError(error.failure.message) from error
            if error.kind != "wait":
                raise
            await asyncio.sleep(max(wait_s, (error.retry_after_ms or 0) / 1_000))
            wait_s = min(_WAIT_MAX_S, wait_s * 2)
    raise _StopError("the service is in trouble for too long")
