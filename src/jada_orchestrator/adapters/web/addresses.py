"""Where the health listener may listen: a loopback address or a Unix socket, nothing that the network reaches."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

UNIX_PATH_BYTES_MAX: Final = 107
"""``sun_path`` has 108 bytes, and its end takes one (unix(7))."""


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A loopback address and port."""

    host: str
    port: int


def parse_address(text: str) -> TcpAddress | Path:
    """Return a listener's address: ``127.0.0.1:9620``, ``[::1]:9620`` or ``unix:/run/jada/health.sock``.

    Raises: ValueError, saying how it is written.
    """
    if text.startswith("unix:"):
        return unix_path(text.removeprefix("unix:"))
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise ValueError(f"{text!r} is no address: write 127.0.0.1:9620, [::1]:9620 or unix:/run/jada/health.sock")
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            f"{host!r} is not this host alone: the listener has no password, so it takes 127.0.0.1, [::1] or a Unix "
            "socket; put a proxy of yours before it where others shall read it"
        )
    return TcpAddress(host, int(port))


def unix_path(text: str) -> Path:
    """Return an absolute path that a Unix socket can have. Raises: ValueError."""
    if not text.startswith("/"):
        raise ValueError(f"{text!r} is not an absolute path")
    if len(text.encode()) > UNIX_PATH_BYTES_MAX:
        raise ValueError(f"the socket's path has {len(text.encode())} bytes; {UNIX_PATH_BYTES_MAX} is the most")
    return Path(text)
