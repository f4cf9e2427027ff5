"""Connections to AWS: how long one may take to be made and to answer, and that a quiet one is not forgotten."""

from __future__ import annotations

import socket
from typing import Any, Final

from jada_orchestrator.domain.limits import ACTION_TIMEOUT_MAX_MS

CONNECT_TIMEOUT_S: Final = 5.0
"""A connection inside a region is made in milliseconds; a refusal to answer is known after this."""
LAMBDA_READ_TIMEOUT_S: Final = ACTION_TIMEOUT_MAX_MS / 1000 + 60
"""Above every action's own timeout, so that it is always ours that ends a call, never the client's."""
QUEUE_READ_TIMEOUT_S: Final = 60.0
"""Above the longest poll (20 s) and our own timeouts."""
OBJECT_READ_TIMEOUT_S: Final = 30.0
"""Above our own timeout for one object."""
_TCP_KEEPALIVE_S: Final = 60
"""A quiet connection is forgotten by NAT gateways after 350 s, and a function may work for 15 minutes."""


def socket_with_keepalive(address: tuple[Any, ...]) -> socket.socket:
    """Make a socket that probes a quiet connection; aiobotocore ignores botocore's own ``tcp_keepalive``."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):  # Linux; elsewhere the system's own, longer, times hold
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _TCP_KEEPALIVE_S)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _TCP_KEEPALIVE_S)
    return made
