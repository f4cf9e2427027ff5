"""A proxy before the stand-in's AWS: bad weather to order, a gone endpoint and throttled functions."""

from __future__ import annotations

from typing import Self

import aiohttp
from aiohttp import web


class Weather:
    """Passes everything on to an endpoint, except while it is told otherwise."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._port = 0
        self._site: web.TCPSite | None = None
        self.throttled = False
        """While true, no function is run: `Invoke` is answered with 429."""
        self.refused = 0
        """Calls that were throttled."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application(client_max_size=4 * 1024 * 1024)
        application.router.add_route("*", "/{path:.*}", self._pass_on)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
        await self._runner.setup()
        await self.come_back()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    @property
    def url(self) -> str:
        """Where it listens, whatever happens."""
        return f"http://127.0.0.1:{self._port}"

    async def go_away(self) -> None:
        """Refuse new connections and break the present ones."""
        assert self._site is not None
        await self._site.stop()
        server = self._runner.server
        assert server is not None
        for connection in list(server.connections):
            if connection.transport is not None:
                connection.transport.abort()

    async def come_back(self) -> None:
        """Listen (again), at the same address."""
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._port = self._runner.addresses[0][1]

    async def _pass_on(self, request: web.Request) -> web.Response:
        if self.throttled and request.path.endswith("/invocations"):
            self.refused += 1
            body = {
                "Type": "User",
                "message": "Rate exceeded",
                "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
            }
            return web.json_response(body, status=429, headers={"x-amzn-ErrorType": "TooManyRequestsException"})
        headers = {name: value for name, value in request.headers.items() if name.lower() != "content-length"}
        async with self._session.request(
            request.method, f"{self._endpoint}{request.rel_url}", headers=headers, data=await request.read()
        ) as answer:
            passed = ("content-type", "x-amz", "x-amzn")
            kept = {name: value for name, value in answer.headers.items() if name.lower().startswith(passed)}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)
