"""Reading the store from outside the daemon: by id, request id or prefix."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from jada_orchestrator.adapters.journal.opening import open_instances, open_reader
from jada_orchestrator.domain.ids import WorkflowId
from jada_orchestrator.ports.journal import Head, JournalReader
from jada_orchestrator.ports.ownership import Instance
from jada_orchestrator.service.refusals import MisconfiguredError
from jada_orchestrator.service.settings import Settings


class NoSuchWorkflowError(Exception):
    """Nothing in the store has this id. Raised by `resolve`; the operator looks it up with ``jada list``."""


class AmbiguousIdError(Exception):
    """A prefix fits several workflows. Raised by `resolve`, with them; the operator types a few characters more."""

    def __init__(self, prefix: str, candidates: list[tuple[WorkflowId, Head]]) -> None:
        """Keep the candidates."""
        super().__init__(f"{prefix!r} fits {len(candidates)} bookings or more")
        self.candidates = candidates


@asynccontextmanager
async def store_reader(settings: Settings) -> AsyncIterator[JournalReader]:
    """Open the settings' store for reading; it is touched by the first question, whose errors are the port's.

    Raises: MisconfiguredError, when the store's URL is none.
    """
    try:
        reader = open_reader(settings.store)
    except ValueError as error:
        raise MisconfiguredError(f"{error}. It is the setting `store` (JADA_STORE, --store)") from error
    try:
        yield reader
    finally:
        await reader.close()


async def instances_of(settings: Settings) -> list[Instance]:
    """Return the instances that share the settings' store. Raises: ValueError (it is not shared), JournalError."""
    reader = open_instances(settings.store)
    try:
        return await reader.instances()
    finally:
        await reader.close()


async def resolve(reader: JournalReader, text: str) -> tuple[WorkflowId, Head]:
    """Return the one workflow that a workflow id, a request id or an unambiguous prefix of either names.

    A request id that was accepted and also turned away later (a conflict) names the accepted one.

    Raises: NoSuchWorkflowError, AmbiguousIdError, JournalError.
    """
    found = await reader.find(text)
    if not found:
        raise NoSuchWorkflowError(f"there is no booking {text!r} in the store")
    exact = [each for each in found if text in {each[0], each[1].request_id}]
    if exact:
        return next((each for each in exact if not each[1].rejected), exact[0])
    if len(found) > 1:
        raise AmbiguousIdError(text, found)
    return found[0]
