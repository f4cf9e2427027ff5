"""Planning without running: what the model proposes for a request, and what the compiler says of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.ids import workflow_id_of
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.domain.limits import CORRECTIONS_MAX
from jada_orchestrator.domain.request import BookingRequest
from jada_orchestrator.domain.usage import Usage
from jada_orchestrator.domain.workflow import Exchange
from jada_orchestrator.planning import Compiled, Faulted, compile_proposal
from jada_orchestrator.planning.proposal import Proposal, parse_proposal
from jada_orchestrator.ports.planner import Planner, PlannerQuestion
from jada_orchestrator.service.ladder import models_of
from jada_orchestrator.service.refusals import configuration_checked
from jada_orchestrator.service.settings import Settings


@dataclass(frozen=True, slots=True)
class DryRun:
    """What planning came to; `corrected` holds the faults of each answer that was sent back, `text` the last answer."""

    compiled: Compiled
    text: str
    corrected: tuple[Faulted, ...] = ()
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    latency_ms: int = 0


def catalogue_of(settings: Settings) -> Catalogue:
    """Return the settings' catalogue. Raises: MisconfiguredError, with every mistake in it."""
    from jada_orchestrator.service.catalogues import read_catalogue

    with configuration_checked():
        return read_catalogue(settings.catalogue)


def compile_written(settings: Settings, text: str, request: BookingRequest) -> DryRun:
    """Compile a proposal that somebody wrote, without asking a model. Raises: MisconfiguredError.

    Whoever writes a plan tells its `user` values by writing them.
    """
    return DryRun(compile_proposal(text, catalogue_of(settings), request, answers=told_in(text)), text)


def told_in(text: str) -> tuple[str, ...]:
    """Return the values that a written proposal says to come from the user; nothing, where it cannot be read."""
    proposal = parse_proposal(text)
    if not isinstance(proposal, Proposal):
        return ()
    given = (argument for task in proposal.tasks for argument in task.arguments if argument.kind == "user")
    return tuple(dict.fromkeys(argument.value for argument in given))


async def plan(settings: Settings, request: BookingRequest, now: UtcMs, *, model: str | None = None) -> DryRun:
    """Ask the model for a plan as the daemon would, with as many corrections, and compile it; no agent is called.

    Without a `model`, it is the one that the daemon asks first about such a request.

    Raises: MisconfiguredError, PlannerError.
    """
    from jada_orchestrator.service.model_access import open_model

    catalogue = catalogue_of(settings)
    asked = model or models_of(settings, request)[0]
    with configuration_checked():
        async with open_model(settings, connections=1) as planner:
            await planner.learn(asked, now)
            return await converse(planner, catalogue, request, asked, now)


async def converse(planner: Planner, catalogue: Catalogue, request: BookingRequest, model: str, now: UtcMs) -> DryRun:
    """Put one request to a model, with as many corrections as the daemon allows; the last answer may have faults too.

    Raises: PlannerError.
    """
    exchanges: list[Exchange] = []
    corrected: list[Faulted] = []
    usage = Usage()
    latency_ms = 0
    while True:
        answer = await planner.propose(
            PlannerQuestion(
                workflow_id=workflow_id_of(request.request_id),
                request=request,
                catalogue=catalogue,
                model=model,
                now=now,
                exchanges=tuple(exchanges),
                clarifications=(),
            )
        )
        usage += answer.usage
        latency_ms += answer.latency_ms
        compiled = compile_proposal(answer.text, catalogue, request)
        if not isinstance(compiled, Faulted) or len(corrected) == CORRECTIONS_MAX:
            return DryRun(compiled, answer.text, tuple(corrected), answer.model, usage, latency_ms)
        corrected.append(compiled)
        exchanges.append(Exchange(answer.text, compiled.faults))
