"""A client that is made when it is first wanted, so that nobody waits for the SDK who does not plan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from jada_orchestrator.adapters.claude.client import ModelClient

_LOADED_BESIDE: Final = ("anthropic", "anthropic.resources.messages", "anthropic.resources.models", "httpcore2")
"""The SDK, and what it would load by itself in the midst of the first call, on the loop."""


async def load_sdk() -> None:
    """Have the SDK loaded beside the loop, whatever of it is not there yet. When cancelled, it goes on being loaded."""
    await asyncio.to_thread(_load)


def _load() -> None:
    for name in _LOADED_BESIDE:
        import_module(name)


class LateClient:
    """One client, made at most once. Belongs to the loop in which it is used."""

    def __init__(self, make: Callable[[], ModelClient], client: ModelClient | None = None) -> None:
        """Take how the client is made, or one that is there already; nothing is loaded yet."""
        self._make = make
        self._client = client
        self._making = asyncio.Lock()

    async def get(self) -> ModelClient:
        """Return the client; the first caller has the SDK loaded beside the loop, the others wait for that.

        Raises: what making it raises; the next caller tries again. When cancelled, the SDK goes on being loaded.
        """
        if self._client is None:
            async with self._making:
                if self._client is None:
                    await load_sdk()
                    self._client = self._make()
        return self._client

    async def close(self) -> None:
        """Release the connections, if any were ever made. May be called twice."""
        if self._client is not None:
            await self._client.close()
