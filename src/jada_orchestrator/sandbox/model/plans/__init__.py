"""Plan skeletons for the reference catalogue: booking, changing, cancelling; fitted to the catalogue that was sent."""

from __future__ import annotations
