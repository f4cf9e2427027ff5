"""The document of the settings is the settings: every key, its variable, its default and its meaning."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from pydantic import BaseModel

from jada_orchestrator.service.operating import TAKEN_BY_RELOAD
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.service.settings_tiers import keys, variable_of
from tests.unit.docs.source_facts import DOCS, ROOT, capitals, rows

CONFIGURATION: Final = DOCS / "configuration.md"
_HOST_DEPENDENT: Final = {"catalogue", "reply_queue"}
"""Settings whose default depends on the host; the document says how in words."""


def field_of(key: str) -> tuple[str, str]:
    """The default of a setting as JSON has it, and its docstring on one line."""
    model: type[BaseModel] = Settings
    *parents, name = key.split(".")
    dumped: Any = None if key in _HOST_DEPENDENT else Settings().model_dump(mode="json")
    for parent in parents:
        inner = model.model_fields[parent].annotation
        assert isinstance(inner, type)
        assert issubclass(inner, BaseModel)
        model, dumped = inner, dumped[parent]
    meaning = " ".join((model.model_fields[name].description or "").split())
    if key in _HOST_DEPENDENT:
        return "", meaning
    value = dumped[name]
    return "" if value in (None, "", [], ()) else f"`{value}`", meaning


@pytest.mark.parametrize("key", keys())
def test_every_setting_has_its_row(key: str) -> None:
    """The row of a setting has its variable, its default and the sentence of its docstring."""
    default, meaning = field_of(key)
    row = next((row for row in rows(CONFIGURATION, "Settings") if row[0] == f"`{key}`"), None)
    assert row is not None, f"| `{key}` | `{variable_of(key)}` | {default} | {meaning} |"
    assert row[1] == f"`{variable_of(key)}`"
    assert key in _HOST_DEPENDENT or row[2] == default
    assert row[3] == meaning


def test_no_row_is_stale() -> None:
    """The document has no setting that is none."""
    assert {row[0].strip("`") for row in rows(CONFIGURATION, "Settings")} == set(keys())


def test_every_variable_is_read_somewhere() -> None:
    """Each environment variable of the document stands in the source, or is the variable of a setting."""
    listed = {name.strip(" `") for row in rows(CONFIGURATION, "Environment") for name in row[0].split(",")}
    known = set(capitals()) | {variable_of(key) for key in keys()}
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    assert not {name for name in listed - known if not re.search(rf"\b{name}\b", source)}


def test_reloads_take_what_is_said() -> None:
    """The table of what a reload takes has the settings that it takes, and the others are said to need a restart."""
    table = rows(CONFIGURATION, "When a change takes effect")
    named = [_expanded(re.findall(r"`([a-z_.]+)`", row[1])) for row in table]
    assert named[0] | named[1] == set(TAKEN_BY_RELOAD)
    assert named[2] == set(keys()) - set(TAKEN_BY_RELOAD)


def _expanded(names: list[str]) -> set[str]:
    """The keys that are named, and all keys of a section that is."""
    return {key for key in keys() for name in names if key == name or key.startswith(f"{name}.")}
