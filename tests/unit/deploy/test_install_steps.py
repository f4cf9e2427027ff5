"""What `deploy/install.sh` would do, where it cannot be done for real: dry runs on a host of scripts."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

INSTALL = Path(__file__).parents[3] / "deploy" / "install.sh"
SYSTEMCTL = """#!/bin/sh
case $1 in
  list-units) printf '%s\\n' 'jada-orchestrator@north.service loaded active running x' \\
    'jada-orchestrator@south.service loaded failed failed x' ;;
  is-active) exit 3 ;;
esac
"""


@pytest.fixture
def said(tmp_path: Path) -> str:
    """What a removal of everything says on a host with two instances."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL, encoding="utf-8")
    (tmp_path / "systemctl").chmod(0o755)
    ran = subprocess.run(
        ["bash", str(INSTALL), "uninstall", "--purge", "--dry-run"],
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


def test_instances_are_stopped_before_their_program_goes(said: str) -> None:
    """No instance is left to run, or to be started again, from a folder that is not there any more."""
    stops = [said.index(f"disable --quiet --now jada-orchestrator@{name}.service") for name in ("north", "south")]
    assert max(stops) < said.index("rm -rf /opt/jada")


def test_a_purge_leaves_no_key_behind(said: str) -> None:
    """Credentials go in both forms that the unit reads: plain, and encrypted for the host."""
    for name in ("anthropic_api_key", "aws_credentials"):
        assert f"/etc/credstore/{name}" in said
        assert f"/etc/credstore.encrypted/{name}" in said
