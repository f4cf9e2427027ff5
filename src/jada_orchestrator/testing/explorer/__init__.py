"""The explorer: for one plan and one catalogue, every single failure and every crash point, in the pure engine.

The agents are imagined: they answer what their output schemas allow, do what they say once per key, and go wrong
exactly where a case says. What comes of each case is compared with what the imagined world then holds: whatever
stands must be named to a person, and must have been declared irreversible by the catalogue's author.
"""

from __future__ import annotations

from jada_orchestrator.testing.explorer.exploring import Exploration, Finding, explore
from jada_orchestrator.testing.explorer.imagining import CannotImagineError, imagine

__all__ = ["CannotImagineError", "Exploration", "Finding", "explore", "imagine"]
