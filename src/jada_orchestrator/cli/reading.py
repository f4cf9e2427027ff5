"""The commands that look: list, show, why, watch."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.text import Text

from jada_orchestrator.cli import options
from jada_orchestrator.cli.drawing import STATUS_STYLES, clock_time, now_ms, table_of, tree_of
from jada_orchestrator.cli.failing import USAGE, CommandError
from jada_orchestrator.cli.following import follow
from jada_orchestrator.cli.screen import print_json, screen
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.workflow import Status, Workflow
from jada_orchestrator.engine.dispatching import first_call
from jada_orchestrator.ports.journal import Head, JournalReader, Stored
from jada_orchestrator.service.store_access import NoSuchWorkflowError, resolve
from jada_orchestrator.service.views import first_call_of, see, show, show_head, story

_STATUSES = [status.value for status in Status]


def list_bookings(
    context: typer.Context,
    status: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(_STATUSES)}.", metavar="STATUS")] = None,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's.")] = None,
    quarantined: Annotated[
        bool, typer.Option("--quarantined", "--set-aside", help="Only those that broke a law of ours.")
    ] = False,
    unsettled: Annotated[
        bool, typer.Option("--unsettled", help="Only those that need a person, and that nobody has settled.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many, the newest first.")] = 50,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """List bookings, the newest first."""
    if status is not None and status not in _STATUSES:
        raise CommandError(f"there is no status {status!r}", hint=f"There are: {', '.join(_STATUSES)}.", status=USAGE)

    async def ask(reader: JournalReader) -> list[tuple[WorkflowId, Head]]:
        return await reader.heads(
            status=status, tenant=tenant, quarantined=quarantined, unsettled=unsettled, limit=limit
        )

    heads = options.with_store(context, store, ask)
    if as_json:
        print_json([show_head(workflow_id, head) for workflow_id, head in heads])
    elif heads:
        screen().print(table_of(heads, now_ms()))
    elif status is not None or tenant is not None or quarantined or unsettled:
        screen().print("No such bookings. `jada list` alone shows all.", markup=False)
    else:
        screen().print("No bookings. `jada submit` makes one.", markup=False)


def show_booking(
    context: typer.Context, ref: options.WorkflowRef, store: options.Store = None, as_json: options.AsJson = False
) -> None:
    """Show one booking: its plan as a tree, every task's state and time, result and cost."""
    stored = options.with_store(context, store, lambda reader: _history(reader, ref))
    seen = see(stored)
    if as_json:
        print_json(show(seen))
        return
    console = screen()
    console.print(tree_of(seen, now_ms()))
    workflow = seen.workflow
    facts = f"{stored.workflow_id}  tenant {workflow.tenant}  model {workflow.model or 'none'}"
    console.print(Text(f"{facts}  began {clock_time(workflow.created_at, date=True)}", "dim"))
    _print_first_call(workflow)
    if workflow.result is not None:
        console.print(Text("Result", "bold"))
        console.print_json(json.dumps(workflow.result), indent=2)


def _print_first_call(workflow: Workflow) -> None:
    """Say how soon the first call went out, and how much of the plan's making that hid."""
    first = first_call(workflow)
    if first is not None:
        screen().print(Text(first.sentence(), style="dim"), soft_wrap=True)


def why(
    context: typer.Context,
    ref: options.WorkflowRef,
    everything: Annotated[bool, typer.Option("--all", help="Every record, also those for developers.")] = False,
    store: options.Store = None,
    as_json: options.AsJson = False,
) -> None:
    """Tell the story of one booking in plain sentences, from its journal."""
    stored = options.with_store(context, store, lambda reader: _history(reader, ref))
    lines = story(stored.entries, everything=everything)
    if as_json:
        head = stored.head
        told = {"workflow_id": stored.workflow_id, "request_id": head.request_id, "status": head.status}
        print_json({**told, "first_call": first_call_of(see(stored).workflow), "story": lines})
        return
    console = screen()
    console.print(_title(stored))
    for line in lines:
        console.print(story_line(line), soft_wrap=True)
    _print_first_call(see(stored).workflow)


def watch(
    context: typer.Context,
    ref: options.WorkflowRef,
    store: options.Store = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a line of JSON for each thing that happens.")] = False,
) -> None:
    """Watch one booking until it ends or waits for a person. Ctrl-C stops the watching, not the booking."""

    async def ask(reader: JournalReader) -> None:
        workflow_id, _ = await resolve(reader, ref)
        await follow(reader, workflow_id, screen(), for_programs=as_json)

    options.with_store(context, store, ask)


def story_line(line: dict[str, object]) -> Text:
    """Return one line of a story for people."""
    style = {"warning": "yellow", "error": "red", "critical": "bold red", "debug": "dim"}.get(str(line["level"]), "")
    text = Text(f"{clock_time(parse_instant(str(line['at'])))}  ", style="dim")
    text.append(str(line["message"]), style)
    return text


async def _history(reader: JournalReader, ref: str) -> Stored:
    workflow_id, _ = await resolve(reader, ref)
    stored = await reader.history(workflow_id)
    if stored is None:
        raise NoSuchWorkflowError(f"{workflow_id} has gone from the store meanwhile")
    return stored


def _title(stored: Stored) -> Text:
    head = stored.head
    text = Text(head.request_id or stored.workflow_id, style="bold")
    text.append(f"  {head.status}", STATUS_STYLES.get(head.status, ""))
    text.append(f"  began {clock_time(head.created_at, date=True)}", "dim")
    return text
