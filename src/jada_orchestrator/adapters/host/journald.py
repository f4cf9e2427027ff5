"""journald's native protocol: fields as they are, big entries through a sealed memfd.

Format: systemd's "Native Journal Protocol" document; the rules that it does not state were measured on systemd 252.
"""

from __future__ import annotations

import array
import errno
import fcntl
import os
import re
import select
import socket
import struct
from collections.abc import Mapping
from typing import Final

JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
_NAME: Final = re.compile(r"\A[A-Z][A-Z0-9_]{0,63}\Z")
_FIELDS_MAX: Final = 1_000
"""journald drops an entry with more than 1,024 fields whole."""
_WAIT_S: Final = 0.2
"""How long a full socket is waited for before looking whether to stop."""


def encode(fields: Mapping[str, str]) -> bytes:
    """Return an entry. Names that journald would drop in silence are mended, or left out when they cannot be."""
    parts: list[bytes] = []
    for name, value in list(fields.items())[:_FIELDS_MAX]:
        label = field_name(name)
        if label is None:
            continue
        data = value.encode("utf-8", "replace")
        if b"\n" in data:
            parts.append(label + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(label + b"=" + data + b"\n")
    return b"".join(parts)


def field_name(name: str) -> bytes | None:
    """Return a name as journald takes it (capitals, digits, underscores, at most 64), or None."""
    label = re.sub(r"[^A-Z0-9_]", "_", name.upper())[:64].lstrip("_")
    return label.encode() if _NAME.match(label) else None


def is_journal(descriptor: int, stream: str) -> bool:
    """Tell whether a descriptor is the journal's stream: ``$JOURNAL_STREAM`` is its device and inode."""
    try:
        status = os.fstat(descriptor)
    except OSError:
        return False
    return stream == f"{status.st_dev}:{status.st_ino}"


def ready_to_write(descriptor: int, wait_s: float) -> bool:
    """Tell whether a descriptor takes something within a time; by poll(2), which takes descriptors of any number."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(wait_s * 1_000))


class JournalSocket:
    """Sends entries; used by the log's own thread only, which may wait where the event loop must not."""

    def __init__(self, path: str = JOURNAL_SOCKET) -> None:
        """Take the socket's path."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature

    def write(self, entry: bytes) -> bool:
        """Send one entry; False when the journal has no room now (wait with `wait`, then send it again).

        Raises: OSError, when the entry cannot be sent at all.
        """
        try:
            self._socket.sendto(entry, self._path)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
            return self._write_big(entry)
        return True

    def wait(self) -> None:
        """Wait a moment for room."""
        ready_to_write(self._socket.fileno(), _WAIT_S)

    def close(self) -> None:
        """Release the socket. May be called twice."""
        self._socket.close()

    def _write_big(self, entry: bytes) -> bool:
        """Send an entry that no datagram holds: a sealed memfd beside an empty datagram."""
        descriptor = os.memfd_create("jada-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            with os.fdopen(os.dup(descriptor), "wb") as file:
                file.write(entry)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
            passed = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [descriptor]))]
            self._socket.sendmsg([], passed, 0, self._path)
        except BlockingIOError:
            return False
        finally:
            os.close(descriptor)
        return True
