"""The reference booking agents: one module an agent of `config/agents`, each with `app` (and `handler` for Lambda).

They are stand-ins for an agency's own agents: really executed, with real books (`sandbox.inventory`), selling a
made-up world. Lambda: `jada_orchestrator.sandbox.agents.flights.handler`; SQS: `python -m jada_orchestrator.agent
jada_orchestrator.sandbox.agents.validator:app`. Environment: `JADA_SANDBOX_INVENTORY` (the books' file),
`JADA_SANDBOX_PACE` (factor on how long agents take; 0 is at once).

The catalogue's YAML is the only source of the schemas; `schemas/*.json` are made from it (`catalogue.py`), because
reading YAML would cost each warm function time and memory, and a test proves that they are current.

Codes with which these agents refuse (none of them is worth a retry, save those marked *):

| code | who | meaning |
|---|---|---|
| NOT_FOUND | all | no such offer, hold, booking, authorization, capture, order or customer |
| UNKNOWN_PLACE | flights, hotels, cars, places | no such airport or city in this world |
| INVALID_DATES | flights, hotels, cars | dates past, out of order, no dates at all, or more than two years ahead |
| NO_OFFERS | flights, hotels, cars | nothing is for sale that fits the search |
| OFFER_EXPIRED | flights, hotels, cars | the offer's day is past |
| SOLD_OUT | flights, hotels, cars | somebody else took the last one |
| PRICE_CHANGED | flights, hotels, cars | it costs more than `expected_price` now |
| HOLD_EXPIRED, HOLD_RELEASED | flights, hotels, cars | the hold is over: hold the offer again |
| ALREADY_BOOKED | flights, hotels, cars | the hold has become a booking: cancel that instead |
| BOOKING_CANCELLED | flights, hotels | a cancelled booking cannot be changed |
| TRAVELLERS_DIFFER | flights | a change must be for as many travellers |
| PAYMENT_REQUIRED | flights, hotels | this change costs something: authorize it first |
| AUTHORIZATION_NOT_OPEN | flights, hotels, cars, payments | the authorization is void, expired, captured or refunded |
| AUTHORIZATION_TOO_SMALL | flights, hotels, cars, payments | the authorization does not cover this |
| CARD_DECLINED | payments | the card is refused, or its limit reached |
| ALREADY_CAPTURED | payments | captured once: refund instead of void, and never capture twice |
| REFUND_TOO_LARGE | payments | more than what was captured and not given back yet |
| CURRENCY_MISMATCH | all with money | amounts of several currencies do not go together |
| UNKNOWN_CURRENCY | payments | only USD, EUR and GBP are taken |
| OVER_BUDGET | orders | the sum is above `max_total` |
| INVALID_REQUEST, DOCUMENTS_INVALID | validator | the check says no, the message says why |
| POLICY_VIOLATION, RISK_TOO_HIGH | validator | the same |
| INVENTORY_BUSY * | all | the books had no room for a write in time; nothing was done |
| BAD_INPUT, BAD_OUTPUT, UNKNOWN_ACTION, DEADLINE_PASSED, KEY_REUSED | all | see `jada_orchestrator.agent.reply` |
"""

from __future__ import annotations
