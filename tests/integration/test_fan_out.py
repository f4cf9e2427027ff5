"""Fifty agents for one booking are called at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fan_out import fan_out

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_fifty_agents_at_once(tmp_path: Path) -> None:
    """A plan with fifty tasks that need nothing of each other has all fifty in flight at once."""
    [seen] = await fan_out(tmp_path, 50, 2.0, 1)
    assert seen.at_once == 50
    assert len(seen.ended) == 51
