"""The dead-letter queue as an operator's commands see it: looked into, and emptied letter by letter."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Protocol

from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.queues import MessageSource

REASON_CODE: Final = "jada-reason-code"
REASON: Final = "jada-reason"
OTHER_ATTRIBUTES: Final = "jada-other-attributes"
"""JSON object of the attributes of a dead letter that the limit of ten leaves no room for beside ours."""


@dataclass(frozen=True, slots=True)
class Depth:
    """About how many messages a queue holds: to be had now, and hidden because somebody has them."""

    visible: int
    hidden: int


class DeadLetterBox(MessageSource, Protocol):
    """The dead-letter queue, and the way back from it to the request queue."""

    async def depth(self) -> Depth:
        """Return how many letters there are, about. Raises: QueueError."""

    async def send(self, message: Message, *, group: str, once: str) -> None:
        """Put a message on the request queue; returns once the queue has it.

        `group` and `once` (the deduplication id) count where the queue wants them.
        Raises: QueueError (it may have been sent all the same).
        """


def original_of(message: Message) -> Message:
    """Return a dead letter as it came in first: without our attributes, and with those that gave way to them."""
    kept = {name: value for name, value in message.attributes.items() if name not in {REASON_CODE, REASON}}
    if OTHER_ATTRIBUTES not in kept:
        return Message(message.body, kept)
    try:
        others = json.loads(kept[OTHER_ATTRIBUTES])
    except ValueError:
        return Message(message.body, kept)  # not of our making, so it is the sender's own
    if not isinstance(others, dict) or not all(isinstance(value, str) for value in others.values()):
        return Message(message.body, kept)
    del kept[OTHER_ATTRIBUTES]
    return Message(message.body, {**kept, **others})
