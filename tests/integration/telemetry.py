"""A receiver of OTLP over HTTP, written from the public protocol: it keeps the spans that really arrive."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Final, Self

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

OK: Final = Status.StatusCode.STATUS_CODE_OK
ERROR: Final = Status.StatusCode.STATUS_CODE_ERROR


@dataclass(frozen=True, slots=True)
class Received:
    """A span as it arrived; ids are hexadecimal, as W3C writes them."""

    name: str
    trace: str
    own: str
    parent: str
    """Empty for a span without a parent."""
    status: int
    kind: int
    attributes: dict[str, str | bool | int]
    events: tuple[str, ...]
    service: str
    lasted_ns: int

    @property
    def context(self) -> str:
        """What is handed on below this span, as `traceparent`, but for its flags."""
        return f"00-{self.trace}-{self.own}"


@dataclass(slots=True)
class Receiver:
    """Takes `POST /v1/traces`; `status` is what it answers."""

    status: int = 200
    spans: list[Received] = field(default_factory=list)
    refused: int = 0
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=16 * 1024 * 1024)
        application.router.add_post("/v1/traces", self._take)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def named(self, name: str) -> list[Received]:
        """Return the spans of a name, in the order in which they ended."""
        return [span for span in self.spans if span.name == name]

    async def _take(self, request: web.Request) -> web.Response:
        if self.status != 200:
            self.refused += 1
            return web.Response(status=self.status)
        assert request.content_type == "application/x-protobuf"
        body = await request.read()  # aiohttp unpacks what says that it is packed
        told = ExportTraceServiceRequest.FromString(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)
        for resource in told.resource_spans:
            service = str(_attributes(resource.resource.attributes)["service.name"])
            self.spans += [_received(span, service) for scope in resource.scope_spans for span in scope.spans]
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=answer, content_type="application/x-protobuf")


def _received(span: Span, service: str) -> Received:
    return Received(
        name=span.name,
        trace=span.trace_id.hex(),
        own=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        status=span.status.code,
        kind=span.kind,
        attributes=_attributes(span.attributes),
        events=tuple(event.name for event in span.events),
        service=service,
        lasted_ns=span.end_time_unix_nano - span.start_time_unix_nano,
    )


def _attributes(pairs: list[KeyValue]) -> dict[str, str | bool | int]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}
