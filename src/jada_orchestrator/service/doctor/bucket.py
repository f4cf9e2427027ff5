"""Checks of the bucket for payloads that are too large for a message: is it there, and does it forget."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from jada_orchestrator.service.doctor.findings import Finding, failure, ok, warning
from jada_orchestrator.service.settings import OffloadSettings

AREA: Final = "bucket"
CALL_TIMEOUT_S: Final = 8.0
KEPT_DAYS_LEAST: Final = 15
"""A message waits in a queue for 14 days at most, and what it refers to has to be there then."""
_NO_RULE: Final = "NoSuchLifecycleConfiguration"
_MADE_BY: Final = "deploy/cloudformation/"


async def check_bucket(client: Any, place: OffloadSettings) -> list[Finding]:  # noqa: ANN401 - botocore's clients have no types here
    """Look at the bucket and its lifecycle; nothing where none is configured. All calls read."""
    if not place.bucket:
        return []
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            await client.head_bucket(Bucket=place.bucket)
    except ClientError as error:
        return [_refused(place.bucket, error)]
    except (BotoCoreError, TimeoutError, OSError) as error:
        said = str(error) or "no answer in time"
        return [failure(AREA, "BUCKET_UNREACHABLE", f"{place.bucket} cannot be reached: {said}", "Try again.")]
    return [ok(AREA, "BUCKET", f"{place.bucket} is there (offload.bucket)"), await _lifecycle(client, place)]


def _refused(bucket: str, error: ClientError) -> Finding:
    if str(error.response.get("Error", {}).get("Code", "")) in {"404", "NoSuchBucket"}:
        return failure(AREA, "BUCKET_MISSING", f"there is no bucket {bucket}", f"Make it ({_MADE_BY}), or correct it.")
    remedy = "Let the role in (deploy/iam/orchestrator.json), and check the bucket's region."
    return failure(AREA, "BUCKET_REFUSED", f"{bucket} may not be looked at: {error}", remedy)


async def _lifecycle(client: Any, place: OffloadSettings) -> Finding:  # noqa: ANN401 - as above
    """Find out whether payloads expire, and not before the messages that refer to them."""
    remedy = f"Give it a rule that expires {place.prefix or 'everything'} after 30 days ({_MADE_BY})."
    try:
        async with asyncio.timeout(CALL_TIMEOUT_S):
            answer = await client.get_bucket_lifecycle_configuration(Bucket=place.bucket)
    except ClientError as error:
        if str(error.response.get("Error", {}).get("Code", "")) != _NO_RULE:
            said = f"the lifecycle of {place.bucket} may not be looked at: {error}"
            return warning(AREA, "BUCKET_RULES_UNKNOWN", said, "Let the role read it (s3:GetLifecycleConfiguration).")
        answer = {}
    except (BotoCoreError, TimeoutError, OSError) as error:
        said = f"the lifecycle of {place.bucket} cannot be read: {str(error) or 'no answer in time'}"
        return warning(AREA, "BUCKET_RULES_UNKNOWN", said, "Try again.")
    days = [_days_of(rule) for rule in answer.get("Rules", ()) if _is_about(rule, place.prefix)]
    known = [each for each in days if each is not None]
    if not known:
        return warning(AREA, "BUCKET_REMEMBERS", f"nothing expires below {place.bucket}/{place.prefix}", remedy)
    if min(known) < KEPT_DAYS_LEAST:
        said = f"payloads in {place.bucket} expire after {min(known)} days, and messages may wait for 14"
        return warning(AREA, "BUCKET_FORGETS", said, remedy)
    return ok(AREA, "BUCKET_RULES", f"payloads expire after {min(known)} days")


def _is_about(rule: dict[str, Any], prefix: str) -> bool:
    """Tell whether a rule holds for everything below the prefix."""
    narrowed = rule.get("Filter", {})
    begins = narrowed.get("Prefix", rule.get("Prefix", "")) if not narrowed.get("And") else None
    return rule.get("Status") == "Enabled" and begins is not None and prefix.startswith(begins)


def _days_of(rule: dict[str, Any]) -> int | None:
    days = rule.get("Expiration", {}).get("Days")
    return days if isinstance(days, int) else None
