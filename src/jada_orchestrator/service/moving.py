"""Moving a journal from one store to another, whole and verified, while no daemon works on either.

What is there already is not written again, so that a move that was broken off is simply begun anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from jada_orchestrator.adapters.journal.opening import (
    Store,
    check_store_url,
    is_postgres,
    open_instances,
    open_store,
    store_path,
)
from jada_orchestrator.domain.ids import CatalogueVersion, WorkflowId
from jada_orchestrator.ports.journal import (
    Append,
    Head,
    Journal,
    JournalInUseError,
    JournalUnavailableError,
    Stored,
)

BATCH_WORKFLOWS: Final = 200
"""Workflows in one commit, and compared at once: some 8,000 records of ordinary bookings."""


class MoveFailedError(Exception):
    """What was moved is not what was there. Raised by `move` after comparing; the source is untouched.

    The operator keeps using the source, and reports the message: it names the first workflow that differs.
    """


@dataclass(frozen=True, slots=True)
class Moved:
    """What is in the target now, compared with the source entry for entry."""

    workflows: int
    unfinished: int
    records: int
    catalogues: int
    templates: int


Progress = Callable[[str, int], None]
"""Told of each batch: ``copied`` or ``compared``, and how many workflows so far."""


async def move(source_url: str, target_url: str, progress: Progress = lambda _what, _count: None) -> Moved:
    """Copy everything and compare it. Raises: ValueError, JournalError, JournalInUseError, MoveFailedError."""
    if check_store_url(source_url) == check_store_url(target_url):
        raise ValueError("source and target are the same store")
    _demand_there(source_url)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(_alone(source_url))
        target = await stack.enter_async_context(_alone(target_url))
        versions = await _copy(source, target, progress)
        for version in versions:
            catalogue = await source.catalogue(version)
            if catalogue is not None:
                await target.put_catalogue(catalogue)
        templates = await source.templates()
        for template in templates:
            await target.put_template(template)
        if [each for each in await target.templates() if each in templates] != templates:
            raise MoveFailedError("the templates are not the same in both stores")
        return await _compare(source, target, len(versions), len(templates), progress)


def _demand_there(url: str) -> None:
    """See that a source is there: opened for writing it would be made, and be moved with all that is in it, nothing."""
    if not is_postgres(url) and not store_path(url).exists():
        raise JournalUnavailableError(f"there is no store at {store_path(url)}: nothing was moved")


@asynccontextmanager
async def _alone(url: str) -> AsyncIterator[Journal]:
    """Open a store on which nobody else works, and own all of it. Raises: JournalError, JournalInUseError."""
    store = open_store(url)
    try:
        await store.journal.open()
        await _own_all(url, store)
        yield store.journal
    finally:
        await store.journal.close()


async def _own_all(url: str, store: Store) -> None:
    if store.ownership is None:
        return  # a file has one owner
    reader = open_instances(url)
    try:
        others = [each for each in await reader.instances() if not each.ended and each.number != store.ownership.number]
    finally:
        await reader.close()
    while await store.ownership.claim(BATCH_WORKFLOWS):
        pass
    if others:
        who = ", ".join(f"{each.number} ({each.holder})" for each in others)
        raise JournalInUseError(f"instances work on {check_store_url(url)}: {who}. Stop them (or wait for their lease)")
    if (await store.ownership.renew()).mail:
        raise JournalInUseError(
            f"messages that instances handed over wait in {check_store_url(url)}, and in no queue any more: start one "
            "daemon on it, which takes them, and stop it again"
        )


async def _copy(source: Journal, target: Journal, progress: Progress) -> set[CatalogueVersion]:
    """Append every workflow to the target, and return the versions of catalogues that they name."""
    versions: set[CatalogueVersion] = set()
    batch: list[Append] = []
    count = 0
    async for stored in source.everything():
        if stored.head.catalogue_version:  # what was turned away or retired needs none
            versions.add(stored.head.catalogue_version)
        batch.append(Append(stored.workflow_id, stored.entries, stored.head))
        if len(batch) == BATCH_WORKFLOWS:
            await target.append(batch)
            count += len(batch)
            progress("copied", count)
            batch = []
    await target.append(batch)
    progress("copied", count + len(batch))
    return versions


async def _compare(source: Journal, target: Journal, catalogues: int, templates: int, progress: Progress) -> Moved:
    workflows = unfinished = records = 0
    expected: dict[WorkflowId, Stored] = {}

    async def compare() -> None:
        found = await target.load(expected)
        for workflow_id, stored in expected.items():
            there = found.get(workflow_id)
            if there is None or there.entries != stored.entries or _facts(there.head) != _facts(stored.head):
                raise MoveFailedError(f"{workflow_id} is not the same in both stores")
        expected.clear()
        progress("compared", workflows)

    async for stored in source.everything():
        expected[stored.workflow_id] = stored
        workflows += 1
        unfinished += not stored.head.done
        records += len(stored.entries)
        if len(expected) == BATCH_WORKFLOWS:
            await compare()
    await compare()
    return Moved(workflows, unfinished, records, catalogues, templates)


def _facts(head: Head) -> tuple[object, ...]:
    """Return what of a head every store keeps to the letter; texts that only lists show may hold a ``?`` for a NUL."""
    return (head.status, head.created_at, head.finished_at, head.done, head.quarantined, head.rejected, head.retired)
