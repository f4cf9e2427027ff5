"""Customers: made up from their id, so that every id is somebody, always the same.

Words in an id make a customer of a special kind, for demos and tests: `declined` (the card is refused), `lowcredit`
(300 dollars to spend), `expired` (the passport), `risky` (payments are judged too risky), `strict` (the company
allows 500 dollars, economy only), `unknown` (nobody has this id).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from jada_orchestrator.agent import AgentError
from jada_orchestrator.sandbox.inventory.world import CITIES, dice

CREDIT_LIMIT: Final = 100_000_00
LOW_CREDIT_LIMIT: Final = 300_00
POLICY_LIMIT: Final = 25_000_00
STRICT_POLICY_LIMIT: Final = 500_00
_FIRST: Final = (
    "Ada",
    "Bruno",
    "Clara",
    "Diego",
    "Elif",
    "Femi",
    "Grace",
    "Hugo",
    "Ines",
    "Jonas",
    "Keiko",
    "Luca",
    "Maya",
    "Noor",
)
_LAST: Final = (
    "Almeida",
    "Berg",
    "Costa",
    "Duarte",
    "Evans",
    "Fischer",
    "Garcia",
    "Hughes",
    "Ito",
    "Jansen",
    "Kaya",
    "Lopes",
)


@dataclass(frozen=True, slots=True)
class Customer:
    """A person with a card and a passport; limits in US cents."""

    customer_id: str
    name: str
    email: str
    home_airport: str
    currency: str
    country_code: str
    points: int
    tier: str
    credit_limit: int
    policy_limit: int
    economy_only: bool
    card_declined: bool
    passport_expired: bool
    risk_score: int

    @property
    def loyalty_number(self) -> str:
        """The number on the customer's loyalty card."""
        return f"JT{dice('loyalty', self.customer_id) % 10**8:08d}"

    def profile(self) -> dict[str, Any]:
        """What `customers.profile` tells."""
        return {
            "customer_id": self.customer_id,
            "name": self.name,
            "email": self.email,
            "home_airport": self.home_airport,
            "currency": self.currency,
            "country_code": self.country_code,
            "cabin": "economy",
            "loyalty_number": self.loyalty_number,
        }


def customer(seed: str, customer_id: str) -> Customer:
    """The customer with an id; raises `AgentError` NOT_FOUND for an id with `unknown` in it."""
    if "unknown" in customer_id:
        raise AgentError("NOT_FOUND", f"there is no customer {customer_id}")
    throw = dice(seed, "customer", customer_id)
    first, last = _FIRST[throw % len(_FIRST)], _LAST[throw // 17 % len(_LAST)]
    home = CITIES[throw // 331 % len(CITIES)]
    points = throw // 7 % 90_000
    return Customer(
        customer_id=customer_id,
        name=f"{first} {last}",
        email=f"{first}.{last}@example.com".lower(),
        home_airport=home.airports[0].code,
        currency=home.currency if home.currency in {"USD", "EUR", "GBP"} else "USD",
        country_code=home.country_code,
        points=points,
        tier="gold" if points > 60_000 else "silver" if points > 25_000 else "basic",
        credit_limit=LOW_CREDIT_LIMIT if "lowcredit" in customer_id else CREDIT_LIMIT,
        policy_limit=STRICT_POLICY_LIMIT if "strict" in customer_id else POLICY_LIMIT,
        economy_only="strict" in customer_id,
        card_declined="declined" in customer_id,
        passport_expired="expired" in customer_id,
        risk_score=95 if "risky" in customer_id else throw // 13 % 40,
    )
