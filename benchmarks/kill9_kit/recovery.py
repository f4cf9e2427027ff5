"""How long it takes from the start of the process until every workflow that was in flight moves again."""

from __future__ import annotations

import compileall
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import jada_orchestrator
from benchmarks.kill9_kit.daemon import Daemon
from benchmarks.kill9_kit.mid_flight import book_once, catalogue_without_bounds, fill
from benchmarks.kill9_kit.null_aws import NullAws
from benchmarks.kill9_kit.waiting import until
from jada_orchestrator.service.catalogues import read_catalogue

_RECOVERY_S_MAX: Final = 180.0
_CONNECTIONS: Final = 1_000


@dataclass(slots=True)
class Recovery:
    """The figures of one size, a value for each start.

    A workflow moves again when nothing of the restart holds it back any more: what was lost is durably known to be, and
    each of its calls is under way or in line for a slot. How soon those in line get one is a matter of what the agents
    and the connections bear, not of recovery; so both are measured.

    All of them ask for the same and have the same plan, to the byte, as bookings of one template do: it is read once.
    """

    workflows: int
    recovered_s: list[float] = field(default_factory=list)
    """Until the log said `daemon.recovered`: all of them move again."""
    moving_s: list[float] = field(default_factory=list)
    """Until the last workflow's first call had arrived outside."""
    cpu_s: list[float] = field(default_factory=list)
    """Processor time of the daemon until it had recovered: steadier than time where a machine is shared."""
    rss_mib: list[float] = field(default_factory=list)
    """Memory in use when all had been heard of."""


async def measure_recovery(recovery: Recovery, folder: Path, repeats: int, tell: Callable[[str], None]) -> None:
    """Fill a journal, and start the daemon on a copy of it so often; figures are added to `recovery` as they come."""
    workflows = recovery.workflows
    # As pip does when it installs: an operator's daemon never compiles itself, a checkout may do so at every start.
    compileall.compile_dir(Path(jada_orchestrator.__file__).parent, quiet=1)
    tell(f"{workflows:,} in flight: making the journal")
    pattern = await book_once(folder / "pattern")
    agents = catalogue_without_bounds(folder / "agents")
    filled = folder / "filled"
    ids = set(await fill(f"sqlite://{filled / 'journal.db'}", workflows, pattern, read_catalogue(agents), seed=1))
    async with NullAws(pattern.outputs) as aws:
        for number in range(repeats):
            here = folder / f"start-{number}"
            shutil.copytree(filled, here)
            await _start_once(recovery, here, agents, aws, ids)
            shutil.rmtree(here)
            tell(
                f"{workflows:,} in flight, start {number + 1} of {repeats}: recovered after "
                f"{recovery.recovered_s[-1]:.2f} s ({recovery.cpu_s[-1]:.2f} s of CPU), all heard of after "
                f"{recovery.moving_s[-1]:.2f} s"
            )
    shutil.rmtree(filled)


async def _start_once(recovery: Recovery, folder: Path, agents: Path, aws: NullAws, ids: set[str]) -> None:
    aws.forget()
    environment = {
        **aws.environment,
        "JADA_STORE": f"sqlite://{folder / 'journal.db'}",
        "JADA_CATALOGUE": str(agents),
        "JADA_LOG_LEVEL": "info",
        "JADA_CONNECTIONS__FUNCTIONS": str(_CONNECTIONS),
        "JADA_CALLS_IN_FLIGHT": str(_CONNECTIONS),
        "JADA_WORKFLOWS_IN_FLIGHT": "10000",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "ANTHROPIC_API_KEY": "nobody",
    }
    async with Daemon(folder, environment) as daemon:
        await daemon.told("daemon.recovered", within_s=_RECOVERY_S_MAX)
        recovery.cpu_s.append(_cpu_s(daemon.pid))
        await until(
            lambda: len(aws.first_heard.keys() & ids) == len(ids),
            "every workflow is heard of",
            within_s=_RECOVERY_S_MAX,
            otherwise=lambda: f"{len(aws.first_heard.keys() & ids)} of {len(ids)} were; {daemon.story()}",
        )
        [recovered] = daemon.events("daemon.recovered")
        recovery.recovered_s.append(daemon.seen_at[daemon.lines.index(recovered)] - daemon.started_at)
        recovery.moving_s.append(max(aws.first_heard[each] for each in ids) - daemon.started_at)
        recovery.rss_mib.append(_rss_mib(daemon.pid))


def _cpu_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text("ascii").rpartition(")")[2].split()  # proc(5): utime and stime are the 14th and 15th
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return 0.0
    [line] = [line for line in status.read_text("ascii").splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1_024
