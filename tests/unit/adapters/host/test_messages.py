"""The message catalogue: every event of the program has its meaning, and the installed file says the same."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from jada_orchestrator.adapters.host.messages import MEANINGS, catalogue_text, message_id
from jada_orchestrator.engine import story

ROOT = Path(__file__).parents[4]
SOURCE = ROOT / "src" / "jada_orchestrator"
COMPUTED = {"f'daemon.{ended.value}'": {"daemon.drained", "daemon.parked"}}
"""Names that the code puts together, and what they can become."""
HANDED_ON = {"line.event", "event"}
"""Names that come from a table which is read below, or from whoever called."""


def emitted() -> Iterator[str]:
    """The event of every `emit` call of the program."""
    for path in SOURCE.rglob("*.py"):
        if "testing" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "emit":
                if len(node.args) < 2:
                    continue
                name = node.args[1]
                if isinstance(name, ast.Constant) and isinstance(name.value, str):
                    yield name.value
                elif ast.unparse(name) not in HANDED_ON:
                    yield from COMPUTED[ast.unparse(name)]


def told() -> set[str]:
    """The event of every kind of record."""
    return {event for _, event, _ in story._LINES.values()}  # noqa: SLF001 - the one table there is


def test_every_event_has_a_meaning_and_no_meaning_is_without_event() -> None:
    """What the program can log is exactly what the table explains."""
    assert set(emitted()) | told() == set(MEANINGS)


def test_ids_are_one_for_each_event() -> None:
    """An id is 32 hexadecimal digits, and no two events share one."""
    ids = [message_id(event) for event in MEANINGS]
    assert len(set(ids)) == len(ids)
    assert all(each is not None and re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)
    assert message_id("nobody.knows") is None


def test_ids_stay_what_they_are() -> None:
    """Operators filter by MESSAGE_ID: this one was installed with the first version."""
    assert message_id("workflow.quarantined") == "c986827a16b75de39cc66e005604184e"


def test_the_installed_file_is_the_table() -> None:
    """deploy/systemd/jada.catalog is what `make docs` writes."""
    assert (ROOT / "deploy" / "systemd" / "jada.catalog").read_text(encoding="utf-8") == catalogue_text()
