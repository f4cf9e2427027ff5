"""Money: exact, in one currency, never a float."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jada_orchestrator.domain.money import CurrencyMismatchError, Money
from jada_orchestrator.domain.usage import Usage


@pytest.mark.parametrize("amount", ["1234.50", "0", "-3.1", "999999999999999.9999"])
def test_digits_are_kept_as_written(amount: str) -> None:
    """What goes in as text comes out as the same text: no rounding, no exponent."""
    written = {"amount": amount, "currency": "USD"}
    assert Money.parse(written).to_json() == written
    assert str(Money.parse(written)) == f"{amount} USD"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "10.00 USD",
        {"amount": 10.5, "currency": "USD"},
        {"amount": 10, "currency": "USD"},
        {"amount": "1e3", "currency": "USD"},
        {"amount": "NaN", "currency": "USD"},
        {"amount": "1.00\n", "currency": "USD"},
        {"amount": "1.00000", "currency": "USD"},
        {"amount": "1.00", "currency": "usd"},
        {"amount": "1.00", "currency": "DOLLAR"},
        {"amount": "1.00"},
        {"currency": "USD"},
    ],
)
def test_other_shapes_are_refused(value: object) -> None:
    """A float, an exponent, a currency that is no code: each is a ValueError that says what money is."""
    with pytest.raises(ValueError, match=r"1234\.50|ISO 4217"):
        Money.parse(value)


def test_sums_are_exact() -> None:
    """Ten times 0.10 is 1.00, which floats do not manage."""
    total = Money(Decimal("0.00"), "USD")
    for _ in range(10):
        total += Money(Decimal("0.10"), "USD")
    assert total.to_json() == {"amount": "1.00", "currency": "USD"}
    assert not total.exceeds(Money(Decimal(1), "USD"))
    assert total.exceeds(Money(Decimal("0.99"), "USD"))


def test_currencies_never_mix() -> None:
    """Adding or comparing two currencies is an error that names both amounts."""
    dollars, euros = Money(Decimal(1), "USD"), Money(Decimal(2), "EUR")
    with pytest.raises(CurrencyMismatchError, match="1 USD and 2 EUR"):
        _ = dollars + euros
    with pytest.raises(CurrencyMismatchError):
        dollars.exceeds(euros)


def test_unknown_cost_is_not_zero() -> None:
    """The price of a sum is unknown as soon as one part's is; tokens are still counted."""
    known = Usage(input_tokens=1, output_tokens=2, cache_read_tokens=3, cache_write_tokens=4, usd="0.10")
    assert (known + known).usd == "0.20"
    mixed = known + Usage(input_tokens=1, usd=None)
    assert mixed.usd is None
    assert mixed.to_json() == {
        "usd": None,
        "input_tokens": 9,
        "output_tokens": 2,
        "cache_read_tokens": 3,
        "cache_write_tokens": 4,
    }


def test_small_costs_are_written_without_an_exponent() -> None:
    """A millionth of a dollar is written as digits."""
    assert (Usage(usd="0.0000001") + Usage()).usd == "0.0000001"
