"""Agents whose answers are larger than any message, for the tests of the local AWS stand-in."""

from __future__ import annotations

import socket

from jada_orchestrator.agent import Agent, JsonObject, Task

maker = Agent("maker", idempotency=None)
scales = Agent("scales", idempotency=None)


@maker.action("maker.make")
def make(task: Task) -> JsonObject:
    """Makes so many letters."""
    return {"letters": "é" * task.input["count"]}


@scales.action("scales.weigh")
def weigh(task: Task) -> JsonObject:
    """Says when it begins, waits until it may go on, and gives back what it was given, with its weight."""
    with socket.create_connection(("127.0.0.1", task.input["gate"])) as gate:
        gate.recv(1)
    letters = task.input["letters"]
    return {"letters": letters, "bytes": len(letters.encode())}
