"""Following a booking in the store while it runs: a live tree on a terminal, a line for each thing elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from rich.console import Console
from rich.live import Live

from jada_orchestrator.cli.drawing import clock_time, now_ms, tree_of
from jada_orchestrator.cli.screen import print_json_line
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.domain.instants import parse_instant
from jada_orchestrator.domain.workflow import TERMINAL, Status
from jada_orchestrator.ports.journal import JournalReader, Stored
from jada_orchestrator.service.store_access import NoSuchWorkflowError
from jada_orchestrator.service.views import Seen, see, story

POLL_S: Final = 0.2
"""A booking's journal is small and local; five looks a second are smooth and cost nothing."""
WAITS_FOR_SOMEBODY: Final = frozenset({Status.AWAITING_APPROVAL, Status.NEEDS_CLARIFICATION})

Show = Callable[[Stored, Seen], None]


async def follow(
    reader: JournalReader, workflow_id: WorkflowId, console: Console | None, *, for_programs: bool = False
) -> Seen:
    """Show a booking until it has ended or waits for somebody; return how it is then. None shows nothing.

    `for_programs`: a line of JSON for each line of the story, as `jada why --json` has them.
    Raises: JournalError, NoSuchWorkflowError.
    """
    if for_programs:
        return await _until_quiet(reader, workflow_id, _JsonLines())
    if console is None:
        return await _until_quiet(reader, workflow_id, lambda *_: None)
    if not console.is_terminal:
        return await _until_quiet(reader, workflow_id, _Lines(console))
    with Live(console=console, refresh_per_second=8, transient=False) as live:
        return await _until_quiet(reader, workflow_id, lambda _, seen: live.update(tree_of(seen, now_ms())))


def is_quiet(seen: Seen) -> bool:
    """Tell whether nothing more happens by itself."""
    workflow = seen.workflow
    return workflow.status in TERMINAL or workflow.status in WAITS_FOR_SOMEBODY or workflow.quarantined is not None


class _Lines:
    """Writes each line of the story once."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told = 0

    def __call__(self, stored: Stored, _: Seen) -> None:
        for line in story(stored.entries[self._told :]):
            at = clock_time(parse_instant(str(line["at"])))
            self._console.print(f"{at}  {line['message']}", markup=False, soft_wrap=True)
        self._told = len(stored.entries)


class _JsonLines:
    """Writes each line of the story once, as one JSON document."""

    def __init__(self) -> None:
        self._told = 0

    def __call__(self, stored: Stored, _: Seen) -> None:
        for line in story(stored.entries[self._told :]):
            print_json_line(line)
        self._told = len(stored.entries)


async def _until_quiet(reader: JournalReader, workflow_id: WorkflowId, shown: Show) -> Seen:
    while True:
        stored = await reader.history(workflow_id)
        if stored is None:
            raise NoSuchWorkflowError(f"there is no booking {workflow_id} in the store")
        seen = see(stored)
        shown(stored, seen)
        if is_quiet(seen):
            return seen
        await asyncio.sleep(POLL_S)
