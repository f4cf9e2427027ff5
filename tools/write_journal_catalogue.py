"""Write deploy/systemd/jada.catalog from the table of events: `python -m tools.write_journal_catalogue`."""

from __future__ import annotations

from pathlib import Path

from jada_orchestrator.adapters.host.messages import catalogue_text

TARGET = Path(__file__).parents[1] / "deploy" / "systemd" / "jada.catalog"

if __name__ == "__main__":
    TARGET.write_text(catalogue_text(), encoding="utf-8")
    print(f"wrote {TARGET.name}")
