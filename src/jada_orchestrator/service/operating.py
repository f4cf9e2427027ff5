"""Operating a running daemon: its status, its numbers, and taking new settings."""

from __future__ import annotations

import asyncio
import os
import resource
import time
import traceback
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Literal

from jada_orchestrator import __version__
from jada_orchestrator.adapters.host.catalogue_files import CatalogueError
from jada_orchestrator.adapters.host.descriptors import count_by_kind, count_open
from jada_orchestrator.adapters.host.logs import HostLog
from jada_orchestrator.adapters.host.loop_watch import Lag
from jada_orchestrator.capacity.descriptors import DescriptorBudget
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.ports.journal import JournalError
from jada_orchestrator.ports.operations import Reloaded, Sample
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.snapshot import FirstCalls, Phase
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.service.counting import CountingLog
from jada_orchestrator.service.ladder import all_models, ladder_of
from jada_orchestrator.service.settings_editing import values_of
from jada_orchestrator.service.settings_tiers import LoadedSettings, SettingsMistakesError
from jada_orchestrator.service.wiring import tunables_of

STUCK_AFTER_MS: Final = 15_000
"""The turn loop goes round every two seconds at least; the watchdog of the unit is twice this."""
TAKEN_BY_RELOAD: Final = frozenset(
    {
        "budgets.booking_usd",
        "budgets.day_usd",
        "budgets.tenant_day_usd",
        "budgets.when_short",
        "calls_in_flight",
        "catalogue",
        "drain_seconds",
        "log_level",
        "model",
        "models.cheaper",
        "models.fallback",
        "models.plan",
        "models.raise_above",
        "models.raise_longer_than",
        "models.raise_on_words",
        "outcome_queue",
        "read_plans_ahead",
        "reply_to_allowed",
        "retention_days",
        "templates.after",
        "templates.use",
        "tenant_weights",
        "workflows_in_flight",
    }
)
"""Settings that a reload takes; the others are wired into connections, and a restart takes them."""


LearnModel = Callable[[str, Catalogue], Awaitable[tuple[Fault, ...]]]
"""Asks the service about a model and returns what the operator should know of it; never fails."""
_UNUSABLE: Final = frozenset({"MODEL_UNKNOWN", "MODEL_RETIRED", "MODEL_WITHOUT_STRUCTURED_OUTPUTS"})
"""What the service says of a model with which every plan would fail."""


_BREAKER_WORDS: Final = {"open": "passing", "closed": "refusing", "probing": "probing", "ramping": "recovering"}
"""What status calls the phases of an agent's breaker: an open gate is a closed circuit, which would confuse anybody."""


class RunningOperations:
    """The port `Operations` on a running orchestrator."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        *,
        loaded: LoadedSettings,
        load_settings: Callable[[], LoadedSettings],
        budget: DescriptorBudget,
        log: CountingLog,
        host_log: HostLog,
        learn_model: LearnModel,
        lag: Callable[[], Lag],
    ) -> None:
        """Take what is operated, how settings are read afresh, how a model is asked about, and the loop's lag."""
        self._learn_model = learn_model
        self._lag = lag
        self._orchestrator = orchestrator
        self._at_start = values_of(loaded)
        self._loaded = loaded
        self._load_settings = load_settings
        self._budget = budget
        self._log = log
        self._host_log = host_log
        self._reloading = asyncio.Lock()
        self._began = time.time()
        self._reloads = {"taken": 0, "refused": 0}

    def version(self) -> str:
        """Return the program's version."""
        return __version__

    def trouble(self) -> str | None:
        """Say that the turn loop does not go round, or None."""
        now = self._orchestrator.snapshot()
        if now.phase in {Phase.READY, Phase.DRAINING} and now.turned_ms_ago > STUCK_AFTER_MS:
            return f"the turn loop has not gone round for {now.turned_ms_ago / 1_000:.0f} s"
        return None

    def unready(self) -> str | None:
        """Say why nothing is accepted now, or None."""
        now = self._orchestrator.snapshot()
        if now.store_trouble is not None:
            return f"the store cannot be used: {now.store_trouble}"
        return None if now.phase is Phase.READY else now.phase.value

    def status(self) -> JsonObject:
        """Return everything that `jada status` shows."""
        now = self._orchestrator.snapshot()
        settings = self._loaded.settings
        lag = self._lag()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "phase": now.phase.value,
            "trouble": self.trouble() or self.unready(),
            "since": datetime.fromtimestamp(self._began, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "line": self._orchestrator.status_line(),
            "model": settings.model,
            "store": values_of(self._loaded)["store"][0],
            "bookings": now.bookings,
            "left_for_newer": now.left_for_newer,
            "calls_in_flight": now.calls_in_flight,
            "inbox": now.inbox,
            "turns": now.turns,
            "commits": now.commits,
            "records": now.records,
            "retired": now.retired,
            "turned_ms_ago": now.turned_ms_ago,
            "loop": {
                "lag_p99_ms": round(lag.p99_s * 1e3, 1),
                "lag_max_ms": round(lag.max_s * 1e3, 1),
                "blocked": lag.blocked,
            },
            "agents": [
                {
                    "agent": view.agent,
                    "busy": view.busy,
                    "waiting": view.waiting,
                    "bound": view.bound,
                    "breaker": _BREAKER_WORDS[view.breaker],
                    "closed_until": None if view.closed_until is None else format_instant(view.closed_until),
                }
                for view in now.agents
            ],
            "descriptors": {
                "open": open_descriptors(),
                "by_kind": dict(count_by_kind()),
                "soft": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
                "functions": self._budget.functions,
                "queues": self._budget.queues,
                "model": self._budget.model,
                "reserve": self._budget.reserve,
            },
            "cost": {"today_usd": str(now.spent_today_usd), "unpriced_calls": now.unpriced_calls},
            "log_lines_dropped": self._host_log.dropped,
            "reloads": dict(self._reloads),
        }

    def samples(self) -> list[Sample]:
        """Return every number that is measured."""
        now = self._orchestrator.snapshot()
        lag = self._lag()
        plain: list[tuple[str, str, str, float]] = [
            ("jada_up_seconds", "gauge", "Seconds since the process began.", time.time() - self._began),
            ("jada_ready", "gauge", "1 while requests are accepted.", float(self.unready() is None)),
            ("jada_store_trouble", "gauge", "1 while nothing can be made durable.", float(bool(now.store_trouble))),
            ("jada_left_for_newer", "gauge", "Bookings that only a newer version can read.", now.left_for_newer),
            ("jada_planning_stopped", "gauge", "1 while no plans can be made.", float(bool(now.planning_stopped))),
            ("jada_calls_in_flight", "gauge", "Calls to agents that hold a slot.", now.calls_in_flight),
            ("jada_inbox_events", "gauge", "Events that wait for the next turn.", now.inbox),
            ("jada_turn_age_seconds", "gauge", "Since the turn loop last went round.", now.turned_ms_ago / 1_000),
            ("jada_loop_lag_p99_seconds", "gauge", "How late the loop came round, of the last minute.", lag.p99_s),
            ("jada_loop_lag_max_seconds", "gauge", "The latest of the last minute.", lag.max_s),
            ("jada_loop_blocked", "counter", "Times that the loop was held for over 50 ms.", lag.blocked),
            ("jada_turns", "counter", "Turns of the loop.", now.turns),
            ("jada_commits", "counter", "Durable commits.", now.commits),
            ("jada_records", "counter", "Records made durable.", now.records),
            ("jada_retired", "counter", "Bookings that were retired.", now.retired),
            ("jada_model_cost_usd", "counter", "Cost of model calls with a known price.", float(now.spent_usd)),
            ("jada_model_unpriced_calls", "counter", "Model calls whose price is unknown.", now.unpriced_calls),
            *_first_calls(now.first_calls),
            ("jada_log_dropped_lines", "counter", "Lines that the log could not write.", self._host_log.dropped),
            ("jada_open_descriptors", "gauge", "Open files of the process.", open_descriptors()),
            ("jada_descriptor_limit", "gauge", "Open files that it may have.", self._budget.limit),
        ]
        samples = [
            Sample(name, "counter" if kind == "counter" else "gauge", meaning, (((), value),))
            for name, kind, meaning, value in plain
        ]
        bookings = tuple(((("status", status),), float(count)) for status, count in sorted(now.bookings.items()))
        events = tuple(
            ((("event", event), ("level", level)), float(count))
            for (event, level), count in sorted(self._log.events.items())
        )
        reloads = tuple(((("result", result),), float(count)) for result, count in self._reloads.items())
        kinds = tuple(((("kind", kind),), float(count)) for kind, count in sorted(count_by_kind().items()))
        return [
            *samples,
            Sample("jada_bookings", "gauge", "Unfinished bookings by status.", bookings),
            Sample("jada_events", "counter", "Events of the log, each state change of a booking among them.", events),
            Sample("jada_open_descriptors_by_kind", "gauge", "Open files of the process, by kind.", kinds),
            Sample("jada_reloads", "counter", "Reloads by result.", reloads),
            Sample("jada_build_info", "gauge", "The version, as a label.", (((("version", __version__),), 1.0),)),
        ]

    async def template(self, act: Literal["pin", "unpin", "forget"], key: str) -> Fault | None:
        """Pin, unpin or forget a template; see the port."""
        templates = self._orchestrator.templates
        if templates is None:
            return Fault("NO_TEMPLATES", "templates", "this process keeps none")
        try:
            there = await (templates.forget(key) if act == "forget" else templates.pin(key, pinned=act == "pin"))
        except JournalError as error:
            return Fault("NOT_STORED", "store", str(error))
        return None if there else Fault("NO_SUCH_TEMPLATE", "key", f"there is no template {key}: jada templates list")

    def prune(self, before: UtcMs) -> Fault | None:
        """Have what ended before an instant retired; see the port."""
        if self._orchestrator.snapshot().phase is not Phase.READY:
            return Fault("NOT_RUNNING", "daemon", "it is starting or stopping now")
        self._orchestrator.prune(before)
        return None

    async def reload(self) -> Reloaded:
        """Take new settings and catalogue, or none of them; see the port."""
        async with self._reloading:
            try:
                result = await self._reload()
            except Exception as error:  # noqa: BLE001 - whoever asked, also by a signal, is told in every case
                result = Reloaded(taken=False, faults=(_unforeseen(error),))
        self._reloads["taken" if result.taken else "refused"] += 1
        if result.taken:
            models = " and then ".join(ladder_of(self._loaded.settings))
            message = f"New settings are in force; bookings from now on plan with {models}"
            self._log.emit("info", "daemon.reloaded", message)
            for notice in result.notices:
                self._log.emit("warning", "settings.notice", notice)
        else:
            faults = "; ".join(map(str, result.faults))
            self._log.emit("error", "daemon.reload_refused", f"The old settings stay in force: {faults}")
        return result

    async def _reload(self) -> Reloaded:
        if self._orchestrator.snapshot().phase is not Phase.READY:
            return Reloaded(taken=False, faults=(Fault("NOT_RUNNING", "daemon", "it is starting or stopping now"),))
        try:
            # Beside the loop: the reference catalogue alone takes a quarter of a second, and bookings go on meanwhile.
            loaded, catalogue = await asyncio.to_thread(self._read)
        except (SettingsMistakesError, CatalogueError) as error:
            return Reloaded(taken=False, faults=error.faults)
        told = await asyncio.gather(*(self._learn_model(model, catalogue) for model in all_models(loaded.settings)))
        warnings = [fault for each in told for fault in each]
        unusable = tuple(fault for fault in warnings if fault.code in _UNUSABLE)
        if unusable:
            return Reloaded(taken=False, faults=unusable)
        try:
            await self._orchestrator.reload(tunables_of(loaded.settings, catalogue, self._budget))
        except JournalError as error:
            return Reloaded(taken=False, faults=(Fault("NOT_STORED", "store", str(error)),))
        self._loaded = loaded
        self._host_log.set_level(loaded.settings.log_level)
        return Reloaded(taken=True, notices=(*loaded.notices, *map(str, warnings), *self._need_restart(loaded)))

    def _read(self) -> tuple[LoadedSettings, Catalogue]:
        """Return what is to be taken. Raises: SettingsMistakesError, CatalogueError.

        With mistakes in the settings no catalogue is read: its folder may be among them, and it would be the wrong one.
        """
        loaded = self._load_settings()
        return loaded, read_catalogue(loaded.settings.catalogue)

    def _need_restart(self, loaded: LoadedSettings) -> list[str]:
        """Name the settings that changed since the start and that only a restart takes."""
        return [
            f"{key} is now {value!r} and was {self._at_start[key][0]!r} at start: a restart takes it, a reload does not"
            for key, (value, _) in values_of(loaded).items()
            if key not in TAKEN_BY_RELOAD and value != self._at_start[key][0]
        ]


def _first_calls(first: FirstCalls) -> list[tuple[str, str, str, float]]:
    """Return how soon first calls go out: sums, so that any period's mean is one division away."""
    after_s, hidden_s, answer_s = (ms / 1_000 for ms in (first.after_ms, first.hidden_ms, first.answer_ms))
    return [
        ("jada_first_calls", "counter", "Bookings whose first call went out.", first.bookings),
        ("jada_first_call_seconds", "counter", "From acceptance to the first call, summed.", after_s),
        ("jada_plan_seconds", "counter", "The making of those bookings' plans, summed.", answer_s),
        ("jada_plan_hidden_seconds", "counter", "Of that, what ran after the first call.", hidden_s),
    ]


def _unforeseen(error: Exception) -> Fault:
    where = traceback.extract_tb(error.__traceback__)[-1]
    said = f"this was not foreseen: {type(error).__name__}: {error} (at {where.name}); report it, or restart the daemon"
    return Fault("RELOAD_BROKE", "daemon", said)


def open_descriptors() -> int:
    """Return how many files this process has open; 0 where the host hides it."""
    return count_open()
