"""Agents that are Lambda functions: `Invoke` with `RequestResponse`, one request for one attempt.

What each way to end means stands in `errors`; what an answer says is read by the wire's parser, which is given in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from jada_orchestrator.adapters.aws.bodies import read_bounded
from jada_orchestrator.adapters.aws.errors import (
    ANSWER_TOO_LARGE,
    BAD_CALL,
    CALL_TIMEOUT,
    FUNCTION_ERROR,
    LAMBDA_CODES,
    NO_TIME_TO_SEND,
    clip,
    result_of,
    result_of_error,
)
from jada_orchestrator.adapters.aws.fast_invoke import Answer, FastInvoker
from jada_orchestrator.adapters.aws.in_time import within
from jada_orchestrator.adapters.aws.offloading import offloaded
from jada_orchestrator.adapters.aws.referring import made_whole
from jada_orchestrator.domain.catalogue import LambdaTransport
from jada_orchestrator.domain.events import Failed, Lost
from jada_orchestrator.domain.limits import OUTPUT_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.agents import AgentCall, CallEnded
from jada_orchestrator.ports.payloads import PayloadStore

if TYPE_CHECKING:
    from types_aiobotocore_lambda import LambdaClient
    from types_aiobotocore_lambda.type_defs import InvocationRequestTypeDef

INVOKE_PAYLOAD_BYTES_MAX: Final = 6 * 1024 * 1024
"""What Lambda takes in a synchronous call."""
ANSWER_BYTES_MAX: Final = OUTPUT_BYTES_MAX + 64 * 1024
"""The largest output, and room for the reply around it."""

EncodeTask: TypeAlias = Callable[[AgentCall, PayloadRef | None], str]
"""Makes the ``jada.task/1`` text of a call, whose input lies elsewhere where a reference is given."""
ReadPayload: TypeAlias = Callable[[bytes, AgentCall], CallEnded]
"""Says what a function's answer came to; total, since a function may answer anything."""


class LambdaFunctions:
    """The port `FunctionCaller` on AWS Lambda; the client belongs to whoever opened it.

    A call waits here for one of the pool's connections, within its own time: aiohttp's pool would let it wait for ever.
    """

    def __init__(
        self,
        client: LambdaClient,
        *,
        connections: int,
        encode: EncodeTask,
        read: ReadPayload,
        fast: FastInvoker | None = None,
        payloads: PayloadStore | None = None,
    ) -> None:
        """Take the process's client; `connections` is the size of the pool, its own or that of `fast`.

        With `fast`, which is closed with this, calls go its way (docs/decisions, 16). With `payloads`, an input that is
        too large for a call goes there.
        """
        self._payloads = payloads
        self._client = client
        self._fast = fast
        self._admission = asyncio.Semaphore(connections)
        self._encode = encode
        self._read = read

    async def call(self, target: LambdaTransport, call: AgentCall) -> CallEnded:
        """Make one attempt; see the port."""
        try:
            payload = self._encode(call, None).encode()
        except (TypeError, ValueError) as error:
            return CallEnded(result_of(BAD_CALL, _subject(target), f"the task cannot be written as JSON: {error}."))
        if len(payload) > INVOKE_PAYLOAD_BYTES_MAX:
            size = f"{len(payload)} bytes"
            ref = await offloaded(self._payloads, call, _subject(target), size, INVOKE_PAYLOAD_BYTES_MAX)
            if isinstance(ref, CallEnded):
                return ref
            payload = self._encode(call, ref).encode()
        return await self._call_in_time(target, call, payload)

    async def close(self) -> None:
        """Close the fast way's connections; the others are the client's."""
        if self._fast is not None:
            await self._fast.close()

    async def _call_in_time(self, target: LambdaTransport, call: AgentCall, payload: bytes) -> CallEnded:
        """Wait for a connection and invoke, both within the call's time."""
        begun = False
        if call.timeout_ms <= 0:
            return CallEnded(result_of(NO_TIME_TO_SEND, _subject(target), "the deadline passed before the call."))
        try:
            with within(call.timeout_ms / 1000):
                async with self._admission:
                    begun = True
                    return await self._invoke(target, call, payload)
        except TimeoutError:
            subject = _subject(target)
            if not begun:
                what = f"no connection was free within {call.timeout_ms} ms."
                return CallEnded(result_of(NO_TIME_TO_SEND, subject, what))
            return CallEnded(result_of(CALL_TIMEOUT, subject, f"no answer within {call.timeout_ms} ms."))
        except Exception as error:  # noqa: BLE001 - the port raises nothing; `judge` calls what it does not know `Lost`
            return CallEnded(result_of_error(error, LAMBDA_CODES, _subject(target)))

    async def _invoke(self, target: LambdaTransport, call: AgentCall, payload: bytes) -> CallEnded:
        """Send the one request and read its answer whole."""
        if self._fast is None:
            answer = await self._invoke_by_client(target, payload)
        else:
            answer = await self._fast.invoke(target.function, target.qualifier, payload, bytes_max=ANSWER_BYTES_MAX)
        if answer.error:
            return CallEnded(_crashed(_subject(target), answer.error, answer.payload or b""))
        if answer.payload is None:
            return CallEnded(result_of(ANSWER_TOO_LARGE, _subject(target), f"more than {ANSWER_BYTES_MAX} bytes."))
        return self._read(await self._made_whole(answer.payload), call)

    async def _made_whole(self, payload: bytes) -> bytes:
        """Fetch the output of an answer that only refers to it."""
        if self._payloads is None or b"output_ref" not in payload:
            return payload
        try:
            return (await made_whole(payload.decode(), self._payloads)).encode()
        except UnicodeError:
            return payload  # whoever reads it says what is wrong with it

    async def _invoke_by_client(self, target: LambdaTransport, payload: bytes) -> Answer:
        request: InvocationRequestTypeDef = {
            "FunctionName": target.function,
            "InvocationType": "RequestResponse",
            "Payload": payload,
        }
        if target.qualifier:
            request["Qualifier"] = target.qualifier
        response = await self._client.invoke(**request)
        async with response["Payload"] as stream:
            return Answer(await read_bounded(stream, ANSWER_BYTES_MAX), response.get("FunctionError"))


def _subject(target: LambdaTransport) -> str:
    return f"function {target.function}" + (f":{target.qualifier}" if target.qualifier else "")


def _crashed(subject: str, kind: str, answer: bytes) -> Failed | Lost:
    """The function ran and raised, ran out of time or died: classified by `FunctionError` alone, never by its text."""
    try:
        details: Any = json.loads(answer)
    except ValueError:
        details = None
    what = "no details."
    if isinstance(details, dict):
        what = clip(f"{details.get('errorType', 'error')}: {details.get('errorMessage', '')}")
    return result_of(FUNCTION_ERROR, subject, f"{kind}: {what}")
