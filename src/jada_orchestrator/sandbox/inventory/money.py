"""Money in the books: whole cents with a currency; on the wire the contract's decimal string."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

CURRENCIES: Final = ("USD", "EUR", "GBP")
_PER_DOLLAR: Final = {"USD": 100, "EUR": 90, "GBP": 78}
"""Made-up, fixed rates in hundredths, so that the same offer costs the same every day."""


def to_cents(money: Mapping[str, Any]) -> int:
    """Cents of `{"amount": "12.50", "currency": ...}`; the schemas have made sure of at most two decimals."""
    whole, _, part = str(money["amount"]).partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def to_money(cents: int, currency: str) -> dict[str, Any]:
    """The wire form; cents are never negative here."""
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": currency}


def from_dollars(cents: int, currency: str) -> int:
    """What an amount in US cents costs in another currency of `CURRENCIES`."""
    return cents * _PER_DOLLAR[currency] // 100


def in_dollars(cents: int, currency: str) -> int:
    """The other way, rounded up: what an amount weighs against a limit that is kept in US cents."""
    return -(-cents * 100 // _PER_DOLLAR[currency])
