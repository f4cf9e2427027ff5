"""A full disk: nothing is accepted, that is said once, nothing is lost, and it goes on by itself when space returns."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.surroundings import Surroundings, a_request

pytestmark = pytest.mark.asyncio(loop_scope="session")

DISK_KIB = 16 * 1_024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small enough to be filled."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount the small file system that this test fills")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """Write a file until nothing more fits."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return ballast


async def test_it_stops_accepting_and_goes_on(alone: Surroundings, disk: Path) -> None:
    """Bookings wait while the disk is full, the trouble and its end are each said once, and all bookings end."""
    environment = {"JADA_STORE": f"sqlite://{disk / 'journal.db'}"}
    async with alone.daemon(environment) as daemon:
        await daemon.ready()
        await alone.send(a_request("disk-1"))
        await alone.outcomes.outcome("disk-1")
        ballast = fill(disk)
        for number in range(2, 6):
            await alone.send(a_request(f"disk-{number}"))
        await daemon.told("store.unavailable")
        assert "space" in daemon.events("store.unavailable")[0]["message"]
        ballast.unlink()
        await daemon.told("store.available")
        for number in range(2, 6):
            outcome = await alone.outcomes.outcome(f"disk-{number}")
            assert outcome["data"]["status"] == "completed"
        assert await daemon.stop() == 0
        assert len(daemon.events("store.unavailable")) == len(daemon.events("store.available")) == 1
    books = await alone.books()
    assert books.doubled == ()
    assert await alone.half_made({f"disk-{number}": "completed" for number in range(1, 6)}) == []
