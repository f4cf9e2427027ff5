"""Payloads in an S3 bucket: the port `PayloadStore`.

A key is the prefix and the SHA-256 of the content, so writing it again is writing the same, and an object that was
changed is found out. What is read is what an agent named, and an agent may be anybody's: only this bucket, only below
this prefix, never more than is allowed, and only when it hashes to what was said.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from botocore import exceptions as boto

from jada_orchestrator.adapters.aws.bodies import read_bounded
from jada_orchestrator.adapters.aws.errors import clip, describe, judge
from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.limits import PAYLOAD_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.payloads import PayloadError
from jada_orchestrator.wire.strict_json import read_json

PAYLOAD_MISSING: Final = "PAYLOAD_MISSING"
"""There is no such object: it expired, was removed, or was never written. Who wrote the reference looks."""
PAYLOAD_ALTERED: Final = "PAYLOAD_ALTERED"
"""The object is not what the reference says. Somebody changed it, or the reference is wrong."""
PAYLOAD_REFUSED: Final = "PAYLOAD_REFUSED"
"""The reference leads out of the configured bucket and prefix, or to more than is allowed. Nothing was read."""
PAYLOAD_TOO_LARGE: Final = "PAYLOAD_TOO_LARGE"
"""Even a bucket does not help: it is larger than what is kept there."""
PAYLOAD_UNREACHABLE: Final = "PAYLOAD_UNREACHABLE"
"""The bucket could not be reached, or did not let this host in."""

REQUEST_TIMEOUT_S: Final = 20.0
"""Eight megabytes inside a region take a second."""
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_MISSING: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_NOBODY_IN: Final = frozenset({"NoSuchBucket", "AccessDenied", "403", "PermanentRedirect", "InvalidBucketName"})


class ObjectCalls(Protocol):
    """The calls of botocore's S3 client that are made, by their names in the API of S3."""

    async def put_object(self, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401 - botocore's arguments
        """PutObject."""

    async def get_object(self, **arguments: Any) -> Mapping[str, Any]:  # noqa: ANN401
        """GetObject; `Body` is a stream."""


class S3Payloads:
    """The port `PayloadStore` on one bucket; the client belongs to whoever opened it."""

    def __init__(self, client: ObjectCalls, *, bucket: str, prefix: str, connections: int) -> None:
        """Take the process's client; `connections` is the size of its pool, for which calls wait here."""
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self._admission = asyncio.Semaphore(connections)

    async def put(self, content: JsonObject, *, folder: str = "") -> PayloadRef:
        """Keep an object; see the port."""
        try:
            body = msgspec.json.encode(content, order="deterministic")
        except (TypeError, ValueError) as error:
            raise PayloadError(PAYLOAD_REFUSED, f"the payload cannot be written as JSON: {error}") from error
        if len(body) > PAYLOAD_BYTES_MAX:
            message = f"the payload has {len(body)} bytes; a bucket takes {PAYLOAD_BYTES_MAX} of one"
            raise PayloadError(PAYLOAD_TOO_LARGE, message)
        digest = hashlib.sha256(body).hexdigest()
        ref = PayloadRef(self._bucket, f"{self._prefix}{folder}{digest}.json", len(body), digest)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S), self._admission:
                await self._client.put_object(Bucket=ref.bucket, Key=ref.key, Body=body, ContentType="application/json")
        except (boto.ClientError, boto.BotoCoreError, OSError, TimeoutError) as error:
            raise self._trouble(error, ref) from error
        return ref

    async def get(self, ref: PayloadRef) -> JsonObject:
        """Return an object; see the port."""
        self._check(ref)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S), self._admission:
                answer = await self._client.get_object(Bucket=ref.bucket, Key=ref.key)
                async with answer["Body"] as stream:
                    body = await read_bounded(stream, ref.bytes)
        except (boto.ClientError, boto.BotoCoreError, OSError, TimeoutError) as error:
            raise self._trouble(error, ref) from error
        if body is None or len(body) != ref.bytes or hashlib.sha256(body).hexdigest() != ref.sha256:
            raise PayloadError(PAYLOAD_ALTERED, f"{_shown(ref)} is not the {ref.bytes} bytes that the reference says")
        try:
            read = read_json(body.decode(), mend_texts=True)
        except UnicodeDecodeError as error:
            raise PayloadError(PAYLOAD_REFUSED, f"{_shown(ref)} is no UTF-8") from error
        if read.faults or not isinstance(read.value, dict):
            why = read.faults[0].message if read.faults else "it is not an object"
            raise PayloadError(PAYLOAD_REFUSED, f"{_shown(ref)} is no JSON object: {why}")
        return read.value

    def _check(self, ref: PayloadRef) -> None:
        if ref.bucket != self._bucket or not ref.key.startswith(self._prefix) or ".." in ref.key:
            allowed = f"s3://{self._bucket}/{self._prefix}"
            raise PayloadError(PAYLOAD_REFUSED, f"{_shown(ref)} is not below {allowed}, which alone may be read")
        if not 0 < ref.bytes <= PAYLOAD_BYTES_MAX:
            raise PayloadError(PAYLOAD_REFUSED, f"{_shown(ref)} has {ref.bytes} bytes; {PAYLOAD_BYTES_MAX} may be read")
        if not _DIGEST.fullmatch(ref.sha256):
            raise PayloadError(PAYLOAD_REFUSED, f"the reference to {_shown(ref)} has no SHA-256")

    def _trouble(self, error: Exception, ref: PayloadRef) -> PayloadError:
        """Return what a failed call means."""
        code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, boto.ClientError) else ""
        if code in _MISSING:
            return PayloadError(PAYLOAD_MISSING, f"{_shown(ref)} is not there (any more)")
        verdict = judge(error, {})
        message = f"{_shown(ref)} cannot be reached: {clip(describe(error))}. {verdict.advice}".rstrip()
        return PayloadError(PAYLOAD_UNREACHABLE, message, passes=code not in _NOBODY_IN)


def _shown(ref: PayloadRef) -> str:
    return clip(f"s3://{ref.bucket}/{ref.key}")
