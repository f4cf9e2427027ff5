"""Moving a journal: what is refused before anything is opened."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from jada_orchestrator.ports.journal import JournalUnavailableError
from jada_orchestrator.service.moving import move


def test_a_source_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A slip in its path moves nothing, says so, and leaves no empty store behind that looks like a moved one."""
    source, target = (f"sqlite://{tmp_path / name}.db" for name in ("slip", "target"))
    with pytest.raises(JournalUnavailableError, match=r"no store at .*slip"):
        asyncio.run(move(source, target))
    assert list(tmp_path.iterdir()) == []
