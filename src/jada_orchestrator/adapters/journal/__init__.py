"""The journal on SQLite: the codec of records, the one writer, and readers beside it."""

from __future__ import annotations
