"""One daemon a store: a lock beside the file, held for the life of the process."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from typing import Self

from jada_orchestrator.ports.journal import JournalInUseError, JournalUnavailableError


class StoreLock:
    """An exclusive ``flock`` on ``<store>.lock``. The kernel lets it go when the process ends, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, store: Path) -> Self:
        """Lock the store.

        Raises:
            JournalInUseError: another process holds it; the message names the process.
            JournalUnavailableError: the folder is missing or cannot be written.
        """
        path = store.with_name(store.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            msg = (
                f"the store {store} cannot be used: {error.strerror} ({path}). Its folder must exist and be writable "
                "for this user; create it, or set JADA_STORE to another place"
            )
            raise JournalUnavailableError(msg) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
        except OSError as error:
            holder = os.pread(descriptor, 200, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            if error.errno in {errno.EAGAIN, errno.EACCES}:
                raise JournalInUseError(_in_use(store, holder)) from error
            if error.errno != errno.ENOSPC:
                msg = f"the store {store} cannot be locked: {error.strerror} ({path}). Keep it on a local disk"
                raise JournalUnavailableError(msg) from error
            msg = f"the store {store} is not usable now, its disk is full: free space there and start again"
            raise JournalUnavailableError(msg) from error
        return cls(descriptor)

    def release(self) -> None:
        """Let the store go. May be called twice. The lock file stays, lest two processes lock two files."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _in_use(store: Path, holder: str) -> str:
    who = f"process {holder}" if holder else "another process"
    return f"the store {store} is in use by {who}: stop that daemon, or give this one a store of its own (JADA_STORE)"
