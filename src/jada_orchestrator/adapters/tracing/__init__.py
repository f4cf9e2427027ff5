"""OpenTelemetry traces, where an exporter is configured; nothing is loaded where none is."""

from __future__ import annotations
