"""Files of Unix sockets: what a killed daemon left is replaced, what another one listens on is not."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Final

SOCKET_MODE: Final = 0o660


def make_room(path: Path) -> None:
    """Make the folder of a socket, and remove the socket of a daemon that was killed.

    Anything else that lies there stays, and opening the socket then fails.

    Raises: OSError, when somebody answers on it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        else:
            raise OSError(errno.EADDRINUSE, "another daemon answers on it")


def let_group_in(path: Path) -> None:
    """Let owner and group connect."""
    path.chmod(SOCKET_MODE)


def remove(path: Path) -> None:
    """Remove a socket's file; one that is gone already is none."""
    with contextlib.suppress(OSError):
        path.unlink()
