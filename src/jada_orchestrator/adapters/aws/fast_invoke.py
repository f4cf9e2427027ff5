"""`Invoke` on the short way (`short_way`), with answers that are read up to a bound."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from aiobotocore.session import AioSession

from jada_orchestrator.adapters.aws.short_way import ShortWay, Template
from jada_orchestrator.adapters.aws.sockets import LAMBDA_READ_TIMEOUT_S

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the payload, None when it is larger than allowed; `error` is the header ``FunctionError``."""

    payload: bytes | None
    error: str | None


class FastInvoker:
    """Invokes functions; close it when done. The client is asked for what it knows and never sends anything."""

    def __init__(self, client: LambdaClient, session: AioSession, *, connections: int) -> None:
        """Make a pool of so many connections of its own; the running loop is the pool's."""
        self._client = client
        self._way = ShortWay(client, session, connections=connections, read_timeout_s=LAMBDA_READ_TIMEOUT_S)
        self._templates: dict[tuple[str, str], Template] = {}

    async def invoke(self, function: str, qualifier: str, payload: bytes, *, bytes_max: int) -> Answer:
        """Send one request and read its answer whole, up to `bytes_max`.

        Raises: what botocore's client raises, botocore's exceptions and aiohttp's about a broken body.
        """
        template = self._templates.get((function, qualifier)) or await self._prepare(function, qualifier)

        received = await self._way.post(template, payload, bytes_max=bytes_max)
        return Answer(received.body, received.headers.get("X-Amz-Function-Error"))

    async def close(self) -> None:
        """Close every connection. May be called twice."""
        await self._way.close()

    async def _prepare(self, function: str, qualifier: str) -> Template:
        named: dict[str, Any] = {"Qualifier": qualifier} if qualifier else {}
        send: Any = partial(
            self._client.invoke, FunctionName=function, InvocationType="RequestResponse", Payload=b"{}", **named
        )
        template = self._templates[function, qualifier] = await self._way.prepare("Invoke", send)
        return template
