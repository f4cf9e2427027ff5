"""`jada demo`: eight bookings at once on this machine alone, some of which go wrong, and what became of each."""

from __future__ import annotations
