"""From OpenTelemetry's own environment variables to a tracing log, or to the log as it is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from jada_orchestrator.ports.log import Log

if TYPE_CHECKING:
    from jada_orchestrator.adapters.tracing.spans import TracingLog

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def open_tracing(log: Log, environ: Mapping[str, str] | None = None) -> TracingLog | None:
    """Return a log that traces as well where an OTLP endpoint is configured, else None and nothing is loaded.

    Without the extra ``otel`` a configured endpoint is only warned of: traces are no condition of bookings.
    """
    names = os.environ if environ is None else environ
    if not any(names.get(name) for name in ENDPOINTS) or names.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

        from jada_orchestrator.adapters.tracing.spans import TracingLog  # noqa: PLC0415
    except ImportError as error:
        message = f"traces are configured, and cannot be sent: {error}. Install the extra: jada-orchestrator[otel]"
        log.emit("warning", "settings.notice", message)
        return None
    service = names.get("OTEL_SERVICE_NAME") or "jada-orchestrator"
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return TracingLog(log, provider.get_tracer("jada-orchestrator"), provider.shutdown)
