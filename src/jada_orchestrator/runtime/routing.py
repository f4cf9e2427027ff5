"""Whose event it is that came in."""

from __future__ import annotations

from jada_orchestrator.domain.documents import digest_of_text
from jada_orchestrator.domain.events import Event, RequestArrived, RequestRefused
from jada_orchestrator.domain.faults import Fault
from jada_orchestrator.domain.ids import WorkflowId, refused_workflow_id_of
from jada_orchestrator.domain.workflow import Workflow
from jada_orchestrator.runtime.inbox import Item


def route(item: Item, known: Workflow | None) -> tuple[WorkflowId, Event]:
    """Return whose event this is: other content under a known request id is a rejected workflow of its own.

    `known` is the workflow that the item names, as it is in memory.
    """
    event = item.event
    if not isinstance(event, RequestArrived):
        return item.workflow_id, event
    if known is None or not known.exists or known.digest == event.digest:
        return item.workflow_id, event
    request = event.request
    message = (
        f"the request {request.request_id!r} came before with other content, which stands; choose a new request_id"
    )
    refused = RequestRefused(
        request_id=request.request_id,
        tenant=request.tenant,
        reply_to=request.reply_to,
        code="IDEMPOTENCY_CONFLICT",
        faults=(Fault("IDEMPOTENCY_CONFLICT", "request_id", message),),
        message=event.message,
    )
    return refused_workflow_id_of(digest_of_text(f"{request.request_id}\x00{event.digest}")), refused
