"""The commands: `jada ...`. They read the store and talk to the queues through the service floor."""

from __future__ import annotations
