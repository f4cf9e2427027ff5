"""Money: an exact decimal and a currency, never a float."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_AMOUNT: Final = re.compile(r"\A-?\d{1,15}(\.\d{1,4})?\Z")
_CURRENCY: Final = re.compile(r"\A[A-Z]{3}\Z")


class CurrencyMismatchError(ValueError):
    """Two amounts in different currencies were added or compared.

    Raised by `Money`. It means that a plan mixes currencies; the compiler and the engine turn it into a fault of that
    workflow, so the operator sees the workflow, never this error.
    """


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of money; `amount` keeps the digits that it was written with."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, value: object) -> Money:
        """Return the money that a JSON object ``{"amount": "1234.50", "currency": "USD"}`` stands for.

        Raises:
            ValueError: the value is of another shape; a float is refused because it cannot be exact.
        """
        if not isinstance(value, dict):
            msg = 'money is {"amount": "1234.50", "currency": "USD"}'
            raise ValueError(msg)  # noqa: TRY004 - one error class for every wrong shape, as the docstring says
        amount, currency = value.get("amount"), value.get("currency")
        if not isinstance(amount, str) or not _AMOUNT.match(amount):
            msg = f'amount {amount!r} is not a decimal string such as "1234.50"'
            raise ValueError(msg)
        if not isinstance(currency, str) or not _CURRENCY.match(currency):
            msg = f"currency {currency!r} is not a code of three capital letters (ISO 4217)"
            raise ValueError(msg)
        return cls(Decimal(amount), currency)

    def to_json(self) -> dict[str, str]:
        """Return the JSON object of the contract."""
        return {"amount": format(self.amount, "f"), "currency": self.currency}

    def __add__(self, other: Money) -> Money:
        """Return the sum; raises `CurrencyMismatchError`."""
        self._same_currency(other)
        return Money(self.amount + other.amount, self.currency)

    def exceeds(self, other: Money) -> bool:
        """Tell whether this is more than `other`; raises `CurrencyMismatchError`."""
        self._same_currency(other)
        return self.amount > other.amount

    def __str__(self) -> str:
        """Return the money for people: ``1234.50 USD``."""
        return f"{self.amount:f} {self.currency}"

    def _same_currency(self, other: Money) -> None:
        if self.currency != other.currency:
            msg = f"{self} and {other} are in different currencies"
            raise CurrencyMismatchError(msg)
