"""Rehearsal: recorded requests put to another model, compiled and compared, without calling any agent."""

from __future__ import annotations
