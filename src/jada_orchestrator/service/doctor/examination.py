"""The whole examination: all checks at once, within a bounded time, and none that fails takes the others with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Final

from jada_orchestrator.adapters.host.catalogue_files import CatalogueError
from jada_orchestrator.domain.catalogue import Catalogue
from jada_orchestrator.service.catalogues import read_catalogue
from jada_orchestrator.service.doctor.aws import check_aws, check_instance
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.doctor.host import check_disk, check_limits, check_ssh, check_unit
from jada_orchestrator.service.doctor.model import check_model
from jada_orchestrator.service.doctor.store import check_store
from jada_orchestrator.service.doctor.surroundings import Surroundings, real_surroundings
from jada_orchestrator.service.settings_tiers import LoadedSettings, SettingsMistakesError

TIME_MAX_S: Final = 30.0
"""Of the whole; what has not answered by then is a failure of its own."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is looked at beside this host."""

    instance: str = ""
    ssh: str = ""


async def examine(
    load: Callable[[], LoadedSettings],
    wishes: Wishes | None = None,
    host: Surroundings | None = None,
    *,
    time_max_s: float = TIME_MAX_S,
) -> list[Finding]:
    """Run every check and return its lines, by area in a fixed order. Raises nothing but cancellation."""
    wishes = wishes or Wishes()
    host = host or real_surroundings()
    beside: list[tuple[str, Awaitable[Iterable[Finding]]]] = [("service", check_unit(host))]
    if wishes.instance:
        beside.append(("instance", check_instance(wishes.instance)))
    if wishes.ssh:
        beside.append(("remote", check_ssh(wishes.ssh, host)))
    try:
        loaded = load()
    except SettingsMistakesError as error:
        first = [
            failure("settings", each.code, f"{each.where}: {each.message}", "Mend it there.") for each in error.faults
        ]
        return first + await _all(beside, time_max_s)
    settings = loaded.settings
    first = list(_settings_lines(loaded))
    catalogue, lines = _catalogue(loaded)
    first += [*lines, *check_limits(settings, host), *check_disk(settings, host)]
    checks: list[tuple[str, Awaitable[Iterable[Finding]]]] = [
        ("store", check_store(settings)),
        ("model", check_model(settings, catalogue)),
        ("aws", check_aws(settings, catalogue, host)),
        *beside,
    ]
    return first + await _all(checks, time_max_s)


def _settings_lines(loaded: LoadedSettings) -> Iterable[Finding]:
    tiers = sorted({origin.tier for origin in loaded.origins.values()} - {"default"})
    where = f"from {', '.join(tiers)} and the defaults" if tiers else "all at their defaults"
    yield ok("settings", "SETTINGS", f"the settings are sound, {where} (jada config show)")
    for notice in loaded.notices:
        yield warning("settings", "SETTING_NOT_USED", notice, "Correct it or take it out.")


def _catalogue(loaded: LoadedSettings) -> tuple[Catalogue | None, list[Finding]]:
    folder = loaded.settings.catalogue
    try:
        catalogue = read_catalogue(folder)
    except CatalogueError as error:
        return None, [
            failure("catalogue", each.code, f"{each.where}: {each.message}", "Mend it there.") for each in error.faults
        ]
    count = f"{len(catalogue.agents)} agents with {len(catalogue.actions)} actions"
    return catalogue, [ok("catalogue", "CATALOGUE", f"{folder} has {count}")]


async def _all(checks: list[tuple[str, Awaitable[Iterable[Finding]]]], time_max_s: float) -> list[Finding]:
    groups = await asyncio.gather(*(_one(area, check, time_max_s) for area, check in checks))
    return [finding for group in groups for finding in group]


async def _one(area: str, check: Awaitable[Iterable[Finding]], time_max_s: float) -> list[Finding]:
    try:
        async with asyncio.timeout(time_max_s):
            return list(await check)
    except TimeoutError:
        said = f"the checks of {area} did not end within {time_max_s:g} s"
        return [failure(area, "CHECK_SLOW", said, "Something holds calls up on the way: a firewall that drops, DNS.")]
    except Exception as error:  # noqa: BLE001 - a check's own fault is a line of the report, and the other checks count
        said = f"this check itself failed: {type(error).__name__}: {error}"
        return [failure(area, "CHECK_FAILED", said, "Please report it, with the output of jada --debug doctor --json.")]
