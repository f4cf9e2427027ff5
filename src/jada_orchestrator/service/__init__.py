"""The service: settings, wiring, lifecycle. The only floor that knows which adapter is which."""

from __future__ import annotations
