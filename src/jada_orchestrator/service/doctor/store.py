"""Checks of the store: can it be used, is it whole, did another version write it."""

from __future__ import annotations

import os

from jada_orchestrator.adapters.journal.opening import check_store_url, is_postgres, open_reader, store_path
from jada_orchestrator.ports.journal import (
    JournalCorruptError,
    JournalError,
    JournalUnavailableError,
    JournalVersionError,
)
from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.settings import Settings

AREA = "store"


async def check_store(settings: Settings) -> list[Finding]:
    """Look at the folder or the database, then ask the store one question."""
    try:
        check_store_url(settings.store)
        if is_postgres(settings.store):
            return await _check_server(settings)
    except ValueError as error:
        return [failure(AREA, "STORE_URL", str(error), "Set JADA_STORE, or store in settings.json.")]
    path = store_path(settings.store)
    folder = path.parent
    if not folder.is_dir():
        return [
            failure(
                AREA, "STORE_FOLDER", f"the folder {folder} is not there", f"Make it, for the service's user: {folder}"
            )
        ]
    if not os.access(folder, os.W_OK | os.X_OK):
        return [
            failure(
                AREA,
                "STORE_READ_ONLY",
                f"this user cannot write into {folder}",
                "Run the doctor as the service's user (sudo -u jada jada doctor), or mend the folder's owner.",
            )
        ]
    if not path.exists():
        return [ok(AREA, "STORE_NEW", f"{path} is not there yet; the first start makes it")]
    found = await _attention(settings)
    if any(each.verdict == "failure" for each in found):
        return found
    return [ok(AREA, "STORE", f"{path} can be read, {path.stat().st_size / 2**20:.1f} MiB"), *found]


async def _check_server(settings: Settings) -> list[Finding]:
    """Look at a database on a server."""
    from jada_orchestrator.service.doctor.database import check_database

    found = await check_database(settings.store)
    is_there = any(each.code == "STORE" for each in found)
    return [*found, *(await _attention(settings) if is_there else ())]


async def _attention(settings: Settings) -> list[Finding]:
    """Ask the store which bookings need a person; a store that cannot answer is the finding instead."""
    reader = open_reader(settings.store)
    try:
        waiting = await reader.heads(unsettled=True, limit=1_000)
    except JournalVersionError as error:
        return [
            failure(AREA, "STORE_NEWER", str(error), "Use that version again, or restore the backup from before it.")
        ]
    except JournalCorruptError as error:
        return [failure(AREA, "STORE_DAMAGED", str(error), "Keep a copy of the file, then restore the last backup.")]
    except (JournalUnavailableError, JournalError) as error:
        return [failure(AREA, "STORE_UNUSABLE", str(error), "Do what the message says.")]
    finally:
        await reader.close()
    if not waiting:
        return []
    return [
        warning(
            AREA,
            "ATTENTION",
            f"{len(waiting)} bookings need a person",
            "jada list --unsettled; jada why ID says what stands; jada retry ID goes on from what failed, "
            "jada settle ID NOTE says that it was dealt with by hand",
        )
    ]
