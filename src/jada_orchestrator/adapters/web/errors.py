"""What can go wrong between an operator's command and the daemon."""

from __future__ import annotations


class ListenError(Exception):
    """A listener cannot be opened.

    Raised at start by `open_health` and `open_control`. It means that the address is taken or its folder cannot be
    written; the operator sets another one, or stops what holds it.
    """


class DaemonUnreachableError(Exception):
    """No daemon answers on the control socket.

    Raised by `ask`. It means that none runs, that it uses another socket, or that this user may not reach it; the
    operator starts it, names its socket, or joins the group that owns it.
    """
