"""The table of attacks in `docs/security.md`: `python -m tests.simulation.attacks.table` writes it anew."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.simulation.attacks.agents import AGENT_ATTACKS
from tests.simulation.attacks.attack import Attack
from tests.simulation.attacks.branching import BRANCH_ATTACKS
from tests.simulation.attacks.choosing import CHOICE_ATTACKS
from tests.simulation.attacks.planners import PLANNER_ATTACKS

ATTACKS: Final[list[Attack]] = [*PLANNER_ATTACKS, *AGENT_ATTACKS, *BRANCH_ATTACKS, *CHOICE_ATTACKS]
DOCUMENT: Final = Path(__file__).parents[3] / "docs" / "security.md"
_BEGIN: Final = "<!-- attacks: begin -->\n"
_END: Final = "<!-- attacks: end -->\n"


def table() -> str:
    """Return the table, a row an attack."""
    lines = ["| by | attack | what must not come of it | stopped by | ends as |", "|---|---|---|---|---|"]
    lines += [
        f"| {one.by} | {one.name} | {one.must_not} | {one.guard} | {', '.join(sorted(one.ends))} |" for one in ATTACKS
    ]
    return "\n".join(lines) + "\n"


def written(document: str) -> str:
    """Return the document with the present table in its place."""
    before, _, rest = document.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}{table()}{_END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
