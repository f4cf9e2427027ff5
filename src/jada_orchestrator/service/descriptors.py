"""The descriptor budget of this process: the limit raised as far as it goes, and divided as the settings want it."""

from __future__ import annotations

from jada_orchestrator.adapters.host.descriptors import read_limits, set_soft_limit
from jada_orchestrator.capacity.descriptors import DescriptorBudget, Limits, Weights, divide, ledger, ledger_text
from jada_orchestrator.ports.log import Log
from jada_orchestrator.service.settings import Settings


def take_descriptors(settings: Settings) -> tuple[DescriptorBudget, Limits]:
    """Raise the soft limit, read what really holds then, and divide it.

    Raises: TooFewDescriptorsError.
    """
    soft, hard, nr_open = read_limits()
    limits = Limits(soft, hard, nr_open, settings.descriptors.ceiling)
    held = set_soft_limit(limits.wanted_soft())
    return divided(settings, held), limits


def divided(settings: Settings, limit: int) -> DescriptorBudget:
    """Divide a limit as the settings want it; nothing is changed. Raises: TooFewDescriptorsError."""
    wanted, how = settings.connections, settings.descriptors
    return divide(
        limit,
        functions=wanted.functions,
        queues=wanted.queues,
        model=wanted.model,
        weights=Weights(how.functions_weight, how.queues_weight, how.model_weight),
    )


def log_ledger(log: Log, budget: DescriptorBudget, limits: Limits) -> None:
    """Tell the whole ledger as one event: a table for people, and each line as a field of its own."""
    rows = {f"{row.line}_files": row.given for row in ledger(budget)}
    log.emit("info", "daemon.descriptors", ledger_text(budget, limits), limit=budget.limit, **rows)
