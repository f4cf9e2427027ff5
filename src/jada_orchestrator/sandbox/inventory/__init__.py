"""The reference agents' shared inventory: a made-up world to sell, kept in real books.

`Books` is the file; `selling`, `paying` and `ordering` change it; `once` makes each effect happen once per
idempotency key; `faults` makes agents misbehave to order; `audit` reads what was really done. `python -m
jada_orchestrator.sandbox.inventory` does the last two from a shell. It is a stand-in for the systems of airlines,
hotels and banks, and books nothing.
"""

from __future__ import annotations

from jada_orchestrator.sandbox.inventory.books import (
    PATH_VARIABLE,
    Books,
    InventoryFromElsewhere,
    InventoryMissing,
    Maker,
    close_books,
    open_books,
)

__all__ = [
    "PATH_VARIABLE",
    "Books",
    "InventoryFromElsewhere",
    "InventoryMissing",
    "Maker",
    "close_books",
    "open_books",
]
