"""Capacity: who may go next, and how much of everything there is. Pure: it is told the time."""

from __future__ import annotations
