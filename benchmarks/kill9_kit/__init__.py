"""What the harness that kills the daemon is made of."""

from __future__ import annotations
