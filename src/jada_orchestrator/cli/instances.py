"""`jada instances`: who works on a store that several share, and what each owns."""

from __future__ import annotations

import asyncio

import typer
from rich.table import Table
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import clock_time, now_ms
from jada_orchestrator.cli.failing import USAGE, CommandError
from jada_orchestrator.cli.screen import print_json, screen
from jada_orchestrator.domain.instants import UtcMs, format_instant
from jada_orchestrator.ports.ownership import Instance
from jada_orchestrator.service.store_access import instances_of

_STYLES = {"alive": "green", "late": "yellow", "drained": "dim", "expired": "red"}


def list_instances(context: typer.Context, store: options.Store = None, as_json: options.AsJson = False) -> None:
    """List the instances that share the store: who is alive, what each owns, since when."""
    settings = options.loaded(context, store=store).settings
    try:
        found = asyncio.run(instances_of(settings))
    except ValueError as error:
        raise CommandError(
            str(error), hint="`jada config get store` tells which store is used.", status=USAGE
        ) from error
    now = now_ms()
    if as_json:
        print_json([_shown(each, now) for each in found])
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("instance", "state", "owns", "since", "process", "version"):
        table.add_column(column, overflow="fold")
    for each in found:
        state = _state(each, now)
        owns, since = str(each.workflows), clock_time(each.since)
        table.add_row(str(each.number), Text(state, _STYLES[state]), owns, since, Text(each.holder), each.version)
    screen().print(table if found else "No instance has used this store within the last hour.")


def _state(instance: Instance, now: UtcMs) -> str:
    """Return how an instance is; one whose lease ran out by this machine's clock and that nobody has ended is late."""
    if instance.ended:
        return instance.ended
    return "alive" if instance.lease_until >= now else "late"


def _shown(instance: Instance, now: UtcMs) -> dict[str, object]:
    return {
        "instance": instance.number,
        "state": _state(instance, now),
        "bookings": instance.workflows,
        "since": format_instant(instance.since),
        "lease_until": format_instant(instance.lease_until),
        "process": instance.holder,
        "version": instance.version,
    }
