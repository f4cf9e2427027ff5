"""How a command fails: one sentence, what to do next, the contract's exit status, and no traceback unless asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rich.markup import escape

from jada_orchestrator.cli.screen import print_error
from jada_orchestrator.ports.journal import (
    JournalCorruptError,
    JournalError,
    JournalInUseError,
    JournalVersionError,
)
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.service.refusals import BadMessageError, MisconfiguredError
from jada_orchestrator.service.settings_tiers import SettingsMistakesError
from jada_orchestrator.service.store_access import AmbiguousIdError, NoSuchWorkflowError

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
UNREACHABLE: Final = 3
INTERRUPTED: Final = 130
"""Ended by Ctrl-C, as shells have it (128 and the signal's number)."""


class CommandError(Exception):
    """A command could not do what it was asked for.

    Raised by commands; `hint` says what to do next and `status` is the exit status.
    """

    def __init__(self, message: str, *, hint: str = "", status: int = FAILED) -> None:
        """Keep what is told."""
        super().__init__(message)
        self.hint = hint
        self.status = status


@dataclass(frozen=True, slots=True)
class Told:
    """What people are told of an exception."""

    message: str
    hint: str
    status: int


def report(error: Exception) -> int:
    """Tell people of an exception and return the exit status."""
    told = _told(error)
    print_error(f"[bold red]Error:[/] {escape(told.message)}")
    if told.hint:
        print_error(f"[dim]{escape(told.hint)}[/]")
    return told.status


def _told(error: Exception) -> Told:
    match error:
        case CommandError():
            return Told(str(error), error.hint, error.status)
        case SettingsMistakesError():
            count = len(error.faults)
            what = "a mistake" if count == 1 else f"{count} mistakes"
            lines = "\n".join(f"  {fault.where}: {fault.message}" for fault in error.faults)
            return Told(f"the settings have {what}:\n{lines}", "`jada config show` explains every setting.", USAGE)
        case BadMessageError():
            lines = "\n".join(f"  {fault}" for fault in error.faults)
            return Told(f"the message cannot be sent as it is:\n{lines}", "", USAGE)
        case MisconfiguredError():
            return Told(str(error), "", USAGE)
        case AmbiguousIdError():
            lines = "\n".join(
                f"  {workflow_id}  {head.request_id}  {head.status}" for workflow_id, head in error.candidates
            )
            return Told(f"{error}:\n{lines}", "Type a few characters more.", USAGE)
        case NoSuchWorkflowError():
            return Told(str(error), "`jada list` shows what is there. A request that is still queued is not.", FAILED)
        case JournalVersionError():
            return Told(str(error), "Use the newer version of jada.", USAGE)
        case JournalCorruptError():
            return Told(str(error), "", FAILED)
        case JournalInUseError() | JournalError():
            return Told(str(error), "`jada config get store` tells which store is used.", UNREACHABLE)
        case QueueError():
            return Told(str(error), "", UNREACHABLE)
        case _:
            return Told(
                f"{type(error).__name__}: {error}",
                "This was not foreseen. `jada --debug ...` shows where it happened.",
                FAILED,
            )
