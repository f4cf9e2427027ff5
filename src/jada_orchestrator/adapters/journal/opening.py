"""From the setting `JADA_STORE` to a journal and to a reader."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from jada_orchestrator.adapters.journal.postgres.address import Address
from jada_orchestrator.adapters.journal.reader import SqliteJournalReader
from jada_orchestrator.adapters.journal.sqlite import SqliteJournal
from jada_orchestrator.ports.journal import Journal, JournalReader
from jada_orchestrator.ports.ownership import InstanceReader, Ownership

_TEACH: Final = "a store is written as sqlite:///var/lib/jada/journal.db (three slashes, then the absolute path)"
_POSTGRES: Final = ("postgresql:", "postgres:")


@dataclass(frozen=True, slots=True)
class Store:
    """A journal, not yet open, and the ownership that goes with it where several instances may share the store."""

    journal: Journal
    ownership: Ownership | None = None


def open_store(url: str, *, lease_ms: int = 10_000) -> Store:
    """Return the store at a URL; nothing is touched before its journal's `open`.

    Raises:
        ValueError: the URL is malformed, or names a kind of store that is not installed.
    """
    if is_postgres(url):
        _need_the_extra()
        from jada_orchestrator.adapters.journal.postgres.journal import PostgresJournal  # noqa: PLC0415 - an extra
        from jada_orchestrator.adapters.journal.postgres.ownership import LeaseTerms  # noqa: PLC0415 - an extra

        shared = PostgresJournal(Address.of(url), terms=LeaseTerms.of(lease_ms))
        return Store(shared, shared.ownership)
    return Store(SqliteJournal(store_path(url)))


def open_journal(url: str) -> Journal:
    """Return the journal alone. Raises: ValueError, as `open_store`."""
    return open_store(url).journal


def open_instances(url: str) -> InstanceReader:
    """Return who tells of a shared store's instances. Raises: ValueError, also for a store that has none."""
    if not is_postgres(url):
        store_path(url)
        msg = "a store in a file has one owner, and no instances: `jada status` tells of the daemon"
        raise ValueError(msg)
    _need_the_extra()
    from jada_orchestrator.adapters.journal.postgres.reader import PostgresJournalReader  # noqa: PLC0415 - an extra

    return PostgresJournalReader(Address.of(url))


def open_reader(url: str) -> JournalReader:
    """Return a reader of the store at a URL; nothing is touched before its first question.

    Raises:
        ValueError: the URL is malformed, or names a kind of store that is not installed.
    """
    if is_postgres(url):
        _need_the_extra()
        from jada_orchestrator.adapters.journal.postgres.reader import PostgresJournalReader  # noqa: PLC0415 - an extra

        return PostgresJournalReader(Address.of(url))
    return SqliteJournalReader(store_path(url))


def is_postgres(url: str) -> bool:
    """Tell whether a store URL names a database on a server, and so no file of this host."""
    return url.startswith(_POSTGRES)


def check_store_url(url: str) -> str:
    """Return a store URL as it may be shown, without a password. Raises: ValueError, as `open_journal`."""
    if is_postgres(url):
        _need_the_extra()
        return str(Address.of(url))
    store_path(url)
    return url


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


def _need_the_extra() -> None:
    """See that what speaks to PostgreSQL is installed. Raises: ValueError, saying what to install."""
    if importlib.util.find_spec("asyncpg") is None:
        msg = "a PostgreSQL store needs asyncpg, which is not here: pip install 'jada-orchestrator[postgres]'"
        raise ValueError(msg)
