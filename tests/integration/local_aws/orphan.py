"""A parent that starts a stack, has a function hang, says who runs, and then waits to be killed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from jada_orchestrator.sandbox.stack import SandboxAgent, local_stack


async def main() -> None:
    """Prints the pids of the whole process group once the function hangs."""
    agents = [
        SandboxAgent("toy", "lambda", "jada-toy", "toy_agent:app"),
        SandboxAgent("toy", "sqs", "jada-toy-tasks", "toy_agent:app"),
    ]
    hanging = asyncio.Event()
    server = await asyncio.start_server(lambda *_: hanging.set(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with local_stack(Path(sys.argv[1]), agents, import_path=[Path(__file__).parent]) as aws:
        task = {"workflow_id": "w", "request_id": "r", "task_id": "t", "attempt": 1, "idempotency_key": "k"}
        call = asyncio.create_task(aws.invoke("jada-toy", {**task, "action": "toy.hang", "input": {"port": port}}))
        await hanging.wait()
        listing = await asyncio.create_subprocess_exec("ps", "-e", "-o", "pgid=,pid=", stdout=asyncio.subprocess.PIPE)
        listed, _ = await listing.communicate()
        pairs = [line.split() for line in listed.decode().splitlines()]
        group = str(aws.processes.group())
        print(json.dumps([int(pid) for pgid, pid in pairs if pgid == group]), flush=True)  # noqa: T201 - the test reads it
        await call


asyncio.run(main())
