"""Durable task results a second on one PostgreSQL: this program, its floor, and peers on the same booking.

    python -m benchmarks.peers                  # everything, on a server of its own with full durability
    python -m benchmarks.peers --rounds 3       # three rounds, each candidate once in each; the median counts

The peers are installed from requirements/peers.lock, which is nothing of the product's, into an environment that is
made for it (`--environment` keeps it). Each candidate runs the same graph of twelve tasks that do nothing and answer
500 bytes, so many bookings at once in one process, one after another on the same server. Compare within one run only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.peers_kit.timing import WARM_UP
from benchmarks.postgres_durable import floor, run_several
from jada_orchestrator.bench.booking import TASKS
from jada_orchestrator.testing.postgres_server import PostgresServer

ROOT: Final = Path(__file__).parents[1]
LOCK: Final = ROOT / "requirements" / "peers.lock"


@dataclass(slots=True)
class Result:
    """What one candidate took, by round: results a second, and for each result what does not depend on the load.

    That is microseconds of its process's processor time, transactions, and bytes of the write-ahead log.
    """

    name: str
    rates: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)
    commits: list[float] = field(default_factory=list)
    log_bytes: list[float] = field(default_factory=list)

    def add(self, other: Result) -> None:
        """Take in another round."""
        self.rates += other.rates
        self.cpu_us += other.cpu_us
        self.commits += other.commits
        self.log_bytes += other.log_bytes


@dataclass(frozen=True, slots=True)
class Load:
    """How much of it."""

    bookings: int
    at_once: int

    @property
    def results(self) -> int:
        """Task results in all."""
        return self.bookings * TASKS


@contextmanager
def environment(kept: Path | None) -> Iterator[Path]:
    """Yield the interpreter of an environment with the peers, made if it is not there."""
    if kept is not None:
        yield _made(kept)
        return
    with tempfile.TemporaryDirectory(prefix="jada-peers-") as folder:
        yield _made(Path(folder) / "environment")


def _made(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(LOCK)]
        subprocess.run(install, check=True)
    return python


def versions_in(python: Path) -> dict[str, str]:
    """Return the versions of the peers in an environment."""
    ask = "import json; from importlib.metadata import version as v; print(json.dumps({n: v(n) for n in %r}))"
    names = ("dbos", "langgraph", "langgraph-checkpoint-postgres")
    told = subprocess.run([str(python), "-c", ask % (names,)], check=True, capture_output=True, text=True)
    return dict(json.loads(told.stdout))


def peer(python: Path, url: str, module: str, load: Load, mode: str) -> dict[str, float]:
    """Run a peer in its environment."""
    command = [str(python), "-m", f"benchmarks.peers_kit.{module}", "--url", url]
    command += ["--bookings", str(load.bookings), "--at-once", str(load.at_once), "--mode", mode]
    done = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    took: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return took


def written(server: PostgresServer) -> tuple[int, int]:
    """Return how many transactions were committed so far, and how many bytes of log were written."""
    asked = "SELECT sum(xact_commit), pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') FROM pg_stat_database"
    commits, log_bytes = server.sql(asked).split("|")
    return int(commits), int(log_bytes)


def candidates(server: PostgresServer, python: Path, ours: Load, theirs: Load) -> Mapping[str, Callable[[int], Result]]:
    """Return by name what measures a candidate in a round."""

    def noted(name: str, took: Mapping[str, float], load: Load) -> Result:
        return Result(name, [load.results / took["wall_s"]], [took["cpu_s"] / load.results * 1e6])

    def database(name: str, number: int) -> str:
        server.sql(f"CREATE DATABASE {name}{number}")
        return server.url(f"{name}{number}")

    def the_floor(number: int) -> Result:
        rate, _ = asyncio.run(floor(f"{server.url()}?schema=floor{number}", ours.bookings, ours.at_once))
        return Result("floor", [rate], [])

    def this(number: int) -> Result:
        url = f"{server.url()}?schema=ours{number}"
        [took] = asyncio.run(run_several(url, 1, ours.bookings, ours.at_once))
        return noted("jada-orchestrator", took, ours)

    def dbos(number: int) -> Result:
        return noted("dbos", peer(python, database("dbos", number), "dbos_graph", theirs, ""), theirs)

    def langgraph(mode: str) -> Callable[[int], Result]:
        def measure(number: int) -> Result:
            url = database(f"langgraph_{mode}", number)
            return noted(f"langgraph {mode}", peer(python, url, "langgraph_graph", theirs, mode), theirs)

        return measure

    return {
        "floor": the_floor,
        "jada-orchestrator": this,
        "dbos": dbos,
        "langgraph sync": langgraph("sync"),
        "langgraph async": langgraph("async"),
        "langgraph pipeline": langgraph("pipeline"),
    }


def show(console: Console, results: list[Result], versions: Mapping[str, str], load: Load) -> None:
    """Print what came of it; ratios are to this program in the same run."""
    ours = next(statistics.median(result.rates) for result in results if result.name == "jada-orchestrator")
    table = Table(title=f"{load.at_once} bookings of {TASKS} tasks at once, one process each; for each result, medians")
    for column in ("candidate", "durable results/s", "of ours", "us of Python", "commits", "log, bytes"):
        table.add_column(column, justify="left" if column == "candidate" else "right")
    for result in results:
        rate = statistics.median(result.rates)
        cpu = f"{statistics.median(result.cpu_us):,.0f}" if result.cpu_us else ""
        commits, log_bytes = statistics.median(result.commits), statistics.median(result.log_bytes)
        table.add_row(result.name, f"{rate:,.0f}", f"{rate / ours:.3f}", cpu, f"{commits:.2f}", f"{log_bytes:,.0f}")
    console.print(table)
    console.print(", ".join(f"{name} {number}" for name, number in versions.items()), markup=False)


def main() -> None:
    """Do what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--bookings", type=int, default=1_000, help="of this program (default: %(default)s)")
    parser.add_argument("--peer-bookings", type=int, default=300, help="of each peer (default: %(default)s)")
    parser.add_argument("--at-once", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", help="candidates, parted by commas; this program always runs")
    parser.add_argument("--environment", type=Path, help="keep the peers' environment here, and use it again")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    arguments = parser.parse_args()
    ours = Load(arguments.bookings, arguments.at_once)
    theirs = Load(arguments.peer_bookings, arguments.at_once)
    console = Console()
    found: dict[str, Result] = {}
    with environment(arguments.environment) as python, PostgresServer(quick=False) as server:
        versions = {"python": platform.python_version(), "jada-orchestrator": version("jada-orchestrator")}
        versions |= {"PostgreSQL": server.sql("SHOW server_version"), **versions_in(python)}
        for number in range(arguments.rounds):
            for name, measure in candidates(server, python, ours, theirs).items():
                if arguments.only and name not in {"jada-orchestrator", *arguments.only.split(",")}:
                    continue
                before = written(server)
                result = measure(number)
                load = (
                    ours
                    if name in {"floor", "jada-orchestrator"}
                    else replace(theirs, bookings=theirs.bookings + WARM_UP)
                )
                commits, log_bytes = (now - then for now, then in zip(written(server), before, strict=True))
                result.commits.append(commits / load.results)
                result.log_bytes.append(log_bytes / load.results)
                console.print(f"round {number + 1}: {name} {result.rates[0]:,.0f}/s", highlight=False)
                found.setdefault(name, Result(name)).add(result)
    show(console, list(found.values()), versions, ours)
    if arguments.json:
        told = {"versions": versions, "load": asdict(ours), "results": [asdict(each) for each in found.values()]}
        arguments.json.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
