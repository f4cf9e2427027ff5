"""The daemon: from settings to a running orchestrator, and back down again."""

from __future__ import annotations

import asyncio
import resource
import signal
from collections.abc import Callable

from jada_orchestrator.adapters.aws.errors import AwsSetupError
from jada_orchestrator.adapters.claude.client import ModelConfigurationError
from jada_orchestrator.adapters.claude.planner import ClaudePlanner
from jada_orchestrator.adapters.host.catalogue_files import CatalogueError
from jada_orchestrator.adapters.host.logs import open_log, take_library_logs
from jada_orchestrator.adapters.host.notify import open_watcher
from jada_orchestrator.capacity.descriptors import DescriptorBudget, TooFewDescriptorsError, divide
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.ports.host import Watcher
from jada_orchestrator.ports.journal import (
    JournalCorruptError,
    JournalError,
    JournalSupersededError,
    JournalVersionError,
)
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import World
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import LoadedSettings, SettingsMistakesError
from jada_orchestrator.service.wiring import open_world, tunables_of

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
"""The contract's exit statuses."""

LoadSettings = Callable[[], LoadedSettings]
"""Reads the settings afresh, for a reload; raises SettingsMistakesError with every fault named."""


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard one, which is always allowed; return what holds then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def run_daemon(loaded: LoadedSettings, load_settings: LoadSettings) -> int:
    """Run until SIGTERM or SIGINT, then drain; return the exit status. SIGHUP takes new settings.

    Says in the log why it cannot start, or why it had to stop. A second SIGTERM or SIGINT does not hurry it.
    """
    settings = loaded.settings
    log = open_log(settings.log, settings.log_level)
    release_library_logs = take_library_logs(log)
    try:
        for notice in loaded.notices:
            log.emit("warning", "settings.notice", notice)
        return await _start(settings, log, open_watcher(), load_settings)
    finally:
        release_library_logs()
        log.close()


async def _start(settings: Settings, log: Log, watcher: Watcher, load_settings: LoadSettings) -> int:
    try:
        catalogue = read_catalogue(settings.catalogue)
        wanted = settings.connections
        budget = divide(raise_descriptor_limit(), functions=wanted.functions, queues=wanted.queues, model=wanted.model)
        _log_budget(log, budget)
        async with open_world(settings, budget, log, watcher) as (world, planner):
            return await _run(settings, catalogue, budget, world, planner, load_settings)
    except (CatalogueError, ValueError, TooFewDescriptorsError, ModelConfigurationError, AwsSetupError) as error:
        log.emit("critical", "daemon.misconfigured", str(error))
        return USAGE
    except (JournalCorruptError, JournalSupersededError) as error:
        log.emit("critical", "store.lost", str(error))
        return FAILED
    except JournalVersionError as error:
        log.emit("critical", "store.newer", str(error))
        return USAGE
    except (JournalError, QueueError) as error:
        log.emit("critical", "daemon.unreachable", str(error))
        return UNREACHABLE


def _log_budget(log: Log, budget: DescriptorBudget) -> None:
    log.emit(
        "info",
        "daemon.descriptors",
        f"{budget.limit} files may be open: {budget.reserve} kept in reserve, {budget.functions} for functions, "
        f"{budget.queues} for queues, {budget.model} for the model, {budget.headroom} to spare",
        limit=budget.limit,
        reserve=budget.reserve,
        functions=budget.functions,
        queues=budget.queues,
        model_connections=budget.model,
    )


async def _run(
    settings: Settings,
    catalogue: Catalogue,
    budget: DescriptorBudget,
    world: World,
    planner: ClaudePlanner,
    load_settings: LoadSettings,
) -> int:
    for warning in await planner.learn(settings.model, world.clock.now(), catalogue):
        world.log.emit("warning", "model.warning", str(warning), code=warning.code)
    orchestrator = Orchestrator(world, tunables_of(settings, catalogue, budget))
    loop = asyncio.get_running_loop()
    reloads: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(orchestrator, world.log, budget, load_settings))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    for signal_number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_number, orchestrator.stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        await orchestrator.run()
    finally:
        for signal_number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.remove_signal_handler(signal_number)
    return DONE


async def _reload(orchestrator: Orchestrator, log: Log, budget: DescriptorBudget, load_settings: LoadSettings) -> None:
    """Take new settings and catalogue; a mistake in them leaves everything as it was."""
    try:
        settings = load_settings().settings
        await orchestrator.reload(tunables_of(settings, read_catalogue(settings.catalogue), budget))
    except (SettingsMistakesError, CatalogueError, ValueError, JournalError) as error:
        log.emit("error", "daemon.reload_refused", f"The old settings stay in force: {error}")
    else:
        log.emit(
            "info", "daemon.reloaded", f"New settings are in force; bookings from now on plan with {settings.model}"
        )
