"""Checks of the store: can it be used, is it whole, did another version write it."""

from __future__ import annotations

import os

from jada_orchestrator.adapters.journal.opening import open_reader, store_path
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
    """Look at the folder, then ask the store one question."""
    try:
        path = store_path(settings.store)
    except ValueError as error:
        return [failure(AREA, "STORE_URL", str(error), "Set JADA_STORE, or store in settings.json.")]
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
    reader = open_reader(settings.store)
    try:
        waiting = await reader.heads(status="needs_attention", limit=1_000)
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
    found = [ok(AREA, "STORE", f"{path} can be read, {path.stat().st_size / 2**20:.1f} MiB")]
    if waiting:
        found.append(
            warning(
                AREA,
                "ATTENTION",
                f"{len(waiting)} bookings need a person",
                "jada list --status needs_attention; then jada why ID, jada retry ID or jada cancel ID",
            )
        )
    return found
