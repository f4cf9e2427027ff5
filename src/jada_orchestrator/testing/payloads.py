"""A bucket in memory that keeps the promises of `ports.payloads.PayloadStore`."""

from __future__ import annotations

import hashlib
import json

from jada_orchestrator.domain.documents import JsonObject, canonical_json
from jada_orchestrator.domain.limits import PAYLOAD_BYTES_MAX
from jada_orchestrator.domain.payloads import PayloadRef
from jada_orchestrator.ports.payloads import PayloadError


class MemoryPayloads:
    """The port `PayloadStore`. A test may change or remove what lies in `objects`, or set `unreachable`."""

    def __init__(self, bucket: str = "payloads", prefix: str = "jada/") -> None:
        """Begin empty."""
        self.objects: dict[str, bytes] = {}
        self.unreachable: str | None = None
        self._bucket = bucket
        self._prefix = prefix

    async def put(self, content: JsonObject, *, folder: str = "") -> PayloadRef:
        """Keep an object; see the port."""
        self._check_reachable()
        body = canonical_json(content).encode()
        if len(body) > PAYLOAD_BYTES_MAX:
            raise PayloadError("PAYLOAD_TOO_LARGE", f"the payload has {len(body)} bytes")
        digest = hashlib.sha256(body).hexdigest()
        ref = PayloadRef(self._bucket, f"{self._prefix}{folder}{digest}.json", len(body), digest)
        self.objects[ref.key] = body
        return ref

    async def get(self, ref: PayloadRef) -> JsonObject:
        """Return an object; see the port."""
        self._check_reachable()
        if ref.bucket != self._bucket or not ref.key.startswith(self._prefix) or not 0 < ref.bytes <= PAYLOAD_BYTES_MAX:
            raise PayloadError("PAYLOAD_REFUSED", f"{ref.key} may not be read")
        body = self.objects.get(ref.key)
        if body is None:
            raise PayloadError("PAYLOAD_MISSING", f"{ref.key} is not there")
        if len(body) != ref.bytes or hashlib.sha256(body).hexdigest() != ref.sha256:
            raise PayloadError("PAYLOAD_ALTERED", f"{ref.key} is another one")
        found = json.loads(body)
        if not isinstance(found, dict):
            raise PayloadError("PAYLOAD_REFUSED", f"{ref.key} is no object")
        return found

    def _check_reachable(self) -> None:
        if self.unreachable is not None:
            raise PayloadError("PAYLOAD_UNREACHABLE", self.unreachable, passes=True)
