"""The table of attacks in the document is the table that is run."""

from __future__ import annotations

from tests.simulation.attacks.table import ATTACKS, DOCUMENT, written


def test_the_table_of_attacks_is_the_one_that_is_run() -> None:
    """`docs/security.md` has a row for each attack; `python -m tests.simulation.attacks.table` writes it anew."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert written(text) == text


def test_every_attack_has_a_name_of_its_own() -> None:
    """A name finds one row and one test."""
    names = [attack.name for attack in ATTACKS]
    assert len(names) == len(set(names)) >= 40
