"""How commands fail: statuses and words."""

from __future__ import annotations

import pytest

from jada_orchestrator.cli.failing import CommandError, report
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.ports.journal import JournalCorruptError, JournalUnavailableError, JournalVersionError
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.service.refusals import BadMessageError, MisconfiguredError


@pytest.mark.parametrize(
    ("error", "status", "says"),
    [
        (CommandError("it [bold]did[/] not", hint="do this", status=3), 3, "it [bold]did[/] not"),
        (BadMessageError((Fault("MISSING", "text", "is missing"),)), 2, "text: is missing"),
        (MisconfiguredError("no key"), 2, "no key"),
        (JournalUnavailableError("no store"), 3, "no store"),
        (JournalVersionError("newer"), 2, "newer"),
        (JournalCorruptError("torn"), 1, "torn"),
        (QueueError("no queue"), 3, "no queue"),
        (RuntimeError("boom"), 1, "jada --debug"),
    ],
)
def test_every_failure_has_a_status_and_a_sentence(
    error: Exception, status: int, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each kind of failure ends with the contract's status and is told as it is, without a traceback."""
    assert report(error) == status
    told = capsys.readouterr().err
    assert told.startswith("Error: ")
    assert says in told
    assert "Traceback" not in told
