"""Payloads that are too large for a message: a place where they are kept, and from which they are read."""

from __future__ import annotations

from typing import Protocol

from jada_orchestrator.domain.documents import JsonObject
from jada_orchestrator.domain.payloads import PayloadRef


class PayloadError(Exception):
    """A payload could not be written or read. Raised by `PayloadStore`; `code` says why, and `passes` whether it may.

    The operator finds the code in docs/operations.md: the bucket, its policy and its lifecycle rule are theirs.
    """

    def __init__(self, code: str, message: str, *, passes: bool = False) -> None:
        """Take the code, a sentence that names the object, and whether the same may succeed later."""
        super().__init__(message)
        self.code = code
        self.passes = passes


class PayloadStore(Protocol):
    """One place for payloads. What is there is never changed: a key is made of what lies under it."""

    async def put(self, content: JsonObject, *, folder: str = "") -> PayloadRef:
        """Keep an object and return its reference; the same object, in whatever order, always has the same one.

        `folder` (which ends with a slash) is where below this place it lies: others may be let in there alone.

        Guarantees: when it returns, whoever is given the reference finds the object. Raises: PayloadError.
        """

    async def get(self, ref: PayloadRef) -> JsonObject:
        """Return an object that a message refers to. Raises: PayloadError.

        Guarantees: it is read from this place alone, is no larger than what is allowed, and is to the byte what the
        reference says.
        """
