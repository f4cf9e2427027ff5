"""Other servers than the sandbox's, written only from the public protocols and sharing no code with it.

`ReplayedModel` speaks the Messages API by replaying canned events. `OtherAws` is one endpoint with moto's SQS behind it
and an own `Invoke`, whose functions are Python functions of the test.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
from aiohttp import web

from benchmarks.kill9_kit.waiting import until_answered

_MOTO: Final = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


def sse(event: str, data: Mapping[str, Any]) -> str:
    """Return one server-sent event."""
    return f"event: {event}\ndata: {json.dumps(data)}\n\n"


class ReplayedModel:
    """A Messages API that gives every question the same answer, as a stream of canned events."""

    def __init__(self, answer: str) -> None:
        self._answer = answer
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.asked: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=4 * 1024 * 1024)
        application.router.add_post("/v1/messages", self._messages)
        self._runner, self.url = await _listening(application)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        self.asked.append(asked)
        response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
        await response.prepare(request)
        for event in self._events(asked["model"]):
            await response.write(event.encode())
        return response

    def _events(self, model: str) -> list[str]:
        usage = {"input_tokens": 2500, "output_tokens": 1}
        message: dict[str, Any] = {
            "id": "msg_replayed", "type": "message", "role": "assistant", "model": model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": usage,
        }  # fmt: skip
        pieces = [self._answer[at : at + 50] for at in range(0, len(self._answer), 50)]
        return [
            sse("message_start", {"type": "message_start", "message": message}),
            sse(
                "content_block_start",
                {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            ),
            sse("ping", {"type": "ping"}),
            *(
                sse(
                    "content_block_delta",
                    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}},
                )
                for piece in pieces
            ),
            sse("content_block_stop", {"type": "content_block_stop", "index": 0}),
            sse(
                "message_delta",
                {
                    "type": "message_delta",
                    "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                    "usage": {"output_tokens": 400},
                },
            ),
            sse("message_stop", {"type": "message_stop"}),
        ]


Function = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""From a task message to the function's payload."""


class OtherAws:
    """One endpoint: `Invoke` is answered here by `functions`, everything else is passed on to moto's server."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        self._functions = functions
        self._runner: web.AppRunner | None = None
        self._moto: subprocess.Popen[str] | None = None
        self._behind = ""
        self.url = ""
        self.tasks: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        self._moto = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-c", _MOTO],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._moto.stdout is not None
        self._behind = f"http://127.0.0.1:{int(await asyncio.to_thread(self._moto.stdout.readline))}"
        self._session = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=4 * 1024 * 1024)
        application.router.add_post("/2015-03-31/functions/{name}/invocations", self._invoke)
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner, self.url = await _listening(application)
        await until_answered(self._moto_answers, "moto's server answers")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        await self._session.close()
        if self._moto is not None:
            self._moto.kill()
            await asyncio.to_thread(self._moto.communicate)

    @property
    def environment(self) -> dict[str, str]:
        """What a client of it needs."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "other",
            "AWS_SECRET_ACCESS_KEY": "other",
        }

    async def _moto_answers(self) -> bool:
        try:
            async with self._session.get(f"{self._behind}/moto-api/data.json") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _invoke(self, request: web.Request) -> web.Response:
        task = await request.json()
        self.tasks.append(task)
        payload = await self._functions[request.match_info["name"]](task)
        return web.json_response(payload, headers={"X-Amz-Executed-Version": "7"})

    async def _pass_on(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        async with self._session.request(
            request.method, f"{self._behind}{request.rel_url}", headers=headers, data=await request.read()
        ) as answer:
            kept = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)


async def _listening(application: web.Application) -> tuple[web.AppRunner, str]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


def small_catalogue(folder: Path) -> Path:
    """Write a catalogue of two agents that only this test knows."""
    folder.mkdir()
    (folder / "rooms.yaml").write_text(
        """\
agent: rooms
description: Finds and takes rooms.
transport: {kind: lambda, function: other-rooms, qualifier: live}
actions:
  rooms.find:
    description: Finds a free room in a city.
    effect: read
    input: {type: object, required: [city], properties: {city: {type: string}}, additionalProperties: false}
    output: {type: object, required: [room_id], properties: {room_id: {type: string}}}
    timeout: 5s
  rooms.take:
    description: Takes a room.
    effect: reserve
    input: {type: object, required: [room_id], properties: {room_id: {type: string}}, additionalProperties: false}
    output: {type: object, required: [taken_id], properties: {taken_id: {type: string}}}
    compensate: {action: rooms.leave, input: {taken_id: {from: output.taken_id}}}
    timeout: 5s
  rooms.leave:
    description: Gives a room back.
    effect: commit
    irreversible: true
    input: {type: object, required: [taken_id], properties: {taken_id: {type: string}}, additionalProperties: false}
    output: {type: object}
    timeout: 5s
""",
        "utf-8",
    )
    return folder


def proposal() -> str:
    """Return the plan that the replayed model proposes."""
    ref = {"name": "room_id", "kind": "ref", "value": "found.room_id"}
    return json.dumps(
        {
            "outcome": "plan",
            "reason": "",
            "questions": [],
            "tasks": [
                {
                    "id": "found",
                    "action": "rooms.find",
                    "after": [],
                    "optional": False,
                    "args": [{"name": "city", "kind": "user", "value": "Lisbon"}],
                },
                {"id": "taken", "action": "rooms.take", "after": [], "optional": False, "args": [ref]},
            ],
            "result": [{"name": "taken", "value": "taken.taken_id"}],
        }
    )
