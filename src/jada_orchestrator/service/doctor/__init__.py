"""`jada doctor`: will this host work? Every check reads, none changes anything."""

from __future__ import annotations
