"""Where the control socket is, and asking a running daemon through it."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.journal.opening import is_postgres, store_path
from jada_orchestrator.adapters.web.control import ask
from jada_orchestrator.adapters.web.errors import DaemonUnreachableError
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import SettingsMistakesError

SOCKET_NAME: Final = "control.sock"
SERVICE_SOCKET: Final = Path("/run/jada") / SOCKET_NAME
"""The unit's own (its RuntimeDirectory)."""

__all__ = ["DaemonUnreachableError", "ask_daemon", "control_socket", "daemon_socket"]


def control_socket(settings: Settings) -> Path:
    """Return where a daemon with these settings listens: what is set, the runtime folder, beside the store.

    A store on a server has no folder here; then it is a folder of this user's alone.

    Raises: ValueError, when nothing is set and the store's URL is none.
    """
    if settings.control_socket:
        return Path(settings.control_socket)
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    if runtime:
        return Path(runtime) / SOCKET_NAME
    if is_postgres(settings.store):
        return Path.home() / ".local" / "state" / "jada" / SOCKET_NAME
    return store_path(settings.store).parent / SOCKET_NAME


def daemon_socket(load: Callable[[], Settings]) -> Path:
    """Return where commands look for the daemon: as above, and the service's where nothing was set or is there.

    The settings are read only where the environment does not tell: with broken ones it is the daemon who has to say so.
    """
    named = os.environ.get("JADA_CONTROL_SOCKET", "")
    if named:
        return Path(named)
    try:
        settings = load()
    except SettingsMistakesError:
        if _is_socket(SERVICE_SOCKET):
            return SERVICE_SOCKET
        raise
    path = control_socket(settings)
    return path if settings.control_socket or _is_socket(path) or not _is_socket(SERVICE_SOCKET) else SERVICE_SOCKET


async def ask_daemon(path: Path, command: str, *, timeout_s: float, more: JsonObject | None = None) -> JsonObject:
    """Ask one thing, with further fields in `more`. Raises: DaemonUnreachableError, saying how to reach it."""
    try:
        return await ask(path, command, timeout_s=timeout_s, more=more)
    except DaemonUnreachableError as error:
        raise DaemonUnreachableError(
            f"{error}. Is it running (systemctl status jada-orchestrator)? Is this user in its group? "
            "--socket or JADA_CONTROL_SOCKET names another socket"
        ) from error


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False
