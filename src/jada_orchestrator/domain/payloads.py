"""What is too large for a message: kept in a bucket, and named in the message by a reference."""

from __future__ import annotations

from dataclasses import dataclass

from jada_orchestrator.domain.documents import JsonObject


@dataclass(frozen=True, slots=True)
class PayloadRef:
    """Where one JSON object lies, how large it is, and what it must hash to: whoever reads it checks both."""

    bucket: str
    key: str
    bytes: int
    sha256: str
    """Of the object's bytes, in hexadecimal; the key ends with it, so the same content always has the same key."""

    def to_json(self) -> JsonObject:
        """Return the reference as messages carry it."""
        return {"bucket": self.bucket, "key": self.key, "bytes": self.bytes, "sha256": self.sha256}
