"""Putting messages on the request queue: requests, and what people want of running ones."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.events import RequestArrived, RequestRefused
from jada_orchestrator.domain.request import Message
from jada_orchestrator.ports.queues import QueueError
from jada_orchestrator.service.refusals import BadMessageError, configuration_checked
from jada_orchestrator.service.settings import Settings
from jada_orchestrator.wire import requests

_CONNECTIONS = 8
"""Enough for many messages in batches; a command sends a few."""


def check(body: JsonObject, settings: Settings) -> RequestArrived | None:
    """Check a message as the daemon will; return what a request will arrive as, None for a control message.

    Raises: BadMessageError, with every fault.
    """
    parsed = requests.parse(Message(text_of(body), {}), model=settings.model)
    match parsed:
        case RequestArrived():
            return parsed
        case RequestRefused():
            raise BadMessageError(parsed.faults)
        case _:
            return None


def text_of(body: JsonObject) -> str:
    """Return a message's text as it is sent."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


async def send(settings: Settings, bodies: Sequence[JsonObject]) -> None:
    """Put messages, which were checked, on the request queue; returns once the queue has them all.

    Raises: MisconfiguredError, and QueueError when any was not taken (others may have been).
    """
    from jada_orchestrator.adapters.aws.clients import Connections, open_clients
    from jada_orchestrator.adapters.aws.sending import Outgoing, SqsSender, json_for_sqs
    from jada_orchestrator.adapters.aws.service import SqsService

    with configuration_checked():
        async with open_clients(Connections(functions=1, queues=_CONNECTIONS)) as clients:
            sender = SqsSender(SqsService(clients.queues, polls=1, requests=_CONNECTIONS - 1))
            queue = settings.request_queue
            waiting = [sender.add(queue, Outgoing(json_for_sqs(text_of(body)), group=_group(body))) for body in bodies]
            results = await asyncio.gather(*(entry.answer for entry in waiting))
            await sender.close()
    failures = [result.failure for result in results if result is not None]
    if failures:
        hint = " Is `jada sandbox` running, and are its environment lines set here?"
        raise QueueError(f"sending to {failures[0].message} [{failures[0].code}]{hint}")


def _group(body: JsonObject) -> str:
    """Return the fair queue's group: the tenant."""
    return str(body.get("tenant") or "default")
