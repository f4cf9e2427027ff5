"""A throw-away host with a real systemd, and a shell in it.

`systemd-sandbox` (beside this file, a tool of its own: see its --help) boots systemd as PID 1 on a copy-on-write view
of this machine. One boot serves many tests: commands go in through a pipe, and what they say comes back.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

TOOL: Final = Path(__file__).with_name("systemd-sandbox")
ROOT: Final = Path(__file__).parents[2]
CHECKOUT: Final = "/opt/checkout"
ENVIRONMENT: Final = "/opt/jada-env"
_END: Final = "@@END-OF-COMMAND@@"


def why_not() -> str | None:
    """Why no host can be booted here, in a sentence; None where one can."""
    if sys.platform != "linux":
        return "systemd needs Linux"
    if os.geteuid() != 0:
        return "booting a systemd of its own needs root"
    missing = [name for name in ("systemctl", "nsenter", "dbus-daemon") if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (Debian: systemd dbus util-linux)"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return None if probe.returncode == 0 else "this container may not make namespaces"


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended and what it wrote, standard output and errors together."""

    status: int
    text: str


class Host:
    """A booted host. `run` is a shell as root in it; everything is gone at the end."""

    def __init__(self, *options: str) -> None:
        """Boot it; `options` are the tool's own."""
        python = Path(sys.prefix)
        self._process = subprocess.Popen(
            [
                str(TOOL),
                "--no-install",
                "--no-tty",
                "--journal",
                "never",
                "--venv",
                f"{python}:{ENVIRONMENT}",
                "--bind-ro",
                f"{ROOT}:{CHECKOUT}",
                *options,
                "--",
                "/bin/bash",
                "--norc",
                "-s",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
        )
        # The environment names the checkout's own place, which may be hidden in here: /tmp is empty, homes are closed.
        self.ok(f"sed -i 's#^{ROOT}/src$#{CHECKOUT}/src#' /opt/jada-*/lib/python*/site-packages/*.pth")

    def run(self, command: str, seconds: int = 45) -> Said:
        """Run a shell command line, for so long at most, and return how it ended (124: it was cut off)."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        quoted = shlex.quote(command)
        try:
            self._process.stdin.write(f'bash -c {quoted} </dev/null 2>&1; echo "\n{_END}$?"\n')
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise AssertionError(f"the host has gone: {self._process.stdout.read()}") from error
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith(_END):
                return Said(int(line.removeprefix(_END)), "".join(lines).rstrip("\n"))
            lines.append(line)
        raise AssertionError(f"the host has gone: {''.join(lines)}")

    def ok(self, command: str, seconds: int = 45) -> str:
        """Run a command that has to succeed, and return what it wrote."""
        said = self.run(command, seconds)
        assert said.status == 0, f"{command!r} ended with {said.status}:\n{said.text}\n{self.journal()}"
        return said.text

    def journal(self) -> str:
        """The last lines of the journal."""
        return self.run("journalctl --no-pager -n 60 -o short-precise").text

    def until(self, command: str, seconds: int = 30) -> str:
        """Run a command again and again until it succeeds (inside the host, so that waiting costs it nothing)."""
        return self.ok(f"for _ in $(seq {seconds * 10}); do {command} && exit 0; sleep 0.1; done; exit 1", seconds + 5)

    def write(self, path: str, text: str) -> None:
        """Write a file in the host."""
        self.ok(f"mkdir -p {shlex.quote(str(Path(path).parent))}; printf %s {shlex.quote(text)} >{shlex.quote(path)}")

    def close(self) -> None:
        """End it. May be called twice."""
        if self._process.poll() is None:
            self._process.terminate()
        self._process.communicate(timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exits: object) -> None:
        self.close()
