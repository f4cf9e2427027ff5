"""Payloads that are too large for a message: inputs are read from a bucket, outputs written to it, by the task's word.

The task says where (`offload`: a bucket and a prefix); nothing else is read or written. A key is made of the content's
SHA-256, so writing an output again is writing the same, and an input that was changed is found out.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from jada_orchestrator.agent.reply import encode
from jada_orchestrator.agent.task import JsonObject

PAYLOAD_MISSING: Final = "PAYLOAD_MISSING"
"""The input is not in the bucket (any more). Nothing was done."""
PAYLOAD_ALTERED: Final = "PAYLOAD_ALTERED"
"""The input in the bucket is not what the task says. Nothing was done."""
PAYLOAD_REFUSED: Final = "PAYLOAD_REFUSED"
"""The task's input lies where it may not lie, or is no JSON object. Nothing was done."""
PAYLOAD_UNREACHABLE: Final = "PAYLOAD_UNREACHABLE"
"""The bucket could not be reached, or did not let this agent in. Nothing was done."""
PAYLOAD_UNWRITTEN: Final = "PAYLOAD_UNWRITTEN"
"""The action was done, and its output cannot be put into the bucket. The same call gives the same answer again."""

BY_VALUE_BYTES_MAX: Final = 1_000_000
"""An output above this does not fit into a message with what stands around it."""
PAYLOAD_BYTES_MAX: Final = 8 * 1024 * 1024
_MISSING: Final = ("NoSuchKey", "404", "NotFound")


class PayloadFault(Exception):
    """Raised in here when a payload cannot be read or written; the kit answers with its code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class ObjectStore(Protocol):
    """What the kit needs of a bucket; `S3Objects` is the real one. Both raise `PayloadFault`."""

    def read(self, bucket: str, key: str, bytes_max: int) -> bytes:
        """The object's bytes, at most one more than `bytes_max`."""
        ...

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """Puts an object there, in place of the same one if there is one."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where payloads of a task may lie."""

    bucket: str
    prefix: str

    @classmethod
    def of(cls, value: object) -> Place | None:
        """The place that a task names as `offload`; None for none, and for what is none."""
        if not isinstance(value, Mapping):
            return None
        bucket, prefix = value.get("bucket"), value.get("prefix", "")
        return cls(bucket, prefix) if isinstance(bucket, str) and bucket and isinstance(prefix, str) else None


def with_input(body: Mapping[str, Any], objects: ObjectStore) -> Mapping[str, Any]:
    """The task with the input that it refers to; itself where it has one. Raises `PayloadFault`."""
    ref = body.get("input_ref")
    if "input" in body or ref is None:
        return body
    return {**body, "input": _input_at(ref, Place.of(body.get("offload")), objects)}


def as_carried(outcome: JsonObject, place: Place | None, objects: ObjectStore) -> JsonObject:
    """The outcome as a message carries it: with a reference in the place of an output that is too large for one.

    Raises `PayloadFault`.
    """
    if place is None or "output" not in outcome:
        return outcome
    body = encode(outcome["output"]).encode()
    if len(body) <= BY_VALUE_BYTES_MAX:
        return outcome
    if len(body) > PAYLOAD_BYTES_MAX:
        message = f"the output has {len(body)} bytes; a bucket takes {PAYLOAD_BYTES_MAX}"
        raise PayloadFault(PAYLOAD_UNWRITTEN, message)
    digest = hashlib.sha256(body).hexdigest()
    key = f"{place.prefix}{digest}.json"
    objects.write(place.bucket, key, body)
    ref = {"bucket": place.bucket, "key": key, "bytes": len(body), "sha256": digest}
    return {**{name: value for name, value in outcome.items() if name != "output"}, "output_ref": ref}


def _input_at(ref: object, place: Place | None, objects: ObjectStore) -> JsonObject:
    fields = ref if isinstance(ref, Mapping) else {}
    bucket, key, size, digest = (fields.get(name) for name in ("bucket", "key", "bytes", "sha256"))
    if not isinstance(bucket, str) or not isinstance(key, str) or not isinstance(size, int):
        raise PayloadFault(PAYLOAD_REFUSED, "input_ref has no bucket, key and bytes")
    shown = f"s3://{bucket}/{key}"
    if place is None or bucket != place.bucket or not key.startswith(place.prefix) or not 0 < size <= PAYLOAD_BYTES_MAX:
        raise PayloadFault(PAYLOAD_REFUSED, f"{shown} is not where the task's payloads may lie, or is too large")
    body = objects.read(bucket, key, size)
    if len(body) != size or hashlib.sha256(body).hexdigest() != digest:
        raise PayloadFault(PAYLOAD_ALTERED, f"{shown} is not the {size} bytes that the task says")
    try:
        found = json.loads(body)
    except ValueError as error:
        raise PayloadFault(PAYLOAD_REFUSED, f"{shown} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise PayloadFault(PAYLOAD_REFUSED, f"{shown} is no JSON object")
    return cast("JsonObject", found)


class S3Objects:
    """`ObjectStore` on S3 by botocore, which Lambda's runtime has and `aiobotocore` brings. Made when first used."""

    def __init__(self) -> None:
        self._client: Any = None
        self._making = threading.Lock()

    def read(self, bucket: str, key: str, bytes_max: int) -> bytes:
        """See `ObjectStore.read`."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            answer = self._opened().get_object(Bucket=bucket, Key=key)
            with answer["Body"] as stream:
                return cast("bytes", stream.read(bytes_max + 1))
        except (BotoCoreError, ClientError, HTTPClientError) as error:
            code = PAYLOAD_MISSING if _code(error) in _MISSING else PAYLOAD_UNREACHABLE
            raise PayloadFault(code, f"s3://{bucket}/{key}: {error}") from error

    def write(self, bucket: str, key: str, body: bytes) -> None:
        """See `ObjectStore.write`."""
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            self._opened().put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")
        except (BotoCoreError, ClientError, HTTPClientError) as error:
            raise PayloadFault(PAYLOAD_UNWRITTEN, f"s3://{bucket}/{key}: {error}") from error

    def _opened(self) -> Any:  # noqa: ANN401 - botocore has no types
        from botocore.config import Config
        from botocore.session import get_session

        with self._making:
            if self._client is None:
                config = Config(
                    connect_timeout=5, read_timeout=20, retries={"mode": "standard", "total_max_attempts": 3}
                )
                region = os.environ.get("AWS_REGION")
                self._client = get_session().create_client("s3", region_name=region, config=config)
        return self._client


def _code(error: Exception) -> str:
    """The service's code of an error; empty where it did not answer."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, Mapping) else ""
