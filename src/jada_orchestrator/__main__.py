"""Lets `python -m jada_orchestrator` stand for the console script `jada`."""

from __future__ import annotations

import sys

from jada_orchestrator.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
