"""A proxy before the stand-in's AWS that reads every task on its way, and bribes functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Self, TypeAlias

import aiohttp
from aiohttp import web

Bribe: TypeAlias = Callable[[dict[str, Any]], bytes]
"""From an honest output to the payload that is answered instead."""


class Bribery:
    """Passes everything on; `tasks` are all that went to functions and workers, as they were sent."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._bribes: dict[tuple[str, str], Bribe] = {}
        self.tasks: list[dict[str, Any]] = []
        self.url = ""

    def bribe(self, request_id: str, action: str, bribe: Bribe) -> None:
        """Have the functions answer this for a request's action, whatever they did."""
        self._bribes[request_id, action] = bribe

    def sent(self, request_id: str, action: str = "") -> list[dict[str, Any]]:
        """Return the tasks of a request, or of one of its actions, in order."""
        return [task for task in self.tasks if task["request_id"] == request_id and action in {"", task["action"]}]

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=16 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        bribe = self._seen(request, body)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        async with self._session.request(
            request.method, f"{self._endpoint}{request.rel_url}", headers=headers, data=body
        ) as answer:
            passed = ("content-type", "x-amz", "x-amzn")
            kept = {name: value for name, value in answer.headers.items() if name.lower().startswith(passed)}
            payload = await answer.read()
            return web.Response(
                status=answer.status, body=payload if bribe is None else bribe(json.loads(payload)), headers=kept
            )

    def _seen(self, request: web.Request, body: bytes) -> Bribe | None:
        """Note the tasks in what passes; return the bribe that the answer to it is due."""
        if request.path.endswith("/invocations"):
            task = json.loads(body)
            self.tasks.append(task)
            return self._bribes.get((task["request_id"], task["action"]))
        if "SendMessage" in request.headers.get("X-Amz-Target", ""):
            message = json.loads(body)
            bodies = [each["MessageBody"] for each in message.get("Entries", [message])]
            self.tasks += [task for task in map(json.loads, bodies) if task.get("schema") == "jada.task/1"]
        return None
