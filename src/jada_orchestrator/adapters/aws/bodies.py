"""Bodies of answers: whoever answers may send more than is wanted, so no more than that is taken into memory."""

from __future__ import annotations

from typing import Final, Protocol

_CHUNK_BYTES: Final = 256 * 1024


class Stream(Protocol):
    """What botocore's bodies and aiohttp's readers have in common."""

    async def read(self, amount: int = -1, /) -> bytes:
        """Return at most so many bytes; none at the end."""


async def read_bounded(stream: Stream, bytes_max: int) -> bytes | None:
    """Return a body, or None as soon as it is larger than allowed; its connection is of no use then."""
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(_CHUNK_BYTES):
        size += len(chunk)
        if size > bytes_max:
            return None
        parts.append(chunk)
    return b"".join(parts)
