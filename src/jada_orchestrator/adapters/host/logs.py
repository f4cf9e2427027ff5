"""The log: one event a line, in the form that its reader wants.

To a terminal: readable and coloured. Under systemd: native journal fields. Elsewhere: JSON lines. An event is rendered
where it happens, and written by a thread of its own behind a bounded queue, so that a reader that does not read can
cost lines (they are counted) but never the event loop.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
import threading
from collections import deque
from collections.abc import Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, Protocol, TextIO, TypeAlias

import structlog

from jada_orchestrator.adapters.host import journald
from jada_orchestrator.adapters.host.messages import message_id
from jada_orchestrator.adapters.host.redaction import redacted, redacted_field
from jada_orchestrator.ports.log import Level

LogForm: TypeAlias = Literal["console", "json", "journal"]

QUEUE_LINES_MAX: Final = 10_000
"""Lines that wait for the writer; at 500 bytes each, 5 MB."""
CLOSE_WAIT_S: Final = 2.0
"""How long a stop waits for the last lines."""
_WRITE_WAIT_S: Final = 0.2
_PRIORITY: Final[dict[str, int]] = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""syslog's numbers (RFC 5424, 6.2.1), as the journal has them."""
_LEVELS: Final[dict[str, int]] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}


class Sink(Protocol):
    """Where rendered lines go; used by the writer's thread only."""

    def write(self, line: bytes) -> bool:
        """Write a line whole; False when there is no room now. Raises: OSError, when it can never be written."""

    def wait(self) -> None:
        """Wait a moment for room."""

    def close(self) -> None:
        """Release what is the sink's own."""


class DescriptorSink:
    """Lines to a file descriptor that others share: its mode is left alone, so readiness is asked before each write."""

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor, which stays open."""
        self._descriptor = descriptor
        self._rest = b""

    def write(self, line: bytes) -> bool:
        """Write a line; see `Sink`. A pipe that is ready takes 4 KiB at least, so longer lines go in pieces."""
        self._rest = self._rest or line
        while self._rest:
            if not journald.ready_to_write(self._descriptor, 0):
                return False
            written = os.write(self._descriptor, self._rest[: select.PIPE_BUF])
            self._rest = self._rest[written:]
        return True

    def wait(self) -> None:
        """Wait a moment for room."""
        journald.ready_to_write(self._descriptor, _WRITE_WAIT_S)

    def close(self) -> None:
        """Do nothing: the descriptor is the process's."""


class HostLog:
    """The port `Log`. Never blocks, never raises; what could not be written is counted in `dropped`."""

    def __init__(
        self,
        render: Callable[[MutableMapping[str, Any]], bytes],
        sink: Sink,
        level: Level,
        *,
        lines_max: int = QUEUE_LINES_MAX,
    ) -> None:
        """Take the form, the place and the least level; starts the writer's thread."""
        self._render = render
        self._sink = sink
        self._level = _LEVELS[level]
        self._lines_max = lines_max
        self._lines: deque[bytes] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._told_dropped = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def wants(self, level: Level) -> bool:
        """Tell whether lines of this level are written; see the port."""
        return _LEVELS[level] >= self._level

    def emit(self, level: Level, event: str, message: str, **fields: object) -> None:
        """Write one event; see the port."""
        if _LEVELS[level] < self._level:
            return
        try:
            self._put(self._render(_entry(level, event, message, fields)))
        except Exception:  # noqa: BLE001 - a field that cannot be shown must never stop what it tells of; it is counted
            self.dropped += 1

    def set_level(self, level: Level) -> None:
        """Take another least level from now on."""
        self._level = _LEVELS[level]

    def close(self) -> None:
        """Write what waits, for at most `CLOSE_WAIT_S`, and end the thread. May be called twice."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(CLOSE_WAIT_S)

    def _put(self, line: bytes) -> None:
        with self._wake:
            if self._closing or len(self._lines) >= self._lines_max:
                self.dropped += 1
                return
            self._lines.append(line)
            self._wake.notify()

    def _write_all(self) -> None:
        """Run in the thread until closed and empty, or closed and stuck."""
        while True:
            with self._wake:
                while not self._lines and not self._closing:
                    self._wake.wait()
                if not self._lines:
                    break
                line = self._lines.popleft()
            self._write_one(line)
            self._tell_dropped()
        self._sink.close()

    def _write_one(self, line: bytes) -> None:
        try:
            while not self._sink.write(line):
                self._sink.wait()
        except (OSError, ValueError):
            self.dropped += 1  # the reader is gone; the daemon goes on

    def _tell_dropped(self) -> None:
        dropped = self.dropped
        if dropped > self._told_dropped and len(self._lines) < self._lines_max:
            told, self._told_dropped = dropped - self._told_dropped, dropped
            self.emit("warning", "log.dropped", f"{told} lines of the log could not be written", lines=told)


class LibraryHandler(logging.Handler):
    """Takes what libraries say through `logging` into the same log."""

    def __init__(self, log: HostLog) -> None:
        """Take warnings and worse."""
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line of a library."""
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        try:
            message = self.format(record)
        except Exception:  # noqa: BLE001 - a library's own mistake in a format must not reach its caller through us
            message = str(record.msg)
        self._log.emit(level, "library.said", message, library=record.name)


def open_log(
    form: LogForm | Literal["auto"] = "auto",
    level: Level = "info",
    *,
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> HostLog:
    """Open the log of this process on stderr (or `stream`, which needs a descriptor); `close` it at the end.

    ``auto`` chooses the journal when stderr is its stream, a readable form for a terminal, JSON lines otherwise.
    """
    target = sys.stderr if stream is None else stream
    names = os.environ if environ is None else environ
    descriptor = target.fileno()
    chosen = _chosen(descriptor, names) if form == "auto" else form
    match chosen:
        case "journal":
            return HostLog(_render_journal, journald.JournalSocket(), level)
        case "json":
            return HostLog(lambda entry: _render_json(entry, clock()), DescriptorSink(descriptor), level)
        case "console":
            colours = os.isatty(descriptor) and not names.get("NO_COLOR")
            return HostLog(_console_renderer(clock, colours=colours), DescriptorSink(descriptor), level)


def take_library_logs(log: HostLog) -> Callable[[], None]:
    """Send what libraries log to `log`; returns what undoes it."""
    handler = LibraryHandler(log)
    root = logging.getLogger()
    root.addHandler(handler)
    return lambda: root.removeHandler(handler)


def _chosen(descriptor: int, names: Mapping[str, str]) -> LogForm:
    if journald.is_journal(descriptor, names.get("JOURNAL_STREAM", "")):
        return "journal"
    return "console" if os.isatty(descriptor) else "json"


def _entry(level: Level, event: str, message: str, fields: Mapping[str, object]) -> MutableMapping[str, Any]:
    """Return an event's fields under the contract's names, without anything that must not be logged."""
    entry: dict[str, Any] = {"message": redacted(message), "priority": _PRIORITY[level], "jada_event": event}
    for name, value in fields.items():
        if value is not None:
            entry[f"jada_{name}"] = redacted_field(name, value)
    return entry


def _render_journal(entry: MutableMapping[str, Any]) -> bytes:
    fields = {name: value if isinstance(value, str) else _json_text(value) for name, value in entry.items()}
    meant = message_id(str(entry["jada_event"]))
    if meant is not None:
        fields["MESSAGE_ID"] = meant
    return journald.encode({"SYSLOG_IDENTIFIER": "jada", **fields})


def _render_json(entry: MutableMapping[str, Any], now: datetime) -> bytes:
    return _json_text({"timestamp": _instant(now), **entry}).encode("utf-8", "replace") + b"\n"


def _console_renderer(clock: Callable[[], datetime], *, colours: bool) -> Callable[[MutableMapping[str, Any]], bytes]:
    renderer = structlog.dev.ConsoleRenderer(colors=colours, pad_event_to=0, sort_keys=False)
    names = {number: name for name, number in _PRIORITY.items()}

    def render(entry: MutableMapping[str, Any]) -> bytes:
        told = {name.removeprefix("jada_"): value for name, value in entry.items()}
        shown: dict[str, Any] = {
            "timestamp": clock().astimezone().strftime("%H:%M:%S.%f")[:-3],
            "level": names[told.pop("priority")],
            "event": told.pop("message"),
            **{("about" if name == "event" else name): value for name, value in told.items()},
        }
        return f"{renderer(None, shown['level'], shown)}\n".encode("utf-8", "replace")

    return render


def _json_text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _instant(now: datetime) -> str:
    return now.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
