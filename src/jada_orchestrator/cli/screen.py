"""Where commands write: people's tables and trees to stdout, errors to stderr, programs' JSON to stdout.

Colour only on a terminal, and not with NO_COLOR (rich sees to both).
"""

from __future__ import annotations

import json
import sys
from typing import Final

from rich.console import Console

_WIDE: Final = 200
"""Columns when nobody looks: what is piped into a file or grep is not broken into lines."""


def screen() -> Console:
    """Return a console on the present stdout."""
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def error_screen() -> Console:
    """Return a console on the present stderr, for progress: stdout is for what was asked for."""
    return Console(stderr=True, highlight=False)


def print_error(text: str) -> None:
    """Write a line of markup to stderr."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(text)


def print_json(value: object) -> None:
    """Write one JSON document to stdout, as it is for programs: without colour, in UTF-8."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()
