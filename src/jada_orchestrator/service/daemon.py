"""The daemon: from settings to a running orchestrator, and back down again."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from jada_orchestrator.adapters.aws.errors import AwsSetupError
from jada_orchestrator.adapters.claude.client import ModelConfigurationError
from jada_orchestrator.adapters.claude.planner import ClaudePlanner
from jada_orchestrator.adapters.host.catalogue_files import CatalogueError
from jada_orchestrator.adapters.host.logs import HostLog, open_log, take_library_logs
from jada_orchestrator.adapters.host.loop_watch import LagMeter, watch_loop
from jada_orchestrator.adapters.host.notify import open_watcher
from jada_orchestrator.adapters.journal.opening import check_store_url
from jada_orchestrator.adapters.tracing.opening import open_tracing
from jada_orchestrator.adapters.web.addresses import parse_address
from jada_orchestrator.adapters.web.control import open_control
from jada_orchestrator.adapters.web.errors import ListenError
from jada_orchestrator.adapters.web.health import open_health
from jada_orchestrator.capacity.descriptors import TooFewDescriptorsError
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.ports.host import Watcher
from jada_orchestrator.ports.journal import (
    JournalCorruptError,
    JournalError,
    JournalLeaseLostError,
    JournalSupersededError,
    JournalUnavailableError,
    JournalVersionError,
)
from jada_orchestrator.ports.log import Log
from jada_orchestrator.ports.operations import Reloaded
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.ports.tracing import NoTracing, Tracing
from jada_orchestrator.runtime.collecting import collect_what_has_ended
from jada_orchestrator.runtime.orchestrator import Orchestrator
from jada_orchestrator.runtime.world import World
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.service.control_socket import control_socket
from jada_orchestrator.service.counting import CountingLog
from jada_orchestrator.service.descriptors import log_ledger, take_descriptors
from jada_orchestrator.service.ladder import all_models
from jada_orchestrator.service.model_access import PriceListError
from jada_orchestrator.service.operating import RunningOperations, open_descriptors
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import LoadedSettings
from jada_orchestrator.service.stopping import StartBrokenOffError, StopRequests, ignore_from_now_on
from jada_orchestrator.service.wiring import open_world, tunables_of

DONE, FAILED, USAGE, UNREACHABLE = 0, 1, 2, 3
"""The contract's exit statuses."""
EX_CONFIG = 78
_TAKEN_UP_S = 0.001
"""What taking a booking up costs, its call included: loading the model's SDK, which takes more than a second of the
interpreter, waits so long for each."""
_REJOIN_EVERY_S = 1.0

LoadSettings = Callable[[], LoadedSettings]
"""Reads the settings afresh, for a reload; raises SettingsMistakesError with every fault named."""


async def run_daemon(loaded: LoadedSettings, load_settings: LoadSettings) -> int:
    """Run until SIGTERM or SIGINT, then drain; return the exit status. SIGHUP takes new settings, and ends nothing.

    Says in the log why it cannot start, or why it had to stop. Asked to stop while it starts, it breaks the start off
    and closes what was opened. A second SIGTERM or SIGINT does not hurry it. What nobody foresaw ends it, too, with its
    traceback in the log: the service manager starts it anew.
    """
    settings = loaded.settings
    log = open_log(settings.log, settings.log_level)
    release_library_logs = take_library_logs(log)
    tracing = open_tracing(log)
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, partial(_refuse_reload, log))
    stops = StopRequests()
    try:
        for notice in loaded.notices:
            log.emit("warning", "settings.notice", notice)
        host = _Host(CountingLog(tracing or log), log, open_watcher(), tracing or NoTracing(), stops)
        with stops.heard(loop):
            return await _start(loaded, host, load_settings)
    except Exception:  # noqa: BLE001 - nobody else would tell where it was, and the process is all that ends
        log.emit("critical", "daemon.broke", f"Ended by what nobody foresaw: {traceback.format_exc()}")
        return FAILED
    finally:
        ignore_from_now_on(loop, [signal.SIGHUP])
        if tracing is not None:
            tracing.close()
        release_library_logs()
        log.close()


@dataclass(frozen=True, slots=True)
class _Host:
    """Whoever watches this process, or stops it: they stay when it begins anew."""

    log: CountingLog
    host_log: HostLog
    watcher: Watcher
    tracing: Tracing
    stops: StopRequests


async def _start(loaded: LoadedSettings, host: _Host, load_settings: LoadSettings) -> int:
    settings, log = loaded.settings, host.log
    try:
        check_store_url(settings.store)
    except ValueError as error:
        log.emit("critical", "daemon.misconfigured", str(error))
        return misconfigured_status()
    try:
        return await _live_again_and_again(loaded, host, load_settings)
    except StartBrokenOffError:
        host.watcher.stopping()
        log.emit("info", "daemon.drained", "Stopped while it was starting: nothing was begun")
        return DONE
    except (CatalogueError, PriceListError, TooFewDescriptorsError, ModelConfigurationError, AwsSetupError) as error:
        log.emit("critical", "daemon.misconfigured", str(error))
        return misconfigured_status()
    except ListenError as error:
        log.emit("critical", "daemon.misconfigured", str(error))
        return UNREACHABLE
    except (JournalCorruptError, JournalSupersededError) as error:
        log.emit("critical", "store.lost", str(error))
        return FAILED
    except JournalVersionError as error:
        log.emit("critical", "store.newer", str(error))
        return misconfigured_status()
    except (JournalError, QueueError) as error:
        log.emit("critical", "daemon.unreachable", str(error))
        return UNREACHABLE


async def _live_again_and_again(loaded: LoadedSettings, host: _Host, load_settings: LoadSettings) -> int:
    """Run; when the lease on a shared store was lost, begin anew as another instance, as soon as the store is there.

    Raises: StartBrokenOffError; whatever ends the first life otherwise, or makes another one impossible.
    """
    rejoining = False
    while True:
        try:
            with host.stops.breaking_off():
                return await _live(loaded, host, load_settings)
        except JournalLeaseLostError as error:
            rejoining = True
            host.log.emit("error", "daemon.rejoins", f"Everything in flight was stopped; beginning anew: {error}")
            host.watcher.status("NOT ACCEPTING: the lease on the store was lost; beginning anew")
        except JournalUnavailableError:
            if not rejoining:
                raise
            host.watcher.alive()  # waiting for the store is no hang
            with host.stops.breaking_off():
                await asyncio.sleep(_REJOIN_EVERY_S)
        collect_what_has_ended()


async def _live(loaded: LoadedSettings, host: _Host, load_settings: LoadSettings) -> int:
    """Open everything, run until stopped, and close everything; return the exit status."""
    settings, log = loaded.settings, host.log
    catalogue = read_catalogue(settings.catalogue)
    budget, limits = take_descriptors(settings)
    log_ledger(log, budget, limits)
    async with open_world(settings, budget, log, host.watcher, host.tracing) as (world, planner):
        orchestrator = Orchestrator(world, tunables_of(settings, catalogue, budget), _descriptors_line)
        meter = LagMeter(log)
        operations = RunningOperations(
            orchestrator,
            loaded=loaded,
            load_settings=load_settings,
            budget=budget,
            log=log,
            host_log=host.host_log,
            learn_model=lambda model, known: planner.learn(model, world.clock.now(), known),
            lag=meter.lag,
        )
        # After recovery: neither the SDK nor an endpoint that swallows packets keeps planned bookings waiting.
        check = _check_and_warn(settings, catalogue, world, planner, orchestrator)
        learning = asyncio.get_running_loop().create_task(check)
        try:
            with watch_loop(meter):
                return await _run(settings, orchestrator, operations, host)
        except JournalLeaseLostError as error:
            if not orchestrator.is_stopping:
                raise
            log.emit("warning", "daemon.parked", f"What was in flight is taken up by the other instances: {error}")
            return DONE
        finally:
            learning.cancel()
            await asyncio.gather(learning, return_exceptions=True)


def _descriptors_line() -> str:
    return f"{open_descriptors()}/{resource.getrlimit(resource.RLIMIT_NOFILE)[0]} descriptors"


def misconfigured_status() -> int:
    """Return the exit status for a configuration that cannot be used: the contract's, or systemd's in a service.

    EX_CONFIG (sysexits.h) tells the service manager that starting again cannot help; people at a terminal get the
    status that every command has for it.
    """
    return EX_CONFIG if os.environ.get("NOTIFY_SOCKET") else USAGE


async def _check_and_warn(
    settings: Settings, catalogue: Catalogue, world: World, planner: ClaudePlanner, orchestrator: Orchestrator
) -> None:
    """Ask about the models as soon as what was taken up has had time to make its calls."""
    await orchestrator.ready()
    await asyncio.sleep(orchestrator.in_memory * _TAKEN_UP_S)
    for model in all_models(settings):
        for warning in await planner.learn(model, world.clock.now(), catalogue):
            world.log.emit("warning", "model.warning", str(warning), code=warning.code)


async def _run(settings: Settings, orchestrator: Orchestrator, operations: RunningOperations, host: _Host) -> int:
    """Listen for operators and machines, and go round until stopped. Raises: ListenError, JournalError."""
    loop, log = asyncio.get_running_loop(), host.log
    reloads: set[asyncio.Task[Reloaded]] = set()

    def reload() -> None:
        task = loop.create_task(operations.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    host.stops.act(orchestrator.stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    async with AsyncExitStack() as listeners:
        listeners.push_async_callback(_end_reloads, reloads)
        listeners.callback(_refuse_reloads, loop, log)
        listeners.callback(host.stops.act, None)  # what is closed now is closed whole
        await listeners.enter_async_context(open_control(control_socket(settings), operations))
        if settings.health:
            address = await listeners.enter_async_context(open_health(parse_address(settings.health), operations))
            log.emit("info", "daemon.listening", f"Health is told at {address}", address=address)
        await orchestrator.run()
    return DONE


async def _end_reloads(reloads: set[asyncio.Task[Reloaded]]) -> None:
    """Break off what is being taken: it must not reach for what is closed next."""
    for task in reloads:
        task.cancel()
    await asyncio.gather(*reloads, return_exceptions=True)


def _refuse_reloads(loop: asyncio.AbstractEventLoop, log: Log) -> None:
    loop.add_signal_handler(signal.SIGHUP, partial(_refuse_reload, log))


def _refuse_reload(log: Log) -> None:
    """Say that SIGHUP changed nothing; left alone it would end the process, and systemd calls that a clean end."""
    message = "Nothing is taken while the daemon starts, ends or begins anew: reload again when it is ready"
    log.emit("error", "daemon.reload_refused", message)
