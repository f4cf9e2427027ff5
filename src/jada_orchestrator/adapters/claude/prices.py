"""What a call cost: prices are data with dates and sources (`config/prices.json`), never code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Self

from jada_orchestrator.adapters.claude.shipped import read_shipped
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.usage import Usage

_PER: Final = Decimal(1_000_000)
_DATE_SUFFIX: Final = re.compile(r"-\d{8}\Z")


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens from a date on; None where no source tells.

    Above `long_prompt_tokens` of input, every rate is multiplied by `long_prompt_factor`.
    """

    since: date
    input: Decimal
    output: Decimal
    cache_read: Decimal | None
    cache_write: Decimal | None
    long_prompt_tokens: int | None = None
    long_prompt_factor: Decimal = Decimal(1)

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
        """Read one entry of the file. Raises KeyError or ValueError on a malformed one."""
        long_prompt = data.get("long_prompt")
        return cls(
            since=date.fromisoformat(data["from"]),
            input=Decimal(data["input"]),
            output=Decimal(data["output"]),
            cache_read=_optional(data["cache_read"]),
            cache_write=_optional(data["cache_write_5m"]),
            long_prompt_tokens=long_prompt["above_input_tokens"] if long_prompt else None,
            long_prompt_factor=Decimal(long_prompt["factor"]) if long_prompt else Decimal(1),
        )

    def of(self, usage: Usage) -> Decimal | None:
        """Return the dollars that the usage costs, exactly; None when a rate that it needs is not known."""
        total = Decimal(0)
        for tokens, rate in (
            (usage.input_tokens, self.input),
            (usage.output_tokens, self.output),
            (usage.cache_read_tokens, self.cache_read),
            (usage.cache_write_tokens, self.cache_write),
        ):
            if tokens and rate is None:
                return None
            total += tokens * (rate or Decimal(0))
        is_long = self.long_prompt_tokens is not None and usage.total_input_tokens > self.long_prompt_tokens
        return total * (self.long_prompt_factor if is_long else 1) / _PER


class PriceList:
    """The prices of models, each from a date on."""

    def __init__(self, prices: dict[str, list[Price]]) -> None:
        """Take the prices of each model, in any order."""
        self._prices = {model: sorted(entries, key=lambda price: price.since) for model, entries in prices.items()}

    @classmethod
    def from_json(cls, data: JsonObject) -> Self:
        """Read the content of `config/prices.json`. Raises KeyError or ValueError on malformed content."""
        return cls({model: [Price.from_json(entry) for entry in entries] for model, entries in data["models"].items()})

    @classmethod
    def shipped(cls) -> Self:
        """Return the list that came with this version."""
        return cls.from_json(read_shipped("prices.json"))

    def models(self) -> list[str]:
        """Return the models that have a price."""
        return list(self._prices)

    def price_of(self, model: str, on: date) -> Price | None:
        """Return the price of a model on a day; an id with a date at its end is also found without it."""
        entries = self._prices.get(model) or self._prices.get(_DATE_SUFFIX.sub("", model), [])
        valid = [price for price in entries if price.since <= on]
        return valid[-1] if valid else None

    def cost_of(self, model: str, usage: Usage, on: date) -> str | None:
        """Return what a usage cost on a day, a decimal string of US dollars; None when the price is not known."""
        price = self.price_of(model, on)
        cost = None if price is None else price.of(usage)
        if cost is None:
            return None
        text = format(cost, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


def _optional(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
