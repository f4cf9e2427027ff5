"""A store's URL: what asyncpg is told, and what may be shown of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SCHEMA: Final = "jada"
"""Where the tables are, unless the URL names another schema (``?schema=``)."""

_TEACH: Final = (
    "a PostgreSQL store is written as postgresql://user@host:5432/database?sslmode=verify-full; the password comes "
    "from PGPASSWORD or a password file (PGPASSFILE)"
)
_SIMPLE_NAME_CHARS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Address:
    """Where a store is. `str` of it has no password."""

    dsn: str = field(repr=False)
    """For asyncpg, which reads ``sslmode`` and its relatives from it as libpq does."""
    shown: str
    schema: str = SCHEMA

    @classmethod
    def of(cls, url: str) -> Address:
        """Read a URL; nothing is looked up. Raises: ValueError, saying how to write it."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"the store's URL cannot be read ({error}): {_TEACH}") from error
        shown_at = f"{parts.hostname or 'localhost'}{f':{port}' if port else ''}"
        database = parts.path.lstrip("/")
        shown = f"postgresql://{shown_at}/{database}"
        if parts.scheme not in {"postgresql", "postgres"} or parts.fragment or not database or "/" in database:
            raise ValueError(f"{shown} is no PostgreSQL store: {_TEACH}")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        schema = options.pop("schema", SCHEMA)
        if not schema.isidentifier() or not schema.isascii() or len(schema) > _SIMPLE_NAME_CHARS_MAX:
            raise ValueError(f"{schema!r} is no name for a schema: letters, digits and underscores only")
        dsn = urlunsplit(("postgresql", parts.netloc, parts.path, urlencode(options), ""))
        return cls(dsn, shown if schema == SCHEMA else f"{shown}?schema={schema}", schema)

    def __str__(self) -> str:
        """Return it as messages show it."""
        return self.shown
