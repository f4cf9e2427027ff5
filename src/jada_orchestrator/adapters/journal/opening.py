"""From the setting `JADA_STORE` to a journal and to a reader."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from jada_orchestrator.adapters.journal.reader import SqliteJournalReader
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.ports.journal import Journal, JournalReader

_TEACH = "a store is written as sqlite:///var/lib/jada/journal.db (three slashes, then the absolute path)"


def open_journal(url: str) -> Journal:
    """Return the journal at a store URL; nothing is touched before its `open`.

    Raises:
        ValueError: the URL is malformed, or names a kind of store that this build does not have.
    """
    return SqliteJournal(store_path(url))


def open_reader(url: str) -> JournalReader:
    """Return a reader of the store at a URL; nothing is touched before its first question.

    Raises:
        ValueError: the URL is malformed, or names a kind of store that this build does not have.
    """
    return SqliteJournalReader(store_path(url))


def store_path(url: str) -> Path:
    """Return the file that a store URL names.

    Raises:
        ValueError: as above; the message says how to write it.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        msg = f"{url!r} is not a store: {_TEACH}"
        raise ValueError(msg) from error
    if parts.scheme in {"postgresql", "postgres"}:
        msg = f"this build has no PostgreSQL store yet: {_TEACH}"
        raise ValueError(msg)
    if parts.scheme != "sqlite":
        msg = f"{url!r} is not a store: {_TEACH}"
        raise ValueError(msg)
    if parts.netloc or not parts.path.startswith("/"):
        msg = f"{url!r} does not name an absolute path: {_TEACH}"
        raise ValueError(msg)
    if parts.query or parts.fragment:
        msg = f"{url!r} has something after the path, which a store does not take: {_TEACH}"
        raise ValueError(msg)
    # Four slashes, as other tools write it, mean the same absolute path.
    path = Path("/" + unquote(parts.path).lstrip("/"))
    if path.is_dir() or parts.path.endswith("/") or "\0" in str(path):
        msg = f"{url!r} names a folder, not a file: {_TEACH}"
        raise ValueError(msg)
    return path
