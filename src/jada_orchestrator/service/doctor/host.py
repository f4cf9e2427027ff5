"""Checks of the host: open files, disk, the unit, and other hosts by API or ssh."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.journal.opening import is_postgres, store_path
from jada_orchestrator.capacity.descriptors import Limits, TooFewDescriptorsError
from jada_orchestrator.service.descriptors import divided
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.doctor.surroundings import Surroundings
from jada_orchestrator.service.settings import Settings

UNIT: Final = "jada-orchestrator.service"
HARD_WISH: Final = 4_096
"""Below this the pools shrink under any real load; containers and shells often have 1,024."""
FREE_LEAST_BYTES: Final = 100 * 1024 * 1024
FREE_GOOD_BYTES: Final = 1024 * 1024 * 1024
_DESTINATION: Final = re.compile(r"\A[A-Za-z0-9._-]+@[A-Za-z0-9][A-Za-z0-9.:-]*\Z")


def check_limits(settings: Settings, host: Surroundings) -> Iterator[Finding]:
    """Look at the limit of open files that holds, and at what the pools get of it."""
    area = "limits"
    soft, hard = host.limits()
    bound = host.nr_open()
    raised = Limits(soft, hard, bound, settings.descriptors.ceiling).wanted_soft()
    known = f", the kernel's bound fs.nr_open is {bound}" if bound is not None else ""
    wanted = settings.connections
    if hard < HARD_WISH:
        yield warning(
            area,
            "FILES_FEW",
            f"this process may open {soft} files, {hard} at most{known}",
            "In a service: LimitNOFILE=65536:524288. In a shell: ulimit -Hn, as root or in limits.conf.",
        )
    else:
        yield ok(area, "FILES", f"this process may open {soft} files and raises it to {raised}{known}")
    try:
        budget = divided(settings, raised)
    except TooFewDescriptorsError as error:
        yield failure(area, "FILES_TOO_FEW", str(error), "Raise the limit as the line before says.")
        return
    got = f"functions {budget.functions}, queues {budget.queues}, model {budget.model}"
    if (budget.functions, budget.queues, budget.model) != (wanted.functions, wanted.queues, wanted.model):
        yield warning(
            area,
            "POOLS_SHRUNK",
            f"the pools get less than the settings ask for: {got}",
            "Raise the limit of open files and descriptors.ceiling, or ask for less in the settings connections.*.",
        )
    else:
        yield ok(area, "POOLS", f"the pools get what the settings ask for: {got}")


def check_disk(settings: Settings, host: Surroundings) -> Iterator[Finding]:
    """Look at the room for the journal, where it is on this host."""
    if is_postgres(settings.store):
        return
    try:
        folder = store_path(settings.store).parent
        total, free = host.disk(folder)
    except (OSError, ValueError):
        return  # there is no such folder, or the URL names none: the store's own check says so
    percent = 100 * free / max(total, 1)
    said = f"{free / 2**30:.1f} GiB ({percent:.0f} %) are free where the store is"
    if free < FREE_LEAST_BYTES:
        yield failure("disk", "DISK_FULL", said, f"Make room in {folder}: without it nothing is accepted.")
    elif free < FREE_GOOD_BYTES:
        yield warning("disk", "DISK_LOW", said, f"Make room in {folder}; a booking takes about 50 KB.")
    else:
        yield ok("disk", "DISK", said)


async def check_unit(host: Surroundings) -> list[Finding]:
    """Look at the unit: its state, what limit the process really has, and how tight it is."""
    area = "service"
    names = "LoadState,ActiveState,SubState,Result,NRestarts,MainPID,LimitNOFILE,NeedDaemonReload,FragmentPath"
    shown = await host.run(["systemctl", "show", UNIT, "-p", names])
    values = dict(line.split("=", 1) for line in shown.output.splitlines() if "=" in line)
    if shown.status != 0 or values.get("LoadState") in {None, "not-found"}:
        return [ok(area, "UNIT_NONE", f"{UNIT} is not installed here; nothing to check")]
    found = list(_unit_state(values))
    if values.get("NeedDaemonReload") == "yes":
        found.append(
            warning(area, "UNIT_CHANGED", "the unit's file was changed after it was read", "systemctl daemon-reload")
        )
    security = await host.run(["systemd-analyze", "security", "--no-pager", UNIT])
    score = re.search(r"exposure level for \S+: ([0-9.]+)", security.output)
    if score is None:
        found.append(ok(area, "EXPOSURE_UNKNOWN", "systemd-analyze cannot judge the unit here; not checked"))
    elif float(score[1]) > 2.0:
        found.append(
            warning(
                area,
                "EXPOSURE",
                f"the unit's exposure is {score[1]}; as it is shipped it is 1.1",
                f"See which drop-in loosens it: systemctl cat {UNIT}; systemd-analyze security {UNIT}",
            )
        )
    else:
        found.append(ok(area, "EXPOSURE", f"the unit's exposure is {score[1]} (systemd-analyze security)"))
    return found


def _unit_state(values: dict[str, str]) -> Iterator[Finding]:
    area = "service"
    state, pid = values.get("ActiveState", ""), values.get("MainPID", "0")
    if state == "failed":
        yield failure(
            area,
            "UNIT_FAILED",
            f"{UNIT} has failed ({values.get('Result')}, {values.get('NRestarts')} restarts)",
            f"journalctl -u {UNIT} -p warning -n 50; then systemctl reset-failed {UNIT} && systemctl start {UNIT}",
        )
    elif state == "active":
        restarts = values.get("NRestarts", "0")
        if restarts not in {"0", ""}:
            yield warning(
                area,
                "UNIT_RESTARTED",
                f"{UNIT} runs, and was restarted {restarts} times",
                f"journalctl -u {UNIT} -p warning shows why",
            )
        else:
            yield ok(area, "UNIT_ACTIVE", f"{UNIT} runs, process {pid}")
        yield from _limit_in_force(values.get("LimitNOFILE", ""), pid)
    else:
        yield ok(area, "UNIT_STOPPED", f"{UNIT} is installed and {state or 'not running'}")


def _limit_in_force(wish: str, pid: str) -> Iterator[Finding]:
    """Compare what the unit asks for with what the process has: systemd clamps in silence."""
    try:
        text = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    except OSError:
        return
    line = next(line for line in text.splitlines() if line.startswith("Max open files"))
    hard = line.split()[4]
    if wish and wish not in {hard, "infinity"} and int(hard) < int(wish):
        yield warning(
            "service",
            "LIMIT_CLAMPED",
            f"the unit asks for {wish} open files; the process may have {hard}",
            "The kernel's fs.nr_open, or the container around, bounds it: ask for less, or raise that first.",
        )
    else:
        yield ok("service", "LIMIT", f"the running process may open {hard} files")


async def check_ssh(destination: str, host: Surroundings) -> list[Finding]:
    """Ask another host's systemd for the unit's state; the host's key must be known already."""
    area = "remote"
    if not _DESTINATION.match(destination):
        return [failure(area, "SSH_NAME", f"{destination!r} is not user@host", "Write --ssh admin@203.0.113.7")]
    command = f"systemctl is-active {shlex.quote(UNIT)}"
    options = ["-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"]
    ran = await host.run(["ssh", *options, "--", destination, command])
    said = ran.output.strip().splitlines()[-1:] or ["nothing"]
    if ran.status == 0:
        return [ok(area, "SSH_ACTIVE", f"{UNIT} on {destination} is {said[0]}")]
    if ran.status in {None, 255}:
        return [
            failure(
                area,
                "SSH_UNREACHABLE",
                f"{destination} cannot be asked: {said[0]}",
                "Check its address, your key, and that its host key is in known_hosts (ssh once by hand, and compare).",
            )
        ]
    return [
        failure(
            area,
            "SSH_INACTIVE",
            f"{UNIT} on {destination} is {said[0]}",
            f"ssh {destination} journalctl -u {UNIT} -n 50",
        )
    ]
