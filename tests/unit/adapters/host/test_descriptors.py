"""What the operating system says of descriptors."""

from __future__ import annotations

import socket
from pathlib import Path

from jada_orchestrator.adapters.host.descriptors import OpenFiles, count_by_kind, count_open, read_limits


def test_open_files_are_counted_by_kind(tmp_path: Path) -> None:
    """A socket and the journal's file add one each to their kinds, and two to the count."""
    before, kinds = count_open(), count_by_kind()
    with socket.socket(), (tmp_path / "journal.db").open("w"):
        now = count_by_kind()
        assert count_open() == before + 2
        assert now["sockets"] == kinds.get("sockets", 0) + 1
        assert now["store"] == kinds.get("store", 0) + 1
    assert count_open() == before


def test_limits_are_numbers() -> None:
    """The soft limit is within the hard one, and neither is infinite."""
    soft, hard, nr_open = read_limits()
    assert 0 < soft <= hard < 2**31
    assert nr_open is None or nr_open > 0


def test_files_are_not_counted_again_at_once() -> None:
    """Looking often costs nothing: within half a second the last count stands."""
    counts = iter([10, 20])
    times = iter([0.0, 0.4, 0.6])
    open_files = OpenFiles(lambda: next(counts), lambda: next(times))
    assert [open_files(), open_files(), open_files()] == [10, 10, 20]
