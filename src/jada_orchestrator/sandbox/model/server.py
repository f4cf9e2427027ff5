"""The scripted model's HTTP server: the Messages API on loopback, answered by rules instead of a model.

It is a stand-in: every answer carries the header `x-jada-stand-in: scripted-model`, and ids begin with `msg_scripted_`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from jada_orchestrator.sandbox.model.answering import StreamSender, send_whole, spoil_reply
from jada_orchestrator.sandbox.model.api_errors import ApiError, invalid_request
from jada_orchestrator.sandbox.model.calls import Call, CallLog
from jada_orchestrator.sandbox.model.choosing import choose
from jada_orchestrator.sandbox.model.conversation import Conversation, read_conversation
from jada_orchestrator.sandbox.model.faults import (
    WRONG_PROPOSALS,
    BadFaultOrder,
    Fault,
    FaultKind,
    FaultQueue,
    http_error,
    orders_from_json,
)
from jada_orchestrator.sandbox.model.known_models import KNOWN_MODELS, KnownModel, find_model, model_info
from jada_orchestrator.sandbox.model.pace import Pace, RateMeter
from jada_orchestrator.sandbox.model.planner import answer
from jada_orchestrator.sandbox.model.prompt_cache import PromptCache, count_input_tokens
from jada_orchestrator.sandbox.model.request_checks import (
    REQUEST_BYTES_MAX,
    check_headers,
    check_messages_request,
    check_prompt,
)
from jada_orchestrator.sandbox.model.sse import Reply

STAND_IN_HEADER = "x-jada-stand-in"
STAND_IN = "scripted-model"

_Handler = Callable[[web.Request, Call], Awaitable[web.StreamResponse]]


class ScriptedModel:
    """A server on loopback that speaks the Messages API and plans travel by rules.

    Use it as an async context manager; `url` goes into ANTHROPIC_BASE_URL, any key will do. `faults` takes orders,
    `calls` lists what came. Everything belongs to the event loop in which it was started.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        pace: Pace | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take where to listen (port 0: any free one), how fast to talk, and the clock of cache and rate headers."""
        self._host = host
        self._port = port
        self._pace = pace or Pace()
        self._cache = PromptCache(clock)
        self._meter = RateMeter(clock)
        self._released = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.faults = FaultQueue()
        self.calls = CallLog()

    @property
    def url(self) -> str:
        """The base URL; meaningful once started."""
        return f"http://{self._host}:{self._port}"

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. Calling it twice does nothing. Raises OSError when the port is taken."""
        if self._runner is not None:
            return
        # Handlers are cancelled when their client leaves: a held call must not outlive the process that made it.
        runner = web.AppRunner(self._application(), handler_cancellation=True, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._port = runner.addresses[0][1]
        self._runner = runner

    async def close(self) -> None:
        """Release held calls and stop listening. Calling it twice does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            self.release()
            await runner.cleanup()

    def release(self) -> None:
        """Let every held (or pinging) call go on to its normal answer."""
        self._released.set()
        self._released = asyncio.Event()

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=REQUEST_BYTES_MAX + 1)
        route = application.router
        route.add_post("/v1/messages", self._api(self._messages))
        route.add_post("/v1/messages/count_tokens", self._api(self._count_tokens))
        route.add_get("/v1/models", self._api(self._models))
        route.add_get("/v1/models/{id}", self._api(self._model))
        route.add_get("/_scripted/calls", self._list_calls)
        route.add_delete("/_scripted/calls", self._forget_calls)
        route.add_get("/_scripted/faults", self._list_faults)
        route.add_post("/_scripted/faults", self._order_faults)
        route.add_delete("/_scripted/faults", self._forget_faults)
        route.add_post("/_scripted/release", self._release_calls)
        route.add_route("*", "/{path:.*}", self._api(self._unknown))
        return application

    # The Messages API

    def _api(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Wrap a handler: logs the call, checks the headers, turns ApiError into its HTTP answer."""

        async def handle(request: web.Request) -> web.StreamResponse:
            call = self.calls.open(request.path)
            try:
                check_headers(request.headers)
                response = await handler(request, call)
            except ApiError as error:
                call.outcome, call.status = f"error {error.status}", error.status
                response = web.json_response(
                    error.body(call.api_request_id),
                    status=error.status,
                    headers={**self._headers(call), **error.headers},
                )
            except (asyncio.CancelledError, ConnectionError):
                self._enter(call, "abandoned")
                raise
            call.status = response.status
            self._enter(call, "ended")
            return response

        return handle

    def _headers(self, call: Call) -> dict[str, str]:
        return {"request-id": call.api_request_id, STAND_IN_HEADER: STAND_IN, **self._meter.headers()}

    def _enter(self, call: Call, state: str) -> None:
        call.state = state
        self.calls.changed()

    async def _messages(self, request: web.Request, call: Call) -> web.StreamResponse:
        body, model = check_messages_request(await _json_body(request), request.headers["anthropic-version"])
        conversation = read_conversation(body)
        call.model, call.stream = str(body["model"]), bool(body.get("stream"))
        call.booking_request_id, call.corrections = conversation.request_id, conversation.corrections
        fault = self.faults.take(f"{body['model']}\n{conversation.request_json}\n{_about(conversation)}")
        if fault is not None:
            call.fault = fault.kind.value
            error = http_error(fault)
            if error is not None:
                raise error
            if fault.kind is FaultKind.HOLD and fault.after_bytes == 0:
                await self._wait_for_release(call)
        self._enter(call, "answering")
        reply = self._reply(call, body, model, conversation, fault)
        if call.stream:
            sender = StreamSender(call, reply, fault, self._pace, self._wait_for_release)
            return await sender.send(request, self._headers(call))
        if fault is not None and fault.kind is FaultKind.PINGS:
            await self._wait_for_release(call)
        await asyncio.sleep(self._pace.first_token_s + self._pace.chunk_delay_s(reply.text))
        return await send_whole(request, reply, fault, self._headers(call))

    def _reply(
        self, call: Call, body: dict[str, Any], model: KnownModel, conversation: Conversation, fault: Fault | None
    ) -> Reply:
        spoiled = fault.kind if fault is not None and fault.kind in WRONG_PROPOSALS else None
        if conversation.choice is not None:
            outcome, text = "choice", choose(conversation.choice)
        else:
            proposal = answer(conversation, spoiled)
            outcome, text = proposal.outcome, proposal.as_text()
        usage = self._cache.bill(model, body)
        whole = Reply(
            message_id=f"msg_scripted_{call.number:06d}",
            model=call.model,
            text=text,
            stop_reason="end_turn",
            input_usage=usage,
        )
        reply = spoil_reply(whole, fault, int(body["max_tokens"]))
        self._meter.count(usage.uncached + usage.created_5m + usage.created_1h, reply.output_tokens)
        call.usage = {**usage.as_usage(), "output_tokens": reply.output_tokens}
        call.text = reply.text
        call.outcome = outcome if reply.text == whole.text else reply.stop_reason
        return reply

    async def _wait_for_release(self, call: Call) -> None:
        released = self._released
        self._enter(call, "held")
        await released.wait()
        self._enter(call, "answering")

    async def _count_tokens(self, request: web.Request, call: Call) -> web.StreamResponse:
        body, _ = check_prompt(await _json_body(request))
        call.model = str(body["model"])
        return web.json_response({"input_tokens": count_input_tokens(body)}, headers=self._headers(call))

    async def _models(self, _: web.Request, call: Call) -> web.StreamResponse:
        page = {
            "data": [model_info(model) for model in KNOWN_MODELS],
            "has_more": False,
            "first_id": KNOWN_MODELS[0].id,
            "last_id": KNOWN_MODELS[-1].id,
        }
        return web.json_response(page, headers=self._headers(call))

    async def _model(self, request: web.Request, call: Call) -> web.StreamResponse:
        name = request.match_info["id"]
        model = find_model(name)
        if model is None:
            raise ApiError(404, "not_found_error", f"model: {name}")
        return web.json_response(model_info(model), headers=self._headers(call))

    async def _unknown(self, request: web.Request, _: Call) -> web.StreamResponse:
        raise ApiError(404, "not_found_error", f"{request.method} {request.path}: the stand-in does not serve this")

    # The stand-in's own controls, under /_scripted

    async def _list_calls(self, _: web.Request) -> web.Response:
        return _control([call.as_json() for call in self.calls])

    async def _forget_calls(self, _: web.Request) -> web.Response:
        self.calls.clear()
        return _control([])

    async def _list_faults(self, _: web.Request) -> web.Response:
        return _control([fault.as_json() for fault in self.faults.pending])

    async def _order_faults(self, request: web.Request) -> web.Response:
        try:
            self.faults.order(*orders_from_json(json.loads(await request.text())))
        except (BadFaultOrder, json.JSONDecodeError) as error:
            return _control({"error": str(error)}, status=400)
        return await self._list_faults(request)

    async def _forget_faults(self, _: web.Request) -> web.Response:
        self.faults.clear()
        return _control([])

    async def _release_calls(self, _: web.Request) -> web.Response:
        held = sum(call.state == "held" for call in self.calls)
        self.release()
        return _control({"released": held})


def _control(data: object, status: int = 200) -> web.Response:
    return web.json_response(data, status=status, headers={STAND_IN_HEADER: STAND_IN})


async def _json_body(request: web.Request) -> object:
    try:
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "invalid_request_error", "Request exceeds the maximum size") from None
    try:
        return json.loads(raw)
    except ValueError:
        raise invalid_request("The request body is not valid JSON") from None


def _about(conversation: Conversation) -> str:
    """Return what a fault can match besides the request itself: that a revision of its plan is asked for."""
    return "" if conversation.executed is None else f"revision of {conversation.request_id}"
