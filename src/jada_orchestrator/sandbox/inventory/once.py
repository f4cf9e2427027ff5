"""One effect per idempotency key: the first answer is stored in the very transaction that makes the effect.

So two invocations that race under one key make one effect and give one answer, and a process that dies at any point
has made the effect and remembered it, or neither. While a call is under way a marker says so, which is how `lookup`
can tell "not yet" from "never": a call whose marker has run out, or whose process is gone, can no longer make its
effect.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory.books import Books, Maker
from jada_orchestrator.sandbox.inventory.stock import sweep

LEASE_MS: Final = 60_000
"""How long a call may take to come to its effect; after that it refuses to make it."""

Work: TypeAlias = Callable[[sqlite3.Connection], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is under way."""

    maker: Maker
    fingerprint: str
    token: str
    until_ms: int


def begin(books: Books, maker: Maker, given: Mapping[str, Any], deadline_ms: int | None) -> Call | dict[str, Any]:
    """Marks a call as under way, or returns the output that was given under this key before.

    Raises `AgentError`: the failure that was given under this key before, KEY_REUSED, or DEADLINE_PASSED.
    """
    now_ms = books.now_ms()
    until_ms = now_ms + LEASE_MS if deadline_ms is None else min(deadline_ms, now_ms + LEASE_MS)
    call = Call(maker, _fingerprint(maker.action, given), secrets.token_hex(8), until_ms)
    with books.writing() as connection:
        known = _stored(connection, call)
        if known is not None:
            return _output(known)
        _refuse_late(call, now_ms)
        connection.execute(
            "INSERT INTO under_way VALUES (?, ?, ?, ?)", (call.token, maker.key, os.getpid(), call.until_ms)
        )
    return call


def settle(books: Books, call: Call, work: Work) -> dict[str, Any]:
    """Makes the effect and stores its answer; when another call under the key was first, returns its answer.

    A failure that is not retryable is stored too. Raises `AgentError` as `begin` does, and what `work` raises.
    """
    with books.writing() as connection:
        known = _stored(connection, call)
        if known is None:
            _refuse_late(call, books.now_ms())
            sweep(connection, books)
            known = _tried(connection, work)
            connection.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?)",
                (call.maker.key, call.maker.action, call.fingerprint, json.dumps(known)),
            )
    return _output(known)


def end(books: Books, call: Call) -> None:
    """Takes the marker of a call away: it will not make an effect any more."""
    with books.writing() as connection:
        connection.execute("DELETE FROM under_way WHERE token = ?", (call.token,))


def lookup(books: Books, key: str) -> dict[str, Any]:
    """What became of the calls under a key, in the words of the lookup protocol."""
    with books.reading() as connection:
        row = connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        markers = connection.execute(
            "SELECT process FROM under_way WHERE key = ? AND until_ms > ?", (key, books.now_ms())
        ).fetchall()
    if row is not None:
        answer: dict[str, Any] = json.loads(row["answer"])
        if answer["status"] == "succeeded":
            return {"state": "succeeded", "output": answer["output"]}
        return {"state": "failed", "error": answer["error"]}
    return {"state": "pending" if any(_lives(marker["process"]) for marker in markers) else "absent"}


def _tried(connection: sqlite3.Connection, work: Work) -> dict[str, Any]:
    """The answer to store; a failure's traces are rolled back to the savepoint first."""
    connection.execute("SAVEPOINT work")
    try:
        output = work(connection)
    except AgentError as error:
        if error.retryable:
            raise
        connection.execute("ROLLBACK TO work")
        return {"status": "failed", "error": {"code": error.code, "message": error.message}}
    return {"status": "succeeded", "output": output}


def _stored(connection: sqlite3.Connection, call: Call) -> dict[str, Any] | None:
    row = connection.execute("SELECT fingerprint, answer FROM answers WHERE key = ?", (call.maker.key,)).fetchone()
    if row is None:
        return None
    if row["fingerprint"] != call.fingerprint:
        raise AgentError("KEY_REUSED", "this idempotency key was used before with another action or input")
    answer: dict[str, Any] = json.loads(row["answer"])
    return answer


def _output(answer: Mapping[str, Any]) -> dict[str, Any]:
    if answer["status"] == "failed":
        raise AgentError(answer["error"]["code"], answer["error"]["message"])
    output: dict[str, Any] = answer["output"]
    return output


def _refuse_late(call: Call, now_ms: int) -> None:
    if now_ms >= call.until_ms:
        raise AgentError("DEADLINE_PASSED", "nobody waits for this any more; nothing was done")


def _fingerprint(action: str, given: Mapping[str, Any]) -> str:
    text = json.dumps([action, given], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
