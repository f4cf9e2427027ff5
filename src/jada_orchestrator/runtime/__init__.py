"""The asyncio shell around the engine: it receives, turns, performs, waits, recovers and drains.

Only loop time is ever waited for, and the ports are the only way out, so that a virtual-time loop with fakes runs this
very code (`jada_orchestrator.testing`).
"""

from __future__ import annotations
