"""A stand-in for Lambda's `Invoke` that answers by rule: every way in which a call can end, over real HTTP.

The function's name is the rule. It is no Lambda: nothing is executed, and signatures are not checked.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

from aiohttp import web

Rule: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]


class LambdaServer:
    """Counts the invocations of each function, and answers as its rule says."""

    def __init__(self) -> None:
        """Begin with no invocation."""
        self.invocations: Counter[str] = Counter()
        self.queries: list[str] = []
        self.bodies: list[bytes] = []
        self.arrived = asyncio.Event()
        """Set when the first invocation is there."""
        self.released = asyncio.Event()
        """What the hanging functions wait for."""
        self.url = ""

    def reset(self) -> None:
        """Forget what was invoked, and let hang again what hangs."""
        self.invocations.clear()
        self.queries.clear()
        self.bodies.clear()
        self.arrived.clear()
        self.released.clear()

    async def invoke(self, request: web.Request) -> web.StreamResponse:
        """Answer `POST /2015-03-31/functions/{name}/invocations`."""
        name = request.match_info["name"]
        self.invocations[name] += 1
        self.queries.append(request.query_string)
        self.bodies.append(await request.read())
        self.arrived.set()
        if name == "hang":
            await self.released.wait()
            return await ok(request)
        return await RULES[name](request)


async def ok(request: web.Request) -> web.StreamResponse:
    """The function ran and answered."""
    return web.json_response({"hold_id": "h-1"}, headers={"X-Amz-Executed-Version": "$LATEST"})


def _payload(body: bytes, **headers: str) -> Rule:
    async def rule(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, headers={"X-Amz-Executed-Version": "$LATEST", **named})

    return rule


def _function_error(kind: str) -> Rule:
    body = json.dumps({"errorType": "KeyError", "errorMessage": "'seat'", "stackTrace": []}).encode()
    return _payload(body, X_Amz_Function_Error=kind)


def _error(status: int, code: str, *, headers: dict[str, str] | None = None, **members: str) -> Rule:
    body = {"Type": "User", "message": "said the stand-in", **members}

    async def rule(request: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status, headers={"x-amzn-ErrorType": code, **(headers or {})})

    return rule


def _html(status: int) -> Rule:
    async def rule(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text="<html><body>Bad gateway</body></html>", content_type="text/html")

    return rule


async def _cut(request: web.Request) -> web.StreamResponse:
    """The connection ends before there is an answer."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def _cut_in_body(request: web.Request) -> web.StreamResponse:
    """The connection ends in the middle of the answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"hold_id":')
    assert request.transport is not None
    request.transport.close()
    return response


RULES: Final[dict[str, Rule]] = {
    "ok": ok,
    "not-json": _payload(b"<html>hello</html>"),
    "huge": _payload(b'{"x":"' + b"a" * 2_000_000 + b'"}'),
    "unhandled": _function_error("Unhandled"),
    "handled": _function_error("Handled"),
    "crashed-without-details": _payload(b"not json", X_Amz_Function_Error="Unhandled"),
    "throttled": _error(
        429,
        "TooManyRequestsException",
        headers={"Retry-After": "3"},
        Reason="ReservedFunctionConcurrentInvocationLimitExceeded",
    ),
    "throttled-by-somebody": _html(429),
    "missing": _error(404, "ResourceNotFoundException"),
    "denied": _error(403, "AccessDeniedException"),
    "expired": _error(403, "ExpiredTokenException"),
    "kms": _error(502, "KMSDisabledException"),
    "runtime": _error(502, "InvalidRuntimeException"),
    "not-ready": _error(409, "ResourceConflictException"),
    "parameter": _error(400, "InvalidParameterValueException"),
    "content": _error(400, "InvalidRequestContentException"),
    "too-large": _error(413, "RequestTooLargeException"),
    "service": _error(500, "ServiceException"),
    "efs-io": _error(410, "EFSIOException"),
    "html-502": _html(502),
    "html-503": _html(503),
    "html-400": _html(400),
    "html-408": _html(408),
    "cut": _cut,
    "cut-in-body": _cut_in_body,
}


@asynccontextmanager
async def lambda_server() -> AsyncIterator[LambdaServer]:
    """Serve on a free port of the loopback interface."""
    server = LambdaServer()
    app = web.Application(client_max_size=16 * 1024 * 1024)
    app.router.add_post("/2015-03-31/functions/{name}/invocations", server.invoke)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = "http://{}:{}".format(*runner.addresses[0][:2])
        yield server
    finally:
        server.released.set()
        await runner.cleanup()
