"""Opening what a rehearsal needs: the real planner, governed, within a budget, and remembering what was paid for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from jada_orchestrator.capacity.budgets import BudgetLimits, Budgets
from jada_orchestrator.capacity.governor import Governor, GovernorSettings
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.planner import Planner
from jada_orchestrator.runtime.governed import GovernedPlanner, Governing
from jada_orchestrator.service.refusals import configuration_checked
from jada_orchestrator.service.rehearsal.remembering import Memory, RememberingPlanner
from jada_orchestrator.service.settings import Settings

CONNECTIONS = 8


class _Fixed:
    """A clock that stands: a rehearsal's budget has no day that turns."""

    def __init__(self, now: UtcMs) -> None:
        self._now = now

    def now(self) -> UtcMs:
        """Return the same instant, always."""
        return self._now


@asynccontextmanager
async def open_rehearsal(
    settings: Settings,
    models: Sequence[str],
    memory: Memory,
    budget_usd: Decimal,
    now: UtcMs,
    log: Log,
    *,
    batches: Path | None = None,
) -> AsyncIterator[RememberingPlanner]:
    """Open the planner; `batches` is where the Batches API's own state is kept, None to ask call by call.

    What the memory has cost already counts against the budget: an interrupted rehearsal has one budget, not two.

    Raises: MisconfiguredError.
    """
    from jada_orchestrator.adapters.claude.batches import BatchPlanner
    from jada_orchestrator.service.model_access import open_model

    limits = BudgetLimits(day=budget_usd)
    budgets = Budgets(limits)
    budgets.restore([("", memory.spent())], now)
    async with AsyncExitStack() as stack:
        with configuration_checked():
            inner = await stack.enter_async_context(open_model(settings, CONNECTIONS))
        for model in models:
            await inner.learn(model, now)
        asked: Planner = inner
        connections = CONNECTIONS
        if batches is not None:
            asked = BatchPlanner(inner, batches)
            connections = 10_000
        governed = GovernedPlanner(
            asked,
            inner,
            Governor(replace(GovernorSettings(), connections=connections)),
            budgets,
            clock=_Fixed(now),
            log=log,
            governing=Governing(limits=limits),
        )
        stack.push_async_callback(governed.close)
        yield RememberingPlanner(governed, memory)
