"""The log: its forms, what it hides, and that it never holds anybody up."""

from __future__ import annotations

import io
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

import pytest

from jada_orchestrator.adapters.host import journald
from jada_orchestrator.adapters.host.logs import HostLog, open_log, take_library_logs
from jada_orchestrator.adapters.host.redaction import HIDDEN, redacted, redacted_field, redacted_text

NOON = datetime(2027, 4, 1, 12, tzinfo=UTC)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[TextIO]:
    """A file that stands for stderr."""
    with (tmp_path / "log").open("w+", encoding="utf-8") as opened:
        yield opened


def lines_of(file: TextIO) -> list[dict[str, Any]]:
    """What was written, line by line."""
    file.seek(0)
    return [json.loads(line) for line in file]


def test_json_lines_have_the_contracts_keys(file: TextIO) -> None:
    """Away from a terminal each event is one JSON line with the contract's names in lower case."""
    log = open_log("auto", stream=file, environ={}, clock=lambda: NOON)
    log.emit("warning", "task.failed", "hold\nfailed", request_id="web-1", task_id="hold", attempt=2, agent=None)
    log.close()
    assert lines_of(file) == [
        {
            "timestamp": "2027-04-01T12:00:00.000Z",
            "message": "hold\nfailed",
            "priority": 4,
            "jada_event": "task.failed",
            "jada_request_id": "web-1",
            "jada_task_id": "hold",
            "jada_attempt": 2,
        }
    ]


def test_a_terminal_gets_something_to_read() -> None:
    """On a terminal a line has time, level, sentence and fields, coloured unless NO_COLOR is set."""

    def shown(environ: dict[str, str]) -> str:
        ours, theirs = os.openpty()
        with os.fdopen(theirs, "w") as terminal:
            log = open_log("auto", stream=terminal, environ=environ)
            log.emit("info", "task.succeeded", "hold succeeded", task_id="hold")
            log.close()
            text = os.read(ours, 65_536).decode()
        os.close(ours)
        return text

    assert "\x1b[" in shown({})
    plain = shown({"NO_COLOR": "1"})
    assert "\x1b[" not in plain
    assert "hold succeeded" in plain
    assert "task_id=hold" in plain
    assert "about=task.succeeded" in plain


def test_the_journal_is_chosen_by_its_stream(tmp_path: Path) -> None:
    """Stderr is the journal's only when $JOURNAL_STREAM names its device and inode."""
    with (tmp_path / "x").open("w") as opened:
        status = os.fstat(opened.fileno())
        assert journald.is_journal(opened.fileno(), f"{status.st_dev}:{status.st_ino}")
        assert not journald.is_journal(opened.fileno(), f"{status.st_dev}:{status.st_ino + 1}")
        assert not journald.is_journal(opened.fileno(), "")


def decoded(entry: bytes) -> dict[str, str]:
    """An entry read as journald reads it."""
    fields, stream = {}, io.BytesIO(entry)
    while line := stream.readline():
        name, equals, value = line[:-1].partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", stream.read(8))
            value = stream.read(length)
            assert stream.read(1) == b"\n"
        fields[name.decode()] = value.decode()
    return fields


def test_journal_entries_keep_lines_and_mend_names() -> None:
    """A value with line ends travels whole, every field ends in a newline, names are ones that journald takes."""
    entry = journald.encode({"MESSAGE": "a\nb=c", "jada_request_id": "web-1", "_9x": "z", "": "lost"})
    assert decoded(entry) == {"MESSAGE": "a\nb=c", "JADA_REQUEST_ID": "web-1"}
    assert entry.endswith(b"\n")


def test_big_entries_travel_in_a_sealed_file(tmp_path: Path) -> None:
    """What no datagram holds arrives as the descriptor of a sealed memfd, complete."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        sender = journald.JournalSocket(str(tmp_path / "socket"))
        entry = journald.encode({"MESSAGE": "x" * 3_000_000})
        assert sender.write(entry)
        data, descriptors, _, _ = socket.recv_fds(journal, 10, 1)
        sender.close()
        assert data == b""
        with os.fdopen(descriptors[0], "rb") as passed:
            passed.seek(0)
            assert passed.read() == entry
            with pytest.raises(OSError, match="not permitted"):
                os.write(passed.fileno(), b"more")


def test_a_full_journal_is_told_not_waited_for(tmp_path: Path) -> None:
    """A journal that does not read refuses at once; nothing blocks."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(str(tmp_path / "socket"))
        sender = journald.JournalSocket(str(tmp_path / "socket"))
        taken = 0
        while sender.write(b"MESSAGE=x\n"):
            taken += 1
        sender.close()
    assert taken > 0


class Stuck:
    """A sink that takes nothing until it is told to, and reports when the first line has reached it."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.reached = threading.Event()
        self.free = threading.Event()
        self.told = threading.Event()

    def write(self, line: bytes) -> bool:
        self.reached.set()
        if not self.free.is_set():
            return False
        self.lines.append(line)
        if b"lines of the log" in line:
            self.told.set()
        return True

    def wait(self) -> None:
        self.free.wait()

    def close(self) -> None:
        self.lines.append(b"closed")


def test_lines_beyond_the_queue_are_counted_and_told() -> None:
    """With a reader that does not read, emit returns, lines are dropped and counted, and the count is told later."""
    sink = Stuck()
    log = HostLog(lambda entry: json.dumps(dict(entry)).encode(), sink, "info", lines_max=10)
    log.emit("info", "e", "first")
    assert sink.reached.wait(10)
    for number in range(15):
        log.emit("info", "e", f"line {number}")
    assert log.dropped == 5
    sink.free.set()
    assert sink.told.wait(10)
    assert any(b"5 lines of the log" in line for line in sink.lines)
    log.close()
    assert sink.lines[-1] == b"closed"
    assert sum(b"line " in line for line in sink.lines) == 10


class Awkward:
    """A value that cannot even be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def test_emit_never_raises(file: TextIO) -> None:
    """A value that cannot be shown, or a log that is closed, costs a line and no exception."""
    log = open_log("json", stream=file)
    log.emit("error", "e", "bad", value=Awkward())
    assert log.dropped == 1
    log.close()
    log.emit("error", "e", "too late")
    log.close()
    assert log.dropped == 2
    assert lines_of(file) == []


def test_levels_below_are_left_out(file: TextIO) -> None:
    """What is less than the level is not written."""
    log = open_log("json", "warning", stream=file)
    log.emit("info", "e", "no")
    log.emit("error", "e", "yes")
    log.close()
    assert [line["message"] for line in lines_of(file)] == ["yes"]


def test_libraries_speak_into_the_same_log(file: TextIO) -> None:
    """A library's warning comes with its name, and with its traceback; what is less does not come."""
    log = open_log("json", stream=file)
    undo = take_library_logs(log)
    try:
        logging.getLogger("some.library").warning("careful: %s", "AKIAABCDEFGHIJKLMNOP")
        logging.getLogger("some.library").info("chatter")
    finally:
        undo()
    log.close()
    (line,) = lines_of(file)
    assert line["message"] == f"careful: {HIDDEN}"
    assert line["jada_library"] == "some.library"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("card 4111 1111 1111 1111 please", f"card {HIDDEN} please"),
        ("5500-0000-0000-0004", HIDDEN),
        ("4111111111111112", "4111111111111112"),
        ("at 1766484000000 ms", "at 1766484000000 ms"),
        ("offer LX-4412 and hold h-9", "offer LX-4412 and hold h-9"),
        ("my passport is passport number 123456789.", f"my passport is passport number {HIDDEN}."),
        ("C1234567 is on it", f"{HIDDEN} is on it"),
        ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", HIDDEN),
        ("key sk-ant-api03-abcdefgh123 used", f"key {HIDDEN} used"),
        ("postgresql://jada:hush@db/x", f"postgresql://{HIDDEN}@db/x"),
        ("Authorization: Bearer abcdef123456", f"Authorization: Bearer {HIDDEN}"),
        (
            "{'traveller': {'passport_number': '123456789', 'name': 'A'}}",
            f"{{'traveller': {{'passport_number': {HIDDEN}, 'name': 'A'}}}}",
        ),
        ('{"cvv": 123, "passport": {"no": "123456789"}, "x": 1}', f'{{"cvv": {HIDDEN}, "passport": {HIDDEN}, "x": 1}}'),
        ("password: hush, then", f"password: {HIDDEN}, then"),
        ("IBAN=DE02120300000000202051;", f"IBAN={HIDDEN};"),
        ("secrets: 3, token: ok", "secrets: 3, token: ok"),
        ("wf-abcdefghijklmnopqrstuvwxyz jk-234567", "wf-abcdefghijklmnopqrstuvwxyz jk-234567"),
        ("2027-04-01T12:00:00.000Z", "2027-04-01T12:00:00.000Z"),
    ],
)
def test_numbers_and_secrets_are_hidden_by_pattern(text: str, hidden: str) -> None:
    """Secrets, cards with a fitting check digit and passport numbers go; ids, instants and amounts stay."""
    assert redacted_text(text) == hidden


def test_fields_are_hidden_by_name() -> None:
    """A field named after a secret goes whole, at any depth; names that only look like one stay."""
    value = {
        "passport_number": "x",
        "people": [{"cvv": 123, "name": "A"}],
        "input_tokens": 5,
        "idempotency_key": "jk-1",
    }
    assert redacted(value) == {
        "passport_number": HIDDEN,
        "people": [{"cvv": HIDDEN, "name": "A"}],
        "input_tokens": 5,
        "idempotency_key": "jk-1",
    }
    assert redacted_field("api_key", "x") == HIDDEN
    assert redacted_field("card", 4111111111111111) == HIDDEN
    assert redacted(4111111111111111) == HIDDEN
