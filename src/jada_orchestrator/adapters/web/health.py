"""The health listener: /healthz, /readyz, /metrics, /version, for machines on this host.

/healthz answers 200 while the turn loop goes round, /readyz while requests are accepted; both answer 503 with the
reason otherwise. /metrics is the Prometheus text format.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from jada_orchestrator.adapters.web.addresses import TcpAddress
from jada_orchestrator.adapters.web.errors import ListenError
from jada_orchestrator.adapters.web.unix_sockets import FileId, let_group_in, make_room, remove
from jada_orchestrator.ports.operations import Operations, Sample


@asynccontextmanager
async def open_health(address: TcpAddress | Path, operations: Operations) -> AsyncIterator[str]:
    """Serve inside the context; yields the address in force, such as ``127.0.0.1:9620``.

    Raises: ListenError.
    """
    runner = web.AppRunner(application(operations), access_log=None, handle_signals=False, shutdown_timeout=1.0)
    await runner.setup()
    own: FileId = (0, 0)
    try:
        if isinstance(address, Path):
            make_room(address)
            await web.UnixSite(runner, str(address)).start()
            own = let_group_in(address)
        else:
            await web.TCPSite(runner, address.host, address.port).start()
    except OSError as error:
        await runner.cleanup()
        raise ListenError(
            f"the health listener cannot be opened: {error.strerror or error}; set JADA_HEALTH to another address, or "
            "to nothing for none"
        ) from error
    try:
        yield _shown(runner.addresses)
    finally:
        if isinstance(address, Path):
            remove(address, own)
        await runner.cleanup()


def application(operations: Operations) -> web.Application:
    """Return the four pages."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Samples(operations))

    async def healthz(_: web.Request) -> web.Response:
        return _verdict(operations.trouble())

    async def readyz(_: web.Request) -> web.Response:
        return _verdict(operations.trouble() or operations.unready())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"version": operations.version()})

    app = web.Application()
    app.add_routes(
        [
            web.get("/healthz", healthz),
            web.get("/readyz", readyz),
            web.get("/metrics", metrics),
            web.get("/version", version),
        ]
    )
    return app


def _verdict(reason: str | None) -> web.Response:
    return web.Response(text=f"{reason or 'ok'}\n", status=200 if reason is None else 503)


def _shown(addresses: list[object]) -> str:
    match addresses:
        case [(str(host), int(port), *_), *_]:
            return f"{host}:{port}"
        case [first, *_]:
            return f"unix:{first}"
        case _:
            return ""


class _Samples(Collector):
    """The operations' numbers as the library's families, made afresh for each scrape."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def collect(self) -> Iterable[Metric]:
        return [_family(sample) for sample in self._operations.samples()]


def _family(sample: Sample) -> Metric:
    labels = [name for name, _ in sample.values[0][0]] if sample.values else []
    family = (CounterMetricFamily if sample.kind == "counter" else GaugeMetricFamily)(
        sample.name, sample.meaning, labels=labels
    )
    for pairs, value in sample.values:
        family.add_metric([text for _, text in pairs], value)
    return family
