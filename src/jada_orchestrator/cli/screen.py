"""Where commands write: people's tables and trees to stdout, errors to stderr, programs' JSON to stdout.

Colour only on a terminal, and not with NO_COLOR (rich sees to both).
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from typing import Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it, but for line ends and tabs. Agents and strangers write such texts."""
_WIDE: Final = 200
"""Columns when nobody looks: what is piped into a file or grep is not broken into lines."""


class _Screen(Console):
    """A console that shows what is printed, and has the terminal obey nothing of it."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render as ever; only texts are changed, and not what rich itself tells the terminal."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(harmless(segment.text), segment.style)


def harmless(text: str) -> str:
    """Return what somebody wrote without anything that a terminal would obey."""
    return _OBEYED.sub("\ufffd", text)


def screen() -> Console:
    """Return a console on the present stdout."""
    console = _Screen(highlight=False, soft_wrap=False)
    return console if console.is_terminal else _Screen(highlight=False, width=_WIDE)


def error_screen() -> Console:
    """Return a console on the present stderr, for progress: stdout is for what was asked for."""
    return _Screen(stderr=True, highlight=False)


def print_error(text: str) -> None:
    """Write a line of markup to stderr."""
    _Screen(stderr=True, highlight=False, soft_wrap=True).print(text)


def print_json(value: object) -> None:
    """Write one JSON document to stdout, as it is for programs: without colour, in UTF-8."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_json_line(value: object) -> None:
    """Write one JSON document to stdout in one line, for programs that read on while more comes."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()
