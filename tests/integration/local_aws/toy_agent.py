"""A toy agent for the tests of the local AWS stand-in."""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time

from jada_orchestrator.agent import Agent, AgentError, JsonObject, Task

app = Agent("toy", idempotency=None)


@app.action("toy.echo", input={"type": "object", "required": ["word"]})
def echo(task: Task) -> JsonObject:
    """Says what it was told, and where it lives."""
    return {"word": task.input["word"], "inventory": os.environ.get("JADA_SANDBOX_INVENTORY"), "pid": os.getpid()}


@app.action("toy.refuse")
def refuse(task: Task) -> JsonObject:
    """Fails in good order."""
    raise AgentError("SOLD_OUT", "no")


@app.action("toy.crash")
def crash(task: Task) -> JsonObject:
    """Breaks."""
    raise RuntimeError("broken on purpose")


@app.action("toy.hang")
def hang(task: Task) -> JsonObject:
    """Takes much longer than anybody waits; says so to a port, when it is given one."""
    if "port" in task.input:
        socket.create_connection(("127.0.0.1", task.input["port"])).close()
    time.sleep(60)
    return {}


@app.action("toy.botocore")
def botocore(task: Task) -> JsonObject:
    """Says whether botocore was loaded before anybody asked, and that it can be."""
    before = "botocore" in sys.modules
    return {"before": before, "can": hasattr(importlib.import_module("botocore.session"), "get_session")}
