"""A small process that starts the sandbox's processes, and ends all of them when its parent is gone.

It runs as `python -I -S supervisor.py` in a process group of its own and is spoken to in JSON lines:

    stdin   {"do": "start", "name", "argv", "env", "cwd", "log"}
            {"do": "signal", "name", "number"}
    stdout  {"event": "started", "name", "pid"}
            {"event": "failed", "name", "error"}
            {"event": "exited", "name", "status"}

The end of stdin is the parent's end, however it came, a `kill -9` included: then the whole process group gets SIGKILL,
and with it whatever the children have started themselves. A parent that ends in good order has ended its children
before. It is a process of its own because a parent that was killed cannot clean up, and `PR_SET_PDEATHSIG` does not
reach the children of children.

It imports the standard library alone (`-I -S`: about 11 MiB), so it must not import this package.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any, NoReturn


class Supervisor:
    """Starts and stops children by name, and says on stdout what becomes of them."""

    def __init__(self) -> None:
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._lock = threading.Lock()

    def obey(self, command: dict[str, Any]) -> None:
        """Carries out one command."""
        if command["do"] == "start":
            self._start(command)
        elif (child := self._children.get(command["name"])) is not None:
            child.send_signal(command["number"])

    def _start(self, command: dict[str, Any]) -> None:
        name = command["name"]
        try:
            with open(command["log"], "ab") as log:  # noqa: PTH123 - pathlib is not needed here, so it is not loaded
                child = subprocess.Popen(
                    command["argv"],
                    env=command["env"],
                    cwd=command["cwd"],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
        except OSError as error:
            self._say(event="failed", name=name, error=str(error))
            return
        self._children[name] = child
        self._say(event="started", name=name, pid=child.pid)
        threading.Thread(target=self._watch, args=(name, child), daemon=True).start()

    def _watch(self, name: str, child: subprocess.Popen[bytes]) -> None:
        self._say(event="exited", name=name, status=child.wait())

    def _say(self, **event: object) -> None:
        with self._lock:
            try:
                sys.stdout.write(json.dumps(event) + "\n")
                sys.stdout.flush()
            except OSError:
                pass  # Nobody listens any more; the end of stdin is about to say so.


def end() -> NoReturn:
    """Kills the whole process group, this process included."""
    os.killpg(0, signal.SIGKILL)
    raise AssertionError("SIGKILL to one's own group does not return")


def main() -> NoReturn:
    """Obeys until stdin ends or SIGTERM comes."""
    supervisor = Supervisor()
    signal.signal(signal.SIGTERM, lambda *_: end())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; its end is ours.
    for line in sys.stdin:
        supervisor.obey(json.loads(line))
    end()


if __name__ == "__main__":
    main()
