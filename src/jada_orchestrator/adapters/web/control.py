"""The control socket: one JSON object a line, both ways, on a Unix socket that the operator's group may open.

Question: ``{"command": "status"}``, ``{"command": "reload"}``, ``{"command": "prune", "before"}`` with an instant in
milliseconds since 1970, or ``{"command": "templates", "act", "key"}`` with ``pin``, ``unpin`` or ``forget`` for `act`.
Answer: ``{"ok": true, ...}``, or ``{"ok": false, "faults": [{"code", "where", "message"}]}``. A connection may ask
several times, one after another.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from jada_orchestrator.adapters.web.errors import DaemonUnreachableError, ListenError
from jada_orchestrator.adapters.web.unix_sockets import let_group_in, make_room, remove
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.instants import UtcMs
from jada_orchestrator.ports.operations import Operations

LINE_BYTES_MAX: Final = 64 * 1024
"""A question has thirty bytes; an answer with a hundred faults has thirty thousand."""
CONNECTIONS_MAX: Final = 8
"""Operators at once; one more is turned away rather than taken out of the reserve of descriptors."""
IDLE_S: Final = 30.0
"""A connection that asks nothing for this long is closed."""
GIVES_WAY_AFTER_S: Final = 1.0
"""One that has asked nothing for this long is closed for another that comes when all are taken: who has a question
writes it as soon as there is a connection."""
UNREAD_S: Final = 5.0
"""A connection whose answers nobody reads for this long is cut off: who reads at all reads at once."""


@asynccontextmanager
async def open_control(
    path: Path,
    operations: Operations,
    *,
    idle_s: float = IDLE_S,
    unread_s: float = UNREAD_S,
    gives_way_after_s: float = GIVES_WAY_AFTER_S,
) -> AsyncIterator[None]:
    """Serve the control socket inside the context; the file is removed at the end.

    A file that a killed daemon left is replaced; one on which somebody still answers is not.

    Raises: ListenError.
    """
    server = _Server(operations, idle_s, unread_s, gives_way_after_s)
    listening: asyncio.Server | None = None
    try:
        make_room(path)
        listening = await asyncio.start_unix_server(server.serve, path, limit=LINE_BYTES_MAX)
        own = let_group_in(path)
    except OSError as error:
        if listening is not None:
            listening.close()
        raise ListenError(
            f"the control socket {path} cannot be opened: {error.strerror or error}; set JADA_CONTROL_SOCKET to a path "
            "that this user can make and that no other daemon uses"
        ) from error
    try:
        yield
    finally:
        remove(path, own)
        listening.close()
        await server.close()


class _Server:
    """Answers connections: a bounded number at once, each for as long as somebody asks and reads."""

    def __init__(self, operations: Operations, idle_s: float, unread_s: float, gives_way_after_s: float) -> None:
        self._operations = operations
        self._idle_s = idle_s
        self._unread_s = unread_s
        self._gives_way_after_s = gives_way_after_s
        self._serving: set[asyncio.Task[object]] = set()
        self._idle_since: dict[asyncio.Task[object], float] = {}
        """Those that wait for a question, the longest first; in the loop's time."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection until it ends, asks nonsense too long for a line, is idle, or reads no answers."""
        task = asyncio.current_task()
        assert task is not None, "streams are served by tasks"
        self._serving.add(task)
        try:
            if len(self._serving) > CONNECTIONS_MAX and not self._make_room():
                await self._tell(writer, _refused("BUSY", "too many control connections are open; try again"))
                return
            while True:
                self._idle_since[task] = asyncio.get_running_loop().time()
                try:
                    async with asyncio.timeout(self._idle_s):
                        line = await reader.readline()
                finally:
                    self._idle_since.pop(task, None)
                if not line:
                    return
                await self._tell(writer, await self._answer(line))
        except (TimeoutError, ValueError, OSError, asyncio.IncompleteReadError):
            pass  # idle, a line without end, or the other side has gone: nobody is there to be told
        except asyncio.CancelledError:
            # The daemon ends and waits for no reader, or another one takes the place of one that is idle. The task has
            # nothing more to do, and streams would log an error of one that ends as cancelled.
            writer.transport.abort()
        finally:
            try:
                await self._hang_up(writer)
            finally:
                self._serving.discard(task)

    def _make_room(self) -> bool:
        """Close the connection that has been idle for longest, if that is long enough, and say whether one was."""
        longest = next(iter(self._idle_since), None)
        if longest is None:
            return False
        if asyncio.get_running_loop().time() - self._idle_since[longest] < self._gives_way_after_s:
            return False
        del self._idle_since[longest]
        longest.cancel()
        return True

    async def _tell(self, writer: asyncio.StreamWriter, answer: JsonObject) -> None:
        """Write an answer. Raises: TimeoutError, when nobody reads; OSError."""
        async with asyncio.timeout(self._unread_s):
            await _write(writer, answer)

    async def _hang_up(self, writer: asyncio.StreamWriter) -> None:
        """Close a connection with what is written; what nobody reads does not keep its descriptor open."""
        try:
            async with asyncio.timeout(self._unread_s):
                writer.close()
                await writer.wait_closed()
        except (TimeoutError, OSError):
            return  # nobody reads, or the other side has gone
        finally:
            writer.transport.abort()

    async def close(self) -> None:
        """End what is open."""
        tasks = list(self._serving)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer(self, line: bytes) -> JsonObject:
        try:
            question = json.loads(line)
        except ValueError:
            return _refused("NOT_JSON", "a question is one JSON object on one line")
        command = question.get("command") if isinstance(question, dict) else None
        match command:
            case "status":
                return {"ok": True, "status": self._operations.status()}
            case "reload":
                result = await self._operations.reload()
                return {
                    "ok": result.taken,
                    "faults": [_fault(fault) for fault in result.faults],
                    "notices": list(result.notices),
                }
            case "templates":
                return await self._template(question)
            case "prune":
                return self._prune(question)
            case _:
                return _refused("UNKNOWN_COMMAND", "the commands are status, reload, templates and prune")

    def _prune(self, question: JsonObject) -> JsonObject:
        before = question.get("before")
        if type(before) is not int or before < 0:
            return _refused("BAD_QUESTION", "prune takes an instant before which bookings ended, in milliseconds")
        fault = self._operations.prune(UtcMs(before))
        return {"ok": fault is None, "faults": [] if fault is None else [_fault(fault)]}

    async def _template(self, question: JsonObject) -> JsonObject:
        act, key = question.get("act"), question.get("key")
        if act not in ("pin", "unpin", "forget") or not isinstance(key, str):
            return _refused("BAD_QUESTION", "templates takes an act (pin, unpin or forget) and a key")
        fault = await self._operations.template(act, key)
        return {"ok": fault is None, "faults": [] if fault is None else [_fault(fault)]}


async def ask(path: Path, command: str, *, timeout_s: float, more: JsonObject | None = None) -> JsonObject:
    """Ask a running daemon one thing and return its answer; `more` are further fields of the question.

    Raises: DaemonUnreachableError.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(path, limit=LINE_BYTES_MAX * 16)
            try:
                await _write(writer, {"command": command, **(more or {})})
                line = await reader.readline()
            finally:
                writer.close()
    except TimeoutError as error:
        raise DaemonUnreachableError(f"the daemon did not answer on {path} within {timeout_s:g} s") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise DaemonUnreachableError(f"no daemon answers on {path}: {reason}") from error
    if not line:
        raise DaemonUnreachableError(f"the daemon closed {path} without an answer")
    try:
        answer: JsonObject = json.loads(line)
    except ValueError as error:
        raise DaemonUnreachableError(f"the answer on {path} broke off: the daemon ended meanwhile") from error
    return answer


async def _write(writer: asyncio.StreamWriter, answer: JsonObject) -> None:
    writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
    await writer.drain()


def _refused(code: str, message: str) -> JsonObject:
    return {"ok": False, "faults": [_fault(Fault(code, "question", message))]}


def _fault(fault: Fault) -> JsonObject:
    return {"code": fault.code, "where": fault.where, "message": fault.message}
