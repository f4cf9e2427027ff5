"""The codes that any call may fail with are those that the house really gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from jada_orchestrator.domain.codes import HOUSE_CODES, can_fail_with
from jada_orchestrator.wire.replies import BAD_REPLY, EFFECT_UNKNOWN_CODES, THIS_ATTEMPT_CODES
from tests.unit.docs.source_facts import SOURCE, called

_ENGINE: Final = SOURCE / "engine"
GIVEN_BY: Final = (
    *(_ENGINE / f"{name}.py" for name in ("attempts", "branches", "holds", "house", "lookups", "money")),
    SOURCE / "adapters" / "aws" / "errors.py",
)
"""The files whose failures end a call."""


def given(path: Path) -> Iterator[str]:
    """The codes of the failures and verdicts that a file makes of constants."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and called(node) in {"Failure", "Verdict", "_failed"}:
            texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant)]
            yield from (text for text in texts if isinstance(text, str) and text.isupper())


def test_what_the_house_gives_is_among_its_codes() -> None:
    """A failure of the engine, of the wire or of AWS needs no declaration by an agent."""
    found = {code for path in GIVEN_BY for code in given(path)}
    assert len(found) > 30
    assert found | {BAD_REPLY} | EFFECT_UNKNOWN_CODES | THIS_ATTEMPT_CODES <= HOUSE_CODES


def test_an_action_that_names_no_codes_may_fail_with_any() -> None:
    """None is silence, an empty list is a statement."""
    assert can_fail_with("FULL", None)
    assert not can_fail_with("FULL", ())
    assert can_fail_with("FULL", ("FULL",))
    assert can_fail_with("OVER_BUDGET", ())
