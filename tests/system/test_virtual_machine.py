"""The unit on whole virtual machines: what only a kernel of its own can show (`make test-vm`; minutes)."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.system.host import CHECKOUT, ENVIRONMENT, ROOT, TOOL, why_not

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(os.environ.get("TEST_VM") != "1", reason="virtual machines take minutes: `make test-vm`"),
]

SCRIPT = f"""set -eux
mkdir -p /opt/jada && ln -sfn {ENVIRONMENT} /opt/jada/current
install -D -m 0644 {CHECKOUT}/deploy/systemd/jada.sysusers.conf /etc/sysusers.d/jada.conf
systemd-sysusers
cp {CHECKOUT}/deploy/systemd/jada-orchestrator.service /etc/systemd/system/
mkdir -p /etc/jada /etc/systemd/system/jada-orchestrator.service.d
# No model and no queue is here, so that another program stands for the daemon: the limits around it are looked at.
printf '%s\\n' '[Service]' Type=exec ExecStart= 'ExecStart=/bin/sleep 600' WatchdogSec=0 MemoryMax=64M TasksMax=20 \\
  >/etc/systemd/system/jada-orchestrator.service.d/vm.conf
systemctl daemon-reload
test "$(systemd-analyze verify jada-orchestrator.service 2>&1)" = ''
systemd-analyze security --no-pager jada-orchestrator.service | tail -n 1
systemctl start jada-orchestrator
pid=$(systemctl show -P MainPID jada-orchestrator)
grep 'Max open files' /proc/$pid/limits
test "$(awk '/Max open files/ {{print $4, $5}}' /proc/$pid/limits)" = '65536 524288'
group=/sys/fs/cgroup$(systemctl show -P ControlGroup jada-orchestrator)
test "$(cat $group/memory.max)" = 67108864
test "$(cat $group/pids.max)" = 20
systemctl --version | head -n 1
"""


@pytest.mark.parametrize("suite", ["bookworm", "trixie"])
def test_limits_are_in_force(suite: str, tmp_path: Path) -> None:
    """LimitNOFILE is exactly what the unit says, and the kernel has memory and task limits, on 252 and 257."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    script = tmp_path / "inside.sh"
    script.write_text(SCRIPT)
    done = subprocess.run(
        [
            str(TOOL),
            "--backend",
            "vm",
            "--suite",
            suite,
            "--timeout",
            "400",
            "--venv",
            f"{sys.prefix}:{ENVIRONMENT}",
            "--file",
            f"{ROOT / 'deploy'}:{CHECKOUT}/deploy",
            "--script",
            str(script),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1.1 OK" in done.stdout + done.stderr
