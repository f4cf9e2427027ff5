"""Files of Unix sockets: what a killed daemon left is replaced, what another one listens on is not."""

from __future__ import annotations

import contextlib
import errno
import socket
from pathlib import Path
from typing import Final, TypeAlias

SOCKET_MODE: Final = 0o660

FileId: TypeAlias = tuple[int, int]
"""Device and number; no other file has the same one as long as somebody listens on it."""


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


def let_group_in(path: Path) -> FileId:
    """Let owner and group connect; return which file it is, for `remove`. Raises: OSError."""
    path.chmod(SOCKET_MODE)
    return _id_of(path)


def remove(path: Path, own: FileId) -> None:
    """Remove a socket's file, unless it is gone, or another's by now: to be called before our end of it is closed."""
    with contextlib.suppress(OSError):
        if _id_of(path) == own:
            path.unlink()


def _id_of(path: Path) -> FileId:
    found = path.lstat()
    return found.st_dev, found.st_ino
