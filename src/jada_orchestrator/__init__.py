"""JADA orchestrator: booking requests in, checked plans run durably across agents, outcomes out.

`ARCHITECTURE.md` is the map of the packages below; `docs/journey.md` follows one request through them.
"""

from __future__ import annotations

from typing import Final

__version__: Final = "0.1.0"
"""The version of the distribution; `pyproject.toml` reads it from here."""
