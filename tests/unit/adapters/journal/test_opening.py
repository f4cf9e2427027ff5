"""From a store URL to a journal."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jada_orchestrator.adapters.journal.opening import (
    check_store_url,
    open_instances,
    open_journal,
    open_reader,
    open_store,
    store_path,
)
from jada_orchestrator.adapters.journal.postgres.journal import PostgresJournal
from jada_orchestrator.adapters.journal.postgres.reader import PostgresJournalReader
from jada_orchestrator.adapters.journal.reader import SqliteJournalReader
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal


def test_a_url_names_an_absolute_path() -> None:
    """Three slashes (or four, as other tools write it) and the path, percent-decoded; nothing is touched."""
    assert store_path("sqlite:///var/lib/jada/journal.db") == Path("/var/lib/jada/journal.db")
    assert store_path("sqlite:////srv/a%20b.db") == Path("/srv/a b.db")
    assert isinstance(open_journal("sqlite:///nowhere/at/all.db"), SqliteJournal)
    assert isinstance(open_reader("sqlite:///nowhere/at/all.db"), SqliteJournalReader)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "journal.db",
        "/var/lib/jada/journal.db",
        "mysql://localhost/jada",
        "sqlite://journal.db",
        "sqlite:journal.db",
        "sqlite:///",
        "sqlite:///var/lib/jada/",
        "sqlite:///journal.db?mode=ro",
        "sqlite:///a%00b",
        "http://[",
    ],
)
def test_a_malformed_url_is_explained(url: str) -> None:
    """Whatever is not a store URL is refused with an example of one."""
    with pytest.raises(ValueError, match=r"sqlite:///var/lib/jada/journal\.db"):
        store_path(url)


def test_the_other_kind_of_store_is_a_database() -> None:
    """A PostgreSQL URL opens its own adapter, under both names; nothing is touched, and no password is shown."""
    assert isinstance(open_journal("postgresql://localhost/jada"), PostgresJournal)
    assert isinstance(open_reader("postgres://localhost/jada"), PostgresJournalReader)
    assert check_store_url("postgres://me:secret@db.example/jada") == "postgresql://db.example/jada"
    assert check_store_url("sqlite:///srv/journal.db") == "sqlite:///srv/journal.db"
    with pytest.raises(ValueError, match="postgresql://user@host"):
        open_journal("postgresql://localhost")


@pytest.mark.parametrize("opened", [check_store_url, open_store, open_reader, open_instances])
def test_what_is_not_installed_is_told_before_anything_is_loaded(
    opened: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, a daemon and a command say what to install instead of failing at an import."""
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(ValueError, match=r"pip install 'jada-orchestrator\[postgres\]'"):
        opened("postgresql://db/jada")
